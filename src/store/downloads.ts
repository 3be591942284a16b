// Files on their way into this browser. A download may be cut at any byte, or the tab closed: what has arrived is kept
// as chunks under a record of its own, keyed by the identity of the bytes (repository, commit, path), so that the next
// attempt goes on where the last one ended. The record goes when a model takes the file over, or after a week.
import { GraftError, throwIfAborted } from '../protocol/errors.ts'
import { checksumOf, type Checksum } from './checksum.ts'
import {
  CHUNK_BYTES,
  deleteBlob,
  newBlobId,
  readChunks,
  sha256,
  type ByteSource,
  type WriteOptions,
} from './chunks.ts'
import type { BlobEntry, DownloadRecord, Store } from './database.ts'
import { guarded } from './quota.ts'

/** How long an unfinished download is kept after its last byte: long enough for "I go on next weekend". */
export const KEEP_DOWNLOADS_MS = 7 * 24 * 60 * 60 * 1000

/** A download without a byte for so long is not under way in another tab. */
const ARRIVING_MS = 60 * 60 * 1000

export interface DownloadOptions extends Omit<WriteOptions, 'totalBytes'> {
  /** Length that the file must have. */
  bytes: number
  /** What its bytes must hash to, where that is published. */
  checksum?: Checksum
  /** The file from this byte on. */
  open(from: number): ByteSource | Promise<ByteSource>
}

/**
 * Brings a file into this browser, or the rest of it. When it is cut (whatever `open` throws, E_ABORTED), what is there
 * stays for the next call. Throws E_HASH, and then keeps nothing, where length or checksum is not the announced one;
 * E_STORAGE without room. Hold `whileWriting` from here until a record points at the blob, and let only one caller at
 * a time download the same key.
 */
export async function download(store: Store, key: string, options: DownloadOptions): Promise<BlobEntry> {
  const known = await guarded(() => store.main.downloads.get(key))
  if (known?.sha256 !== undefined) return { blob: known.blob, bytes: options.bytes, sha256: known.sha256 }
  const record: DownloadRecord = { key, blob: known?.blob ?? newBlobId('download'), touchedAt: Date.now() }
  await guarded(() => store.main.downloads.put(record))
  const file = new Arriving(store, record, options)
  await file.restore()
  try {
    if (file.bytes < options.bytes)
      for await (const piece of await options.open(file.bytes)) {
        throwIfAborted(options.signal)
        await file.append(piece)
      }
    throwIfAborted(options.signal)
    return await file.finish()
  } catch (error) {
    if (error instanceof GraftError && error.code === 'E_HASH') await dropDownload(store, key)
    else await file.flush().catch(() => undefined)
    throw error
  }
}

/** Bytes of a file that are here from an earlier attempt; 0 where there was none. */
export async function downloadedBytes(store: Store, key: string): Promise<number> {
  return guarded(async () => {
    const record = await store.main.downloads.get(key)
    if (!record) return 0
    const keys = await store.main.chunks
      .where('[blob+index]')
      .between([record.blob, 0], [record.blob, Infinity])
      .primaryKeys()
    const last = keys.length > 0 ? await store.main.chunks.get([record.blob, keys.length - 1]) : undefined
    return last ? (keys.length - 1) * CHUNK_BYTES + last.bytes.length : 0
  })
}

/** Forgets a download and its bytes. */
export async function dropDownload(store: Store, key: string): Promise<void> {
  const record = await guarded(() => store.main.downloads.get(key))
  if (!record) return
  await guarded(() => store.main.downloads.delete(key))
  await deleteBlob(store, record.blob)
}

/**
 * Makes room: forgets what was left of other downloads, unless it may still be arriving elsewhere. Returns the bytes
 * that became free.
 */
export function dropOldDownloads(store: Store, keep: readonly string[]): Promise<number> {
  const old = Date.now() - ARRIVING_MS
  return dropDownloads(store, ({ key, touchedAt }) => touchedAt <= old && !keep.includes(key))
}

