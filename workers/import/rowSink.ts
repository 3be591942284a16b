// Rows on their way to the store: profiled by column and written in batches that end with each thousand. A few writes are
// under way while the next rows are read. Columns may join while rows come.
import { ColumnCounter } from '../../src/data/columns.ts'
import { ROWS_LIMIT } from '../../src/formats/csv.ts'
import type { Store } from '../../src/store/database.ts'
import { BATCH_CHARACTERS, BATCH_ROWS, readRows, writeRows, type NewRows } from '../../src/store/datasets.ts'

/** Batches, or characters, that are written together, and such writes under way at once. */
const WRITE_BATCHES = 8
const WRITE_CHARACTERS = 8_000_000
const WRITES = 2
/** Columns for which the values of categories are kept row by row, two bytes each. */
const KEPT_COLUMNS = 64

export class RowSink {
  /** Rows taken. */
  rows = 0
  /** A row was turned away. */
  overflowed = false
  readonly counters: ColumnCounter[] = []
  #batch: string[][] = []
  #characters = 0
  #waiting: NewRows[] = []
  #waitingCharacters = 0
  /** Where each batch begins, and the columns known when it was written. */
  readonly #written: { start: number; width: number }[] = []
  readonly #writing = new Set<Promise<void>>()
  #failure: { error: unknown } | null = null

  /** @param first number of the first row; rows before it are in the store already */
  constructor(
    private readonly store: Store,
    private readonly id: string,
    private readonly first = 0,
  ) {}

  async take(rows: string[][], columns: readonly string[]): Promise<void> {
    while (this.counters.length < columns.length) {
      const place = this.counters.length
      this.counters.push(new ColumnCounter(columns[place]!, this.rows, place < KEPT_COLUMNS))
    }
    const width = columns.length
    const room = ROWS_LIMIT - this.first - this.rows
    this.overflowed = rows.length > room
    if (this.overflowed) rows = rows.slice(0, room)
    for (const row of rows) while (row.length < width) row.push('')
    for (const [place, counter] of this.counters.entries()) counter.addColumn(rows, place)
    for (const row of rows) {
      for (const cell of row) this.#characters += cell.length
      this.#batch.push(row)
      this.rows++
      if ((this.first + this.rows) % BATCH_ROWS === 0 || this.#characters > BATCH_CHARACTERS)
        await this.#flush(width)
    }
  }

  /** Writes what is left, and gives rows that were written before a column was known their empty cells. */
  async finish({ length }: readonly string[]): Promise<void> {
    if (this.#batch.length > 0) await this.#flush(length)
    await this.#write()
    await this.settle()
    if (this.#failure) throw this.#failure.error
    const end = this.first + this.rows
    for (const [i, { start, width }] of this.#written.entries()) {
      if (width === length) continue
      const next = this.#written[i + 1]?.start ?? end
      const rows = await readRows(this.store, { id: this.id }, start, next - start)
      await writeRows(this.store, this.id, [{ start, rows, width: length }])
    }
  }

  /** Resolves when nothing is being written; never throws. */
  async settle(): Promise<void> {
    await Promise.all(this.#writing)
  }

  async #flush(width: number): Promise<void> {
    const rows = this.#batch
    const start = this.first + this.rows - rows.length
    this.#written.push({ start, width })
    this.#waiting.push({ start, rows, width })
    this.#waitingCharacters += this.#characters
    this.#batch = []
    this.#characters = 0
    if (this.#waiting.length >= WRITE_BATCHES || this.#waitingCharacters > WRITE_CHARACTERS)
      await this.#write()
  }

  async #write(): Promise<void> {
    const batches = this.#waiting
    this.#waiting = []
    const bytes = 2 * this.#waitingCharacters
    this.#waitingCharacters = 0
    if (batches.length === 0) return
    const writing = writeRows(this.store, this.id, batches, bytes).catch((error: unknown) => {
      this.#failure ??= { error }
    })
    this.#writing.add(writing)
    void writing.then(() => this.#writing.delete(writing))
    while (this.#writing.size >= WRITES) await Promise.race(this.#writing)
    if (this.#failure) throw this.#failure.error
  }
}
