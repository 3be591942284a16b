// Large byte strings in IndexedDB: browsers refuse single values somewhere above 130 MB, so a blob is a row of
// 16 MB chunks, and its entry (id, length, SHA-256) is kept by whoever points at it.
import { sha256 as sha256Hasher } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { GraftError, throwIfAborted } from '../protocol/errors.ts'
import type { BlobEntry, Store } from './database.ts'
import { guarded } from './quota.ts'

/** Far below the largest value a browser takes, large enough that few transactions are needed. */
export const CHUNK_BYTES = 16 * 1024 * 1024

/** Bytes as they arrive: a generator, an array of pieces, or `pieces(stream)`. */
export type ByteSource = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

export interface WriteOptions {
  signal?: AbortSignal
  /** Called with the bytes written so far. */
  onBytes?: (bytes: number) => void
  /** All bytes that will be needed, named if room runs out. */
  totalBytes?: number
  chunkBytes?: number
}

/** A fresh blob id; the prefix says whose it is. */
export function newBlobId(prefix: string): string {
  return `${prefix}/${crypto.randomUUID()}`
}

/** Incremental SHA-256; `hex()` ends it. WebCrypto can only hash bytes that are all in memory. */
export function sha256(): { update(bytes: Uint8Array): void; hex(): string } {
  const hasher = sha256Hasher.create()
  return {
    update: (bytes) => void hasher.update(bytes),
    hex: () => bytesToHex(hasher.digest()),
  }
}

/** The pieces of a stream (Safari's streams are not iterable). Cancels the stream when the reader stops early. */
export async function* pieces(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader()
  let ended = false
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) {
        ended = true
        return
      }
      yield value
    }
  } finally {
    if (!ended) await reader.cancel().catch(() => undefined)
    reader.releaseLock()
  }
}

/**
 * Writes a blob in chunks. If anything fails (E_STORAGE without room, E_ABORTED), nothing of it stays.
 * Call it inside `whileWriting`, together with the write that points at the blob.
 */
export async function writeBlob(
  store: Store,
  blob: string,
  source: ByteSource,
  options: WriteOptions = {},
): Promise<BlobEntry> {
  const size = options.chunkBytes ?? CHUNK_BYTES
  const hash = sha256()
  let buffer = new Uint8Array(Math.min(size, options.totalBytes ?? size))
  let filled = 0
  let index = 0
  let bytes = 0

  const flush = async (): Promise<void> => {
    // A view would be stored with its whole buffer, so a short chunk is copied out.
    const chunk = filled === buffer.length ? buffer : buffer.slice(0, filled)
    hash.update(chunk)
    await guarded(() => store.main.chunks.add({ blob, index, bytes: chunk }), options.totalBytes ?? filled)
    bytes += filled
    index++
    filled = 0
    options.onBytes?.(bytes)
  }

  try {
    for await (const piece of source) {
      throwIfAborted(options.signal)
      for (let at = 0; at < piece.length;) {
        if (filled === buffer.length) {
          // Full: either a whole chunk, or a source longer than it said.
          if (buffer.length === size) await flush()
          else buffer = grown(buffer, size)
        }
        const take = Math.min(buffer.length - filled, piece.length - at)
        buffer.set(piece.subarray(at, at + take), filled)
        filled += take
        at += take
      }
    }
    throwIfAborted(options.signal)
    if (filled > 0) await flush()
    return { blob, bytes, sha256: hash.hex() }
  } catch (error) {
    await deleteBlob(store, blob).catch(() => undefined)
    throw error
  }
}

function grown(buffer: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(size)
  larger.set(buffer)
  return larger
}

/** The chunks of a blob in order; ends at the first missing one. */
export async function* readChunks(store: Store, blob: string): AsyncGenerator<Uint8Array> {
  for (let index = 0; ; index++) {
    const chunk = await guarded(() => store.main.chunks.get([blob, index]))
    if (chunk === undefined) return
    yield chunk.bytes
  }
}

/** A whole blob in memory, checked. Throws E_HASH, naming `label`, if bytes are missing or differ. */
export async function readBlob(
  store: Store,
  entry: BlobEntry,
  label: string,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(entry.bytes)
  let at = 0
  for await (const chunk of readChunks(store, entry.blob)) {
    throwIfAborted(signal)
    if (at + chunk.length > whole.length) throw hashError(label, entry)
    whole.set(chunk, at)
    at += chunk.length
  }
  if (at !== entry.bytes || (await hexOf(whole)) !== entry.sha256) throw hashError(label, entry)
  return whole
}

/** Reads a blob back and compares it with its entry, without keeping it in memory. Throws E_HASH naming `label`. */
export async function verifyBlob(store: Store, entry: BlobEntry, label: string): Promise<void> {
  const hash = sha256()
  let bytes = 0
  for await (const chunk of readChunks(store, entry.blob)) {
    hash.update(chunk)
    bytes += chunk.length
  }
  if (bytes !== entry.bytes || hash.hex() !== entry.sha256) throw hashError(label, entry)
}

/** SHA-256 of bytes in memory: the browser's own is faster, where it has one (secure contexts only). */
async function hexOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const subtle = (globalThis.crypto as { subtle?: SubtleCrypto }).subtle
  if (subtle) return bytesToHex(new Uint8Array(await subtle.digest('SHA-256', bytes)))
  const hash = sha256()
  hash.update(bytes)
  return hash.hex()
}

export async function deleteBlob(store: Store, blob: string): Promise<void> {
  await guarded(() => store.main.chunks.where('[blob+index]').between([blob, 0], [blob, Infinity]).delete())
}

function hashError(label: string, entry: BlobEntry): GraftError {
  return new GraftError(
    'E_HASH',
    `${label} is damaged: the stored bytes are not the ones that were saved. Use an earlier one, or save it again.`,
    { label, blob: entry.blob, expected: entry.sha256 },
  )
}

/** Bytes `begin` to `end` of a blob, from only the chunks they lie in. Throws E_HASH naming `label` if some are missing. */
export async function readRange(
  store: Store,
  entry: BlobEntry,
  begin: number,
  end: number,
  label: string,
): Promise<Uint8Array> {
  const range = new Uint8Array(end - begin)
  const first = Math.floor(begin / CHUNK_BYTES)
  const last = Math.floor(Math.max(begin, end - 1) / CHUNK_BYTES)
  for (let index = first; index <= last && end > begin; index++) {
    const chunk = await guarded(() => store.main.chunks.get([entry.blob, index]))
    const start = index * CHUNK_BYTES
    const part = chunk?.bytes.subarray(Math.max(0, begin - start), Math.min(CHUNK_BYTES, end - start))
    if (part?.length !== Math.min(end, start + CHUNK_BYTES) - Math.max(begin, start))
      throw hashError(label, entry)
    range.set(part, Math.max(0, start - begin))
  }
  return range
}
