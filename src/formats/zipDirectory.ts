// The directory at the end of a zip archive: where it is (the record after it, in its old and its 64-bit form) and what it
// says of each file. PKWARE APPNOTE 6.3.10, sections 4.3.12 to 4.3.16 and 4.5.3.
import { GraftError } from '../protocol/errors.ts'

/** Files and folders of an archive; an adapter has about ten. */
export const ZIP_ENTRIES_LIMIT = 10_000
/** Bytes of the directory: that many entries with long names. */
export const ZIP_DIRECTORY_LIMIT = 8 * 2 ** 20
/** The record at the end, and the longest comment after it. */
const END_BYTES = 22
const TAIL_BYTES = END_BYTES + 0xffff
const LOCATOR_BYTES = 20
const END64_BYTES = 56
const ENTRY_BYTES = 46
/** Stands where the number is in a 64-bit field. */
const FULL_32 = 0xffffffff
const FULL_16 = 0xffff

const METHODS: Record<number, string> = {
  1: 'Shrink',
  6: 'Implode',
  9: 'Deflate64',
  12: 'BZIP2',
  14: 'LZMA',
  93: 'Zstandard',
  95: 'XZ',
  98: 'PPMd',
  99: 'AES encryption',
}

/** Bytes that can be read in ranges. */
export interface ZipSource {
  bytes: number
  read(begin: number, end: number): Promise<Uint8Array>
}

export interface Directory {
  begin: number
  end: number
  entries: number
}
export interface DirectoryEntry {
  name: string
  nameBytes: number
  /** 0 stored, 8 deflated. */
  method: number
  crc: number
  packed: number
  bytes: number
  /** Where the file's own header is. */
  header: number
}

/** Throws E_FORMAT where there is none, E_LIMIT where it is too long. */
export async function findDirectory(source: ZipSource): Promise<Directory> {
  const tailBegin = Math.max(0, source.bytes - TAIL_BYTES)
  const tail = await source.read(tailBegin, source.bytes)
  const view = viewOf(tail)
  let at = tail.length - END_BYTES
  while (
    at >= 0 &&
    !(
      view.getUint32(at, true) === 0x06054b50 &&
      at + END_BYTES + view.getUint16(at + 20, true) === tail.length
    )
  )
    at--
  if (at < 0) throw broken('it has no directory; it may be no zip archive, or cut')
  if (
    view.getUint16(at + 4, true) !== view.getUint16(at + 6, true) ||
    ![0, FULL_16].includes(view.getUint16(at + 4, true))
  )
    throw broken('it is one of several parts')
  let entries = view.getUint16(at + 10, true)
  let length = view.getUint32(at + 12, true)
  let begin = view.getUint32(at + 16, true)
  let end = tailBegin + at
  if (entries === FULL_16 || length === FULL_32 || begin === FULL_32) {
    const at64 = await findEnd64(source, end)
    if (at64 !== undefined) {
      const record = viewOf(await source.read(at64, at64 + END64_BYTES))
      if (record.byteLength < END64_BYTES || record.getUint32(0, true) !== 0x06064b50)
        throw broken('its directory is not where it says')
      entries = number64(record, 32)
      length = number64(record, 40)
      begin = number64(record, 48)
      end = at64
    }
  }
  if (entries > ZIP_ENTRIES_LIMIT)
    throw limit(`it has ${entries} files, and at most ${ZIP_ENTRIES_LIMIT} are taken`, {
      limit: ZIP_ENTRIES_LIMIT,
    })
  if (length > ZIP_DIRECTORY_LIMIT)
    throw limit(`its directory has ${length} bytes, and at most ${ZIP_DIRECTORY_LIMIT} are taken`, {
      limit: ZIP_DIRECTORY_LIMIT,
    })
  if (begin + length !== end) throw broken('its directory is not where it says')
  return { begin, end, entries }
}

/** Where the 64-bit record is; undefined where there is none. */
async function findEnd64(source: ZipSource, end: number): Promise<number | undefined> {
  if (end < LOCATOR_BYTES) return undefined
  const locator = viewOf(await source.read(end - LOCATOR_BYTES, end))
  if (locator.getUint32(0, true) !== 0x07064b50) return undefined
  const at = number64(locator, 8)
  if (at + END64_BYTES > end) throw broken('its directory is not where it says')
  return at
}