/** Forgets the downloads that `which` names; the bytes that became free. */
export async function dropDownloads(
  store: Store,
  which: (record: DownloadRecord) => boolean,
): Promise<number> {
  const records = await guarded(() => store.main.downloads.filter(which).toArray())
  let freed = 0
  for (const { key } of records) {
    freed += await downloadedBytes(store, key)
    await dropDownload(store, key)
  }
  return freed
}

/** One file while its bytes arrive: fills chunk after chunk, hashing as it goes. */
class Arriving {
  bytes = 0
  readonly #sha256 = sha256()
  /** A checksum of another kind, where the server publishes that. */
  readonly #other
  readonly #chunkBytes: number
  #buffer: Uint8Array<ArrayBuffer>
  #filled = 0
  #index = 0

  constructor(
    readonly store: Store,
    readonly record: DownloadRecord,
    readonly options: DownloadOptions,
  ) {
    this.#chunkBytes = options.chunkBytes ?? CHUNK_BYTES
    this.#other = options.checksum?.algorithm === 'git' ? checksumOf('git', options.bytes) : null
    this.#buffer = new Uint8Array(Math.min(this.#chunkBytes, Math.max(1, options.bytes)))
  }

  /** Takes up what an earlier attempt left: full chunks stay where they are, a short last one is filled further. */
  async restore(): Promise<void> {
    for await (const chunk of readChunks(this.store, this.record.blob)) {
      throwIfAborted(this.options.signal)
      // A chunk after a short one, or a longer one, is not ours: it comes again.
      if (this.#filled > 0 || chunk.length > this.#buffer.length) break
      this.#hash(chunk)
      if (chunk.length === this.#chunkBytes) this.#index++
      else {
        this.#buffer.set(chunk)
        this.#filled = chunk.length
      }
    }
    this.options.onBytes?.(this.bytes)
  }

  async append(piece: Uint8Array): Promise<void> {
    if (this.bytes + piece.length > this.options.bytes)
      throw mismatch(this.record.key, 'it is longer than announced', { bytes: this.options.bytes })
    this.#hash(piece)
    for (let at = 0; at < piece.length;) {
      const take = Math.min(this.#buffer.length - this.#filled, piece.length - at)
      this.#buffer.set(piece.subarray(at, at + take), this.#filled)
      this.#filled += take
      at += take
      if (this.#filled === this.#chunkBytes) await this.flush()
    }
    this.options.onBytes?.(this.bytes)
  }

  /** Puts what is not stored yet into the table; a chunk that is not full is written again once it is. */
  async flush(): Promise<void> {
    if (this.#filled === 0) return
    const { store, record, options } = this
    const { blob } = record
    const bytes = this.#filled === this.#buffer.length ? this.#buffer : this.#buffer.slice(0, this.#filled)
    await guarded(() => store.main.chunks.put({ blob, index: this.#index, bytes }), options.bytes)
    await guarded(() => store.main.downloads.update(record.key, { touchedAt: Date.now() }))
    if (this.#filled < this.#chunkBytes) return
    this.#index++
    this.#filled = 0
  }

  async finish(): Promise<BlobEntry> {
    const { store, record, options } = this
    const { key, blob } = record
    if (this.bytes !== options.bytes)
      throw mismatch(key, `it has ${this.bytes} bytes instead of ${options.bytes}`, { bytes: this.bytes })
    const hex = this.#sha256.hex()
    const found = this.#other?.hex() ?? hex
    const expected = options.checksum?.hex ?? found
    if (found !== expected) throw mismatch(key, 'its checksum is not the published one', { expected, found })
    await this.flush()
    const entry = { blob, bytes: this.bytes, sha256: hex }
    await guarded(() => store.main.downloads.update(key, { sha256: entry.sha256, touchedAt: Date.now() }))
    return entry
  }

  #hash(piece: Uint8Array): void {
    this.#sha256.update(piece)
    this.#other?.update(piece)
    this.bytes += piece.length
  }
}

function mismatch(key: string, what: string, details: Record<string, unknown>): GraftError {
  const file = key.split('/').at(-1)!
  return new GraftError(
    'E_HASH',
    `${file} arrived damaged: ${what}. Nothing of it was kept; load it again.`,
    { name: file, ...details },
  )
}
