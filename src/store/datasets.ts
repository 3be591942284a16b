// Datasets: one record, one byte a row for the split, and the rows in batches. Rows are written first and the record
// last, so an import that did not finish is invisible and is swept.
import type { Dataset } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import type { PartsRecord, Store } from './database.ts'
import { guarded } from './quota.ts'

/** Rows in one database value: a page of rows reads one or two, an import of 100,000 rows writes a hundred. */
export const BATCH_ROWS = 1000

/** Part of each row (an index into SPLIT_NAMES), and whether the user chose it. */
export type SplitParts = Omit<PartsRecord, 'id'>

/** Writes one batch; every batch but the last must be full. Hold `whileWriting` until `insertDataset`. */
export async function writeRows(
  store: Store,
  dataset: string,
  batch: number,
  rows: string[][],
): Promise<void> {
  await guarded(() => store.main.rows.put({ dataset, batch, rows }), estimateBytes(rows))
}

/** Makes a dataset visible, with its split. */
export async function insertDataset(store: Store, dataset: Dataset, split: SplitParts): Promise<void> {
  const { datasets, parts: table } = store.main
  await guarded(() =>
    store.main.transaction('rw', datasets, table, async () => {
      await datasets.add(dataset)
      await table.add({ id: dataset.id, ...split })
    }),
  )
}

/** Replaces the record and, where given, the split. Throws E_NOT_FOUND if it was removed meanwhile. */
export async function updateDataset(store: Store, dataset: Dataset, split?: SplitParts): Promise<void> {
  const { datasets, parts: table } = store.main
  const found = await guarded(() =>
    store.main.transaction('rw', datasets, table, async () => {
      if ((await datasets.where('id').equals(dataset.id).count()) === 0) return false
      await datasets.put(dataset)
      if (split) await table.put({ id: dataset.id, ...split })
      return true
    }),
  )
  if (!found) throw notFound(dataset.id)
}

/** Throws E_NOT_FOUND. */
export async function getDataset(store: Store, id: string): Promise<Dataset> {
  const dataset = await guarded(() => store.main.datasets.get(id))
  if (!dataset) throw notFound(id)
  return dataset
}

/** Every dataset, oldest first. */
export function listDatasets(store: Store): Promise<Dataset[]> {
  return guarded(() => store.main.datasets.orderBy('createdAt').toArray())
}

/** The split row by row, and whether the user chose it. Throws E_NOT_FOUND. */
export async function readParts(store: Store, id: string): Promise<SplitParts> {
  const record = await guarded(() => store.main.parts.get(id))
  if (!record) throw notFound(id)
  return record
}

/** Rows `offset` to `offset + limit` in the file's order; cells in the order of the columns. */
export async function readRows(store: Store, id: string, offset: number, limit: number): Promise<string[][]> {
  if (limit <= 0) return []
  const first = Math.floor(offset / BATCH_ROWS)
  const last = Math.floor((offset + limit - 1) / BATCH_ROWS)
  const batches = await guarded(() =>
    store.main.rows.where('[dataset+batch]').between([id, first], [id, last], true, true).toArray(),
  )
  const start = offset - first * BATCH_ROWS
  return batches.flatMap((batch) => batch.rows).slice(start, start + limit)
}

/** Rows by index, in the order asked; only the batches they are in are read. */
export async function readRowsAt(store: Store, id: string, indices: ArrayLike<number>): Promise<string[][]> {
  const wanted = Array.from(indices)
  const numbers = [...new Set(wanted.map((index) => Math.floor(index / BATCH_ROWS)))]
  const batches = await guarded(() =>
    store.main.rows.bulkGet(numbers.map((batch): [string, number] => [id, batch])),
  )
  const byNumber = new Map(numbers.map((batch, i) => [batch, batches[i]?.rows]))
  return wanted.map((index) => {
    const row = byNumber.get(Math.floor(index / BATCH_ROWS))?.[index % BATCH_ROWS]
    if (!row) throw new GraftError('E_NOT_FOUND', `The dataset has no row ${index + 1}.`, { id, index })
    return row
  })
}

/** All rows in batches, in the file's order, without holding more than one batch. */
export async function* eachBatch(
  store: Store,
  id: string,
): AsyncGenerator<{ start: number; rows: string[][] }> {
  for (let batch = 0; ; batch++) {
    const found = await guarded(() => store.main.rows.get([id, batch]))
    if (!found) return
    yield { start: batch * BATCH_ROWS, rows: found.rows }
  }
}

/** Removes a dataset, its rows and its split; one that is not there is no error. */
export async function removeDataset(store: Store, id: string): Promise<void> {
  const { datasets, parts, rows } = store.main
  await guarded(() =>
    store.main.transaction('rw', datasets, parts, rows, async () => {
      await datasets.delete(id)
      await parts.delete(id)
      await rows.where('[dataset+batch]').between([id, 0], [id, Infinity]).delete()
    }),
  )
}

/** About the bytes a batch needs: two a character, and a little for each cell. */
function estimateBytes(rows: string[][]): number {
  return rows.reduce((sum, row) => row.reduce((inner, cell) => inner + 2 * cell.length + 8, sum), 0)
}

function notFound(id: string): GraftError {
  return new GraftError('E_NOT_FOUND', `There is no dataset "${id}". It may have been removed.`, { id })
}