/** Throws E_FORMAT, naming the file. */
export function parseDirectory(bytes: Uint8Array, { entries }: Directory): DirectoryEntry[] {
  const view = viewOf(bytes)
  const found: DirectoryEntry[] = []
  let at = 0
  while (at < bytes.length) {
    if (at + ENTRY_BYTES > bytes.length || view.getUint32(at, true) !== 0x02014b50) {
      if (found.length === entries) break
      throw broken('its directory is damaged')
    }
    const nameBytes = view.getUint16(at + 28, true)
    const extraBytes = view.getUint16(at + 30, true)
    const next = at + ENTRY_BYTES + nameBytes + extraBytes + view.getUint16(at + 32, true)
    if (next > bytes.length || found.length === entries) throw broken('its directory is damaged')
    const flags = view.getUint16(at + 8, true)
    const nameAt = at + ENTRY_BYTES
    const name = nameOf(bytes.subarray(nameAt, nameAt + nameBytes))
    const method = view.getUint16(at + 10, true)
    if (flags & 1) throw broken(`"${name}" is encrypted; unpack the archive with its password first`, name)
    if (method !== 0 && method !== 8)
      throw broken(
        `"${name}" is packed with ${METHODS[method] ?? `method ${method}`}; stored and deflated files are read`,
        name,
      )
    // The upper half of the attributes is Unix's mode where the archive was made there.
    if (view.getUint8(at + 5) === 3 && view.getUint16(at + 40, true) >> 12 === 0xa)
      throw broken(`"${name}" is a link to another file`, name)
    const sizes = [
      view.getUint32(at + 24, true),
      view.getUint32(at + 20, true),
      view.getUint32(at + 42, true),
    ]
    widen(sizes, viewOf(bytes.subarray(nameAt + nameBytes, nameAt + nameBytes + extraBytes)), name)
    const [unpacked, packed, header] = sizes as [number, number, number]
    found.push({
      name,
      nameBytes,
      method,
      crc: view.getUint32(at + 16, true),
      packed,
      bytes: unpacked,
      header,
    })
    at = next
  }
  if (found.length !== entries) throw broken(`it has ${found.length} files, and says ${entries}`)
  return found
}

/** Takes the numbers that do not fit into 32 bits from the 64-bit extra field: size, packed size, position. */
function widen(sizes: number[], extra: DataView, name: string): void {
  if (!sizes.includes(FULL_32)) return
  for (let at = 0; at + 4 <= extra.byteLength;) {
    const end = at + 4 + extra.getUint16(at + 2, true)
    if (extra.getUint16(at, true) === 1) {
      let field = at + 4
      for (const [i, size] of sizes.entries()) {
        if (size !== FULL_32) continue
        if (field + 8 > Math.min(end, extra.byteLength)) throw broken(`the sizes of "${name}" are cut`, name)
        sizes[i] = number64(extra, field)
        field += 8
      }
      return
    }
    at = end
  }
}

/** A path that stays inside. Throws E_FORMAT for others. */
function nameOf(bytes: Uint8Array): string {
  let name: string
  try {
    name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Old archives are in the code page of their makers; such names only have to be different from each other.
    name = new TextDecoder('windows-1252').decode(bytes)
  }
  const path = name.endsWith('/') ? name.slice(0, -1) : name
  // Control characters have no place in a path.
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x1f\\]|^[A-Za-z]:/.test(path) || path.split('/').some((part) => ['', '.', '..'].includes(part)))
    throw broken(`the path "${name.slice(0, 100)}" leads out of it`, name)
  return name
}

function number64(view: DataView, at: number): number {
  const value = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
  if (!Number.isSafeInteger(value)) throw broken('it has a size that no file has')
  return value
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function broken(what: string, file?: string): GraftError {
  return new GraftError(
    'E_FORMAT',
    `This zip archive cannot be read: ${what}.`,
    file === undefined ? {} : { file },
  )
}

export function limit(what: string, details: Record<string, unknown>): GraftError {
  return new GraftError('E_LIMIT', `This zip archive is not unpacked: ${what}.`, details)
}
