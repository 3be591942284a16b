// A table as every tool for data sees it: rows in their order, batch after batch, so that a million of them need not be in
// memory at once. The store, a recipe on top of another table, and plain arrays in tests all are tables.

/** Consecutive rows; cells are text, in the order of the columns. */
export interface RowBatch {
  /** Index of the first row. */
  start: number
  rows: string[][]
}

export interface Table {
  /** Names of the columns; no two are equal. */
  readonly columns: readonly string[]
  readonly rows: number
  /** All rows; may be called more than once, and gives the same rows each time. */
  batches(): AsyncIterable<RowBatch>
}
