// The raw rows of a dataset, below any recipe.
import { SPLIT_NAMES, type Dataset } from '../../src/protocol/data.ts'
import type { Table } from '../../src/data/table.ts'
import type { Store } from '../../src/store/database.ts'
import { eachBatch, type RowsOf, type SplitParts } from '../../src/store/datasets.ts'

/** The dataset as it is without its recipe; its split is that of the version, whose rows it counts. */
export function rawOf(dataset: Dataset): Dataset {
  const { version, edits: _edits, ...rest } = dataset
  return version ? { ...rest, rows: version.raw.rows, columns: version.raw.columns } : rest
}

/** Part of each raw row, NO_PART for one that was left out when the split was made. */
export function rawParts({ parts, raw }: SplitParts): Uint8Array {
  return raw ?? parts
}

/** Rows of the store as a table. */
export function tableIn(store: Store, of: RowsOf, columns: readonly string[], rows: number): Table {
  return { columns, rows, batches: () => eachBatch(store, of) }
}

export function rawTable(store: Store, raw: Dataset): Table {
  return tableIn(
    store,
    { id: raw.id },
    raw.columns.map(({ name }) => name),
    raw.rows,
  )
}

export const TRAIN = SPLIT_NAMES.indexOf('train')
