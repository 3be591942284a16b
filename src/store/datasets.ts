// Datasets: one record, one byte a row for the split, and the rows in batches. Rows are written first and the record
// last, so an import that did not finish is invisible and is swept.
import { packedText, textRows, unpackedRows, type ByteRows } from '../protocol/byteRows.ts'
import type { Dataset, DatasetVersion } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import type { FiledRows, PackedRows, PartsRecord, RowBatch, Store } from './database.ts'
import { guarded } from './quota.ts'
import { readFiledRows, removeRowFiles } from './rowFiles.ts'
import { BATCH_ROWS } from './rowLimits.ts'

export { BATCH_CHARACTERS, BATCH_ROWS } from './rowLimits.ts'

/**
 * Whose rows: by id, those that the recipe gave (the raw ones without a recipe); of a record, those that it had when it was
 * read, whatever happens to the dataset meanwhile. `{ id }` alone stands for the raw rows.
 */
export type RowsOf = string | Pick<Dataset, 'id' | 'version'>

/** Part of each row (an index into SPLIT_NAMES), and whether the user chose it. */
export type SplitParts = Omit<PartsRecord, 'id'>

/** Consecutive rows of one thousand, from row `start` on. */
export type NewRows = (PackedRows | ByteRows) & { start: number }

/**
 * Writes batches of rows in one transaction, which costs far less than one for each; `bytes` that they need are named if room
 * runs out. Hold `whileWriting` until `insertDataset`.
 */
