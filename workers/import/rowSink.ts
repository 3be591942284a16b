// Rows on their way to the store: profiled by column and written in batches that end with each thousand. A few writes are
// under way while the next rows are read. Columns may join while rows come.
import { ColumnCounter } from '../../src/data/columns.ts'
import { ROWS_LIMIT } from '../../src/formats/csv.ts'
import type { Store } from '../../src/store/database.ts'
import { BATCH_CHARACTERS, BATCH_ROWS, readRows, writeRows } from '../../src/store/datasets.ts'

/** Writes under way at once. */
const WRITES = 4
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
    const { counters } = this
    const width = columns.length
    for (const row of rows) {
      this.overflowed = this.first + this.rows === ROWS_LIMIT
      if (this.overflowed) return
      while (row.length < width) row.push('')
      for (let i = 0; i < width; i++) {
        counters[i]!.add(row[i]!)
        this.#characters += row[i]!.length
      }
      this.#batch.push(row)
      this.rows++
      if ((this.first + this.rows) % BATCH_ROWS === 0 || this.#characters > BATCH_CHARACTERS)
        await this.#flush(width)
    }
  }

  /** Writes what is left, and gives rows that were written before a column was known their empty cells. */
  async finish({ length }: readonly string[]): Promise<void> {
    if (this.#batch.length > 0) await this.#flush(length)
    await this.settle()
    if (this.#failure) throw this.#failure.error
    const end = this.first + this.rows
    for (const [i, { start, width }] of this.#written.entries()) {
      if (width === length) continue
      const next = this.#written[i + 1]?.start ?? end
      await writeRows(
        this.store,
        this.id,
        start,
        await readRows(this.store, { id: this.id }, start, next - start),
        length,
      )
    }
  }

  /** Resolves when nothing is being written; never throws. */
  async settle(): Promise<void> {
    await Promise.all(this.#writing)
  }

  async #flush(width: number): Promise<void> {
    const rows = this.#batch
    const start = this.first + this.rows - rows.length
    this.#batch = []
    this.#characters = 0
    this.#written.push({ start, width })
    const writing = writeRows(this.store, this.id, start, rows, width).catch((error: unknown) => {
      this.#failure ??= { error }
    })
    this.#writing.add(writing)
    void writing.then(() => this.#writing.delete(writing))
    while (this.#writing.size >= WRITES) await Promise.race(this.#writing)
    if (this.#failure) throw this.#failure.error
  }
}
