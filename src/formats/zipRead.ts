// Reading zip archives that come from anywhere. Nothing in an archive is believed: how much it unpacks to is known and
// limited before a byte is unpacked, and checked while it is. PKWARE APPNOTE 6.3.10; what can be done with overlapping
// entries is in Fifield 2019, "A better zip bomb".
import { Inflate } from 'fflate'
import { GraftError } from '../protocol/errors.ts'
import { crc32 } from './crc32.ts'
import {
  broken,
  findDirectory,
  limit,
  parseDirectory,
  type DirectoryEntry,
  type ZipSource,
} from './zipDirectory.ts'

/** Bytes of all files of an archive together; the largest adapters have a few hundred MB. */
export const ZIP_BYTES_LIMIT = 4 * 2 ** 30
/** How many times its packed size a file may have; text seldom reaches 20, the method's own limit is 1032. */
export const ZIP_RATIO_LIMIT = 200
/** Below this size a high ratio is no danger: a short file of zeros. */
const RATIO_FREE_BYTES = 2 ** 20
/** Bytes inflated at a time: what one step makes stays below eight megabytes. */
const STEP_BYTES = 8192

export interface ZipFile {
  /** Path inside the archive, with `/`. */
  name: string
  /** Size when unpacked. */
  bytes: number
  /** Whether it is not packed, so that ranges of it are read without the rest. */
  stored: boolean
  /**
   * The whole file, checked against its CRC-32, or the range [begin, end) of it; the CRC of a stored file is not checked
   * then. Throws E_FORMAT where the archive lied or is damaged.
   */
  read(begin?: number, end?: number): Promise<Uint8Array<ArrayBuffer>>
}

/**
 * The files of an archive by path, in its order; folders and macOS's shadow files are left out. Nothing is unpacked yet.
 * Throws E_FORMAT where the archive is broken, encrypted or packed in an unknown way, or a path leads outside, E_LIMIT
 * where it has too many files or unpacks to too much.
 */
export async function readZip(archive: Uint8Array | Blob | ZipSource): Promise<Map<string, ZipFile>> {
  const source = sourceOf(archive)
  const directory = await findDirectory(source)
  const entries = parseDirectory(await exactly(source, directory.begin, directory.end), directory)
  checkSizes(entries)
  checkOverlap(entries, directory.begin)
  const files = new Map<string, ZipFile>()
  for (const entry of entries) {
    if (entry.name.endsWith('/') || entry.name.startsWith('__MACOSX/')) continue
    if (files.has(entry.name)) throw broken(`two files are named "${entry.name}"`, entry.name)
    files.set(entry.name, fileOf(source, entry))
  }
  return files
}

function sourceOf(archive: Uint8Array | Blob | ZipSource): ZipSource {
  if (archive instanceof Uint8Array)
    return {
      bytes: archive.length,
      read: (begin, end) => Promise.resolve(archive.subarray(begin, end)),
    }
  if (archive instanceof Blob)
    return {
      bytes: archive.size,
      read: async (begin, end) => new Uint8Array(await archive.slice(begin, end).arrayBuffer()),
    }
  return archive
}

async function exactly(source: ZipSource, begin: number, end: number): Promise<Uint8Array> {
  const bytes = await source.read(begin, end)
  if (bytes.length !== end - begin) throw broken('it is cut')
  return bytes
}

function checkSizes(entries: readonly DirectoryEntry[]): void {
  let total = 0
  for (const { name, bytes, packed, method } of entries) {
    if (method === 0 && bytes !== packed)
      throw broken(`"${name}" is not packed, but has two sizes (${packed} and ${bytes} bytes)`, name)
    if (bytes > RATIO_FREE_BYTES && bytes > packed * ZIP_RATIO_LIMIT)
      throw limit(
        `"${name}" unpacks to ${bytes} bytes, more than ${ZIP_RATIO_LIMIT} times its ${packed} in the archive`,
        { file: name, limit: ZIP_RATIO_LIMIT },
      )
    total += bytes
    if (total > ZIP_BYTES_LIMIT)
      throw limit(`its files unpack to more than ${ZIP_BYTES_LIMIT / 2 ** 30} GB`, {
        file: name,
        limit: ZIP_BYTES_LIMIT,
      })
  }
}

/** Each byte belongs to one file: bombs use the same packed bytes over and over. */
function checkOverlap(entries: readonly DirectoryEntry[], end: number): void {
  let free = 0
  for (const { name, header, nameBytes, packed } of [...entries].sort((a, b) => a.header - b.header)) {
    if (header < free) throw broken(`"${name}" overlaps the file before it`, name)
    free = header + 30 + nameBytes + packed
    if (free > end) throw broken(`"${name}" ends after the archive's files`, name)
  }
}

function fileOf(source: ZipSource, entry: DirectoryEntry): ZipFile {
  const { name, bytes, packed, method } = entry
  /** Where the packed bytes begin: the header before them may have other extra fields than the directory. */
  const begin = async (): Promise<number> => {
    const header = await exactly(source, entry.header, entry.header + 30)
    const view = new DataView(header.buffer, header.byteOffset, 30)
    if (view.getUint32(0, true) !== 0x04034b50 || view.getUint16(26, true) !== entry.nameBytes)
      throw broken(`"${name}" is not where the archive says`, name)
    const start = entry.header + 30 + entry.nameBytes + view.getUint16(28, true)
    if (start + packed > source.bytes) throw broken(`it is cut inside "${name}"`, name)
    return start
  }
  const whole = async (): Promise<Uint8Array<ArrayBuffer>> => {
    const start = await begin()
    const content =
      method === 0
        ? new Uint8Array(await exactly(source, start, start + packed))
        : await inflate(source, entry, start)
    if (crc32(content) !== entry.crc) throw broken(`"${name}" is damaged (its CRC-32 is another)`, name)
    return content
  }
  return {
    name,
    bytes,
    stored: method === 0,
    async read(from = 0, to = bytes) {
      if (!(from >= 0 && from <= to && to <= bytes))
        throw new GraftError('E_ARGUMENT', `"${name}" has no bytes ${from} to ${to}; it has ${bytes}.`, {
          file: name,
        })
      if (from === 0 && to === bytes) return whole()
      if (method !== 0) return (await whole()).slice(from, to)
      const start = await begin()
      return new Uint8Array(await exactly(source, start + from, start + to))
    },
  }
}

/** Inflates step by step, so that a file that unpacks to more than it says is stopped at once. */
async function inflate(
  source: ZipSource,
  { name, bytes, packed }: DirectoryEntry,
  start: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const out = new Uint8Array(bytes)
  let filled = 0
  const stream = new Inflate((chunk) => {
    if (filled + chunk.length > bytes)
      throw broken(`"${name}" unpacks to more than the ${bytes} bytes that it says`, name)
    out.set(chunk, filled)
    filled += chunk.length
  })
  try {
    for (let at = 0; at < packed; at += STEP_BYTES) {
      const end = Math.min(at + STEP_BYTES, packed)
      stream.push(new Uint8Array(await exactly(source, start + at, start + end)), end === packed)
    }
  } catch (cause) {
    if (cause instanceof GraftError) throw cause
    throw broken(
      `"${name}" cannot be unpacked (${cause instanceof Error ? cause.message : String(cause)})`,
      name,
    )
  }
  if (filled !== bytes) throw broken(`"${name}" unpacks to ${filled} bytes, not ${bytes}`, name)
  return out
}
