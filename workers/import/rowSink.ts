// Rows on their way to the store: profiled by column and written in batches that end with each thousand. A few writes are
// under way while the next rows are read. Columns may join while rows come.
import { ColumnCounter } from '../../src/data/columns.ts'
import { ROWS_LIMIT } from '../../src/formats/csv.ts'
import { rowCount, type ByteRows, type Rows } from '../../src/protocol/byteRows.ts'
import type { Store } from '../../src/store/database.ts'
import {
  BATCH_CHARACTERS,
  BATCH_ROWS,
  packRows,
  readRows,
  writeRows,
  type NewRows,
} from '../../src/store/datasets.ts'
import { CHUNK_BYTES, ChunkBuilder, chunkRows, type RowChunk } from '../../src/store/rowChunk.ts'

/** Where the rows of an import are stored. */
export interface RowTarget {
  /** Stores texts, or bytes, whose buffer comes to `spare` later; `bytes` that they need are named if room runs out. */
  write(rows: readonly NewRows[] | RowChunk, bytes?: number): Promise<void>
  /** A buffer that is free to be filled. */
  spare(): ArrayBuffer | undefined
  /** What was given to `write` before can be read once this resolves. */
  finish(): Promise<void>
}

/** Batches, or characters, that are written together, and such writes under way at once. */
const WRITE_BATCHES = 8
const WRITE_CHARACTERS = 8_000_000
const WRITES = 4
/** Columns for which the values of categories are kept row by row, two bytes each. */
const KEPT_COLUMNS = 64

export class RowSink {
  /** Rows taken. */
  rows = 0
  /** A row was turned away. */
  overflowed = false
  readonly counters: ColumnCounter[] = []
  /** Rows that came as texts; those that came as bytes are in the chunk. One of them is empty. */
  #batch: string[][] = []
  readonly #chunk: ChunkBuilder
  #characters = 0
  #waiting: NewRows[] = []
  #waitingCharacters = 0
  /** Where each batch begins, and the columns known when it was written. */
  readonly #written: { start: number; width: number }[] = []
  readonly #writing = new Set<Promise<void>>()
  #failure: { error: unknown } | null = null

  /**
   * @param first number of the first row; rows before it are in the store already
   * @param target where they are stored
   */
  constructor(
    private readonly store: Store,
    private readonly id: string,
    private readonly first = 0,
    private readonly target: RowTarget = here(store, id),
  ) {
    this.#chunk = new ChunkBuilder(() => target.spare())
  }

  /** The rows are copied, or the sink's own from then on. */
  async take(rows: Rows, columns: readonly string[]): Promise<void> {
    while (this.counters.length < columns.length) {
      const place = this.counters.length
      this.counters.push(new ColumnCounter(columns[place]!, this.rows, place < KEPT_COLUMNS))
    }
    const count = rowCount(rows)
    const room = ROWS_LIMIT - this.first - this.rows
    this.overflowed = count > room
    const taken = Math.min(count, room)
    if ('ends' in rows) await this.#takeBytes(rows, taken)
    else await this.#takeText(rows.length === taken ? rows : rows.slice(0, taken), columns.length)
  }