export async function writeRows(
  store: Store,
  dataset: string,
  batches: readonly NewRows[],
  bytes?: number,
): Promise<void> {
  const records = batches.map(({ start, ...rows }) => ({
    dataset,
    batch: start / BATCH_ROWS,
    ...('ends' in rows ? { width: rows.width, ...packedText(rows) } : rows),
  }))
  await guarded(() => store.main.rows.bulkPut(records), bytes)
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
export async function readRows(store: Store, of: RowsOf, offset: number, limit: number): Promise<string[][]> {
  if (limit <= 0) return []
  const place = await rowsPlace(store, of)
  const first = Math.floor(offset / BATCH_ROWS)
  const batches = await readThousands(store, place, first, Math.floor((offset + limit - 1) / BATCH_ROWS))
  const start = offset - first * BATCH_ROWS
  return (await unpackBatches(store, batches)).flat().slice(start, start + limit)
}

/** Rows by index, in the order asked; only the batches they are in are read. */
export async function readRowsAt(store: Store, of: RowsOf, indices: ArrayLike<number>): Promise<string[][]> {
  const place = await rowsPlace(store, of)
  const wanted = Array.from(indices)
  const numbers = [...new Set(wanted.map((index) => Math.floor(index / BATCH_ROWS)))]
  const read = async (number: number): Promise<[number, string[][]]> => {
    const batches = await readThousands(store, place, number, number)
    return [number, (await unpackBatches(store, batches)).flat()]
  }
  const byNumber = new Map(await Promise.all(numbers.map(read)))
  return wanted.map((index) => {
    const row = byNumber.get(Math.floor(index / BATCH_ROWS))?.[index % BATCH_ROWS]
    if (!row) throw new GraftError('E_NOT_FOUND', `The dataset has no row ${index + 1}.`, { index })
    return row
  })
}

/** All rows in batches, in the file's order, without holding more than a thousand rows. */
export async function* eachBatch(
  store: Store,
  of: RowsOf,
): AsyncGenerator<{ start: number; rows: string[][] }> {
  const place = await rowsPlace(store, of)
  for (let thousand = 0; ; thousand++) {
    const batches = await readThousands(store, place, thousand, thousand)
    if (batches.length === 0) return
    const rows = await unpackBatches(store, batches)
    for (const [i, { batch }] of batches.entries())
      yield { start: Math.round(batch * BATCH_ROWS), rows: rows[i]! }
  }
}

/** Where the rows are in the table of rows: under one key, but for thousands that were replaced. */
interface RowsPlace {
  rows: string
  patches: ReadonlyMap<number, string>
}

async function rowsPlace(store: Store, of: RowsOf): Promise<RowsPlace> {
  const { id, version } =
    typeof of === 'string'
      ? ((await guarded(() => store.main.datasets.get(of))) ?? { id: of, version: undefined })
      : of
  return { rows: version?.rows ?? id, patches: new Map(version?.patches) }
}

/** The batches of the thousands `first` to `last`, in order. */
async function readThousands(
  store: Store,
  { rows, patches }: RowsPlace,
  first: number,
  last: number,
): Promise<RowBatch[]> {
  const read = (key: string, from: number, to: number): Promise<RowBatch[]> =>
    guarded(() =>
      store.main.rows
        .where('[dataset+batch]')
        .between([key, from], [key, to + 1], true, false)
        .toArray(),
    )
  const thousands = Array.from({ length: last - first + 1 }, (_, i) => first + i)
  if (!thousands.some((thousand) => patches.has(thousand))) return read(rows, first, last)
  const found = thousands.map((thousand) => read(patches.get(thousand) ?? rows, thousand, thousand))
  return (await Promise.all(found)).flat()
}

/** Rows of `width` cells as they are stored. */
export function packRows(rows: readonly (readonly string[])[], width: number): PackedRows {
  const lengths = new Uint32Array(rows.length * width)
  const cells: string[] = []
  for (const row of rows)
    for (let i = 0; i < width; i++) {
      const cell = row[i] ?? ''
      lengths[cells.length] = cell.length
      cells.push(cell)
    }
  return { width, text: cells.join(''), lengths }
}

/** The rows of each batch, wherever they are. */
async function unpackBatches(store: Store, batches: readonly RowBatch[]): Promise<string[][][]> {
  const filed = await readFiledRows(
    store,
    batches.filter((batch): batch is RowBatch & FiledRows => 'file' in batch),
  )
  let next = 0
  return batches.map((batch) => {
    if ('rows' in batch) return batch.rows
    return 'file' in batch ? textRows(filed[next++]!) : unpackedRows(batch.text, batch.lengths, batch.width)
  })
}

/** Gives all rows of a dataset cells for columns that joined; narrower rows are read as well, so it may stop half-way. */
export async function widenRows(store: Store, id: string, width: number): Promise<void> {
  for await (const { start, rows } of eachBatch(store, { id }))
    if (rows.some((row) => row.length < width))
      await writeRows(store, id, [{ start, ...packRows(rows, width) }])
}

/** Removes the rows from `row` on, which were added after the dataset was made. */
export async function removeRowsFrom(store: Store, id: string, row: number): Promise<void> {
  await removeFilesOf(store, id, row)
  await guarded(() =>
    store.main.rows
      .where('[dataset+batch]')
      .between([id, row / BATCH_ROWS], [id, Infinity])
      .delete(),
  )
}

async function removeFilesOf(store: Store, id: string, from = 0): Promise<void> {
  const files = await guarded(() =>
    store.main.rowFiles
      .where('dataset')
      .equals(id)
      .filter(({ first }) => first >= from)
      .primaryKeys(),
  )
  await removeRowFiles(store, files)
}

/** Every key under which a version has rows; the raw rows' own may be among them. */
export function keysOf({ rows, patches = [] }: DatasetVersion): string[] {
  return [rows, ...patches.map(([, key]) => key)]
}

/** Removes a dataset, its rows and its split; one that is not there is no error. */
export async function removeDataset(store: Store, id: string): Promise<void> {
  const { datasets, parts, rows, recipes } = store.main
  await guarded(() =>
    store.main.transaction('rw', datasets, parts, rows, recipes, async () => {
      const version = (await datasets.get(id))?.version
      await datasets.delete(id)
      await parts.delete(id)
      await recipes.delete(id)
      for (const key of new Set([id, ...(version ? keysOf(version) : [])]))
        await rows.where('[dataset+batch]').between([key, 0], [key, Infinity]).delete()
    }),
  )
  await removeFilesOf(store, id)
}

function notFound(id: string): GraftError {
  return new GraftError('E_NOT_FOUND', `There is no dataset "${id}". It may have been removed.`, { id })
}
