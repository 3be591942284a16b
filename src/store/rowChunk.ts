// Rows on their way from a parser to the store: many batches in one buffer, which passes to the thread that stores them and comes
// back to be filled anew. Of each batch its cells one after the other, then, from the next multiple of four on, where each ends
// (little-endian, as typed arrays are wherever browsers run); a file of rows holds the same.
import type { ByteRows } from '../protocol/byteRows.ts'
import type { NewRows } from './datasets.ts'

/** Bytes that pass together: what costs once a passage is little beside them, and few of them are under way. */
export const CHUNK_BYTES = 4 << 20

/** Where a batch is. */
export interface BatchPlace {
  /** Number of its first row. */
  start: number
  width: number
  /** Where its bytes begin, and how many there are. */
  at: number
  bytes: number
  cells: number
}

export interface RowChunk {
  buffer: ArrayBuffer
  /** Bytes of the buffer that count. */
  length: number
  batches: BatchPlace[]
}

/** Fills a chunk batch by batch. */
export class ChunkBuilder {
  /** Cells of a row of the batch that is being filled; 0 where none is. */
  width = 0
  /** Bytes of the batch's cells. */
  bytes = 0
  #buffer = new Uint8Array(0)
  #at = 0
  #ends = new Uint32Array(4096)
  #cells = 0
  #batches: BatchPlace[] = []

  /** @param spare a buffer of an earlier chunk, where there is one */
  constructor(private readonly spare: () => ArrayBuffer | undefined) {}

  /** Bytes of complete batches. */
  get length(): number {
    return this.#at
  }

  /** Complete batches. */
  get batches(): number {
    return this.#batches.length
  }

  /** Rows of the batch that is being filled. */
  get rows(): number {
    return this.width === 0 ? 0 : this.#cells / this.width
  }

  /** Copies rows `from` to `to`; they are as wide as those of the batch. */
  add({ width, bytes, ends }: ByteRows, from: number, to: number): void {
    this.width = width
    const cells = (to - from) * width
    const start = from === 0 ? 0 : ends[from * width - 1]!
    const length = ends[to * width - 1]! - start
    this.#reserve(this.#at + this.bytes + length + 4 * (this.#cells + cells + 1))
    this.#buffer.set(bytes.subarray(start, start + length), this.#at + this.bytes)
    if (this.#cells + cells > this.#ends.length) {
      const more = new Uint32Array(2 * (this.#cells + cells))
      more.set(this.#ends)
      this.#ends = more
    }
    const shift = this.bytes - start
    for (let i = from * width, at = this.#cells; i < to * width; i++) this.#ends[at++] = ends[i]! + shift
    this.#cells += cells
    this.bytes += length
  }

  /** The batch is complete; its first row has the number `start`. */
  endBatch(start: number): void {
    const { width, bytes } = this
    this.#batches.push({ start, width, at: this.#at, bytes, cells: this.#cells })
    const endsAt = this.#at + aligned(bytes)
    this.#buffer.fill(0, this.#at + bytes, endsAt)
    new Uint32Array(this.#buffer.buffer, endsAt, this.#cells).set(this.#ends.subarray(0, this.#cells))
    this.#at = endsAt + 4 * this.#cells
    this.width = this.bytes = this.#cells = 0
  }

  /** The complete batches, where there are any; the next ones begin a new chunk. No batch is being filled. */
  take(): RowChunk | null {
    if (this.#batches.length === 0) return null
    const chunk = { buffer: this.#buffer.buffer, length: this.#at, batches: this.#batches }
    this.#buffer = new Uint8Array(0)
    this.#at = 0
    this.#batches = []
    return chunk
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return
    const before = this.#buffer.subarray(0, this.#at + this.bytes)
    const spare = before.length === 0 ? this.spare() : undefined
    const wanted = Math.max(aligned(Math.ceil(1.25 * bytes)), CHUNK_BYTES + (CHUNK_BYTES >> 2))
    this.#buffer = new Uint8Array(spare && spare.byteLength >= bytes ? spare : new ArrayBuffer(wanted))
    this.#buffer.set(before)
  }
}

/** Bytes that a batch takes. */
export function sizeOfBatch({ bytes, cells }: Pick<BatchPlace, 'bytes' | 'cells'>): number {
  return aligned(bytes) + 4 * cells
}

/** A batch out of its bytes; it shares them. */
export function batchRows(
  buffer: ArrayBuffer,
  { at, bytes, cells, width }: Omit<BatchPlace, 'start'>,
): ByteRows {
  const ends = new Uint32Array(buffer, at + aligned(bytes), cells)
  return { width, bytes: new Uint8Array(buffer, at, bytes), ends, ascii: false }
}

/** The batches of a chunk, sharing its bytes. */
export function chunkRows({ buffer, batches }: RowChunk): NewRows[] {
  return batches.map((place) => ({ start: place.start, ...batchRows(buffer, place) }))
}

function aligned(bytes: number): number {
  return (bytes + 3) & ~3
}