  async #takeText(rows: string[][], width: number): Promise<void> {
    for (const row of rows) while (row.length < width) row.push('')
    for (const [place, counter] of this.counters.entries()) counter.addColumn(rows, place)
    for (const row of rows) {
      if (this.#chunk.rows > 0) await this.#flush(width)
      for (const cell of row) this.#characters += cell.length
      this.#batch.push(row)
      this.rows++
      if ((this.first + this.rows) % BATCH_ROWS === 0 || this.#characters > BATCH_CHARACTERS)
        await this.#flush(width)
    }
  }

  async #takeBytes(rows: ByteRows, count: number): Promise<void> {
    const { width, ends } = rows
    if (this.#batch.length > 0 || (this.#chunk.rows > 0 && this.#chunk.width !== width))
      await this.#flush(width)
    for (let from = 0; from < count;) {
      const limit = (from === 0 ? 0 : ends[from * width - 1]!) + BATCH_CHARACTERS
      const end = Math.min(count, from + BATCH_ROWS - ((this.first + this.rows) % BATCH_ROWS))
      // At least one row, however long.
      let to = from + 1
      while (to < end && ends[(to + 1) * width - 1]! <= limit) to++
      for (const [place, counter] of this.counters.entries()) counter.addBytes(rows, place, from, to)
      this.#chunk.add(rows, from, to)
      this.rows += to - from
      from = to
      if ((this.first + this.rows) % BATCH_ROWS === 0 || this.#chunk.bytes > BATCH_CHARACTERS)
        await this.#flush(width)
    }
  }

  /**
   * Writes what is left, and gives rows that were written before a column was known their empty cells. What `meanwhile` does,
   * and gives, takes no time of its own where another thread writes.
   */
  async finish<T = void>({ length }: readonly string[], meanwhile?: () => T): Promise<T> {
    if (this.#batch.length + this.#chunk.rows > 0) await this.#flush(length)
    await this.#writeTexts()
    await this.#writeChunk()
    const finishing = this.target.finish()
    // Where a write fails, that is told.
    finishing.catch(() => undefined)
    const value = meanwhile?.() as T
    await this.settle()
    if (this.#failure) throw this.#failure.error
    await finishing
    const end = this.first + this.rows
    for (const [i, { start, width }] of this.#written.entries()) {
      if (width === length) continue
      const next = this.#written[i + 1]?.start ?? end
      const rows = await readRows(this.store, { id: this.id }, start, next - start)
      await writeRows(this.store, this.id, [{ start, ...packRows(rows, length) }])
    }
    return value
  }

  /** Resolves when nothing is being written; never throws. */
  async settle(): Promise<void> {
    await Promise.all(this.#writing)
  }

  /** The rows since the last flush become a batch. */
  async #flush(columns: number): Promise<void> {
    const chunk = this.#chunk
    const bytes = chunk.rows > 0
    const width = bytes ? chunk.width : columns
    const start = this.first + this.rows - (bytes ? chunk.rows : this.#batch.length)
    this.#written.push({ start, width })
    if (bytes) {
      chunk.endBatch(start)
      if (chunk.batches >= WRITE_BATCHES || chunk.length >= CHUNK_BYTES) await this.#writeChunk()
      return
    }
    this.#waiting.push({ start, ...packRows(this.#batch, width) })
    this.#waitingCharacters += this.#characters
    this.#batch = []
    this.#characters = 0
    if (this.#waiting.length >= WRITE_BATCHES || this.#waitingCharacters > WRITE_CHARACTERS)
      await this.#writeTexts()
  }

  async #writeTexts(): Promise<void> {
    const batches = this.#waiting
    this.#waiting = []
    const bytes = 2 * this.#waitingCharacters
    this.#waitingCharacters = 0
    if (batches.length > 0) await this.#write(batches, bytes)
  }

  async #writeChunk(): Promise<void> {
    const chunk = this.#chunk.take()
    if (chunk) await this.#write(chunk, chunk.length)
  }

  async #write(rows: readonly NewRows[] | RowChunk, bytes: number): Promise<void> {
    const writing = this.target.write(rows, bytes).catch((error: unknown) => {
      this.#failure ??= { error }
    })
    this.#writing.add(writing)
    void writing.then(() => this.#writing.delete(writing))
    while (this.#writing.size >= WRITES) await Promise.race(this.#writing)
    if (this.#failure) throw this.#failure.error
  }
}

/** Rows are stored in the database, by this thread. */
export function here(store: Store, id: string): RowTarget {
  let free: ArrayBuffer | undefined
  return {
    write: async (rows, bytes) => {
      if (!('buffer' in rows)) return writeRows(store, id, rows, bytes)
      await writeRows(store, id, chunkRows(rows), bytes)
      free = rows.buffer
    },
    spare: () => {
      const buffer = free
      free = undefined
      return buffer
    },
    finish: () => Promise.resolve(),
  }
}
