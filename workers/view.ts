// Views of datasets in the data worker: one per dataset, kept while it is looked at and dropped when the dataset changes.
import { compileCondition } from '../src/data/expression.ts'
import { DatasetView } from '../src/data/view/datasetView.ts'
import type { RowTest, ViewColumn } from '../src/data/view/filters.ts'
import type { Dataset } from '../src/protocol/data.ts'
import { GraftError } from '../src/protocol/errors.ts'
import type { CallContext } from '../src/protocol/progress.ts'
import type { RowPlace, SearchQuery, SearchResult, ViewQuery } from '../src/protocol/table.ts'
import type { Store } from '../src/store/database.ts'
import { BATCH_ROWS, getDataset, readParts, readRows } from '../src/store/datasets.ts'

/** Datasets whose rows, orders and index stay in memory at once. */
const KEPT_DATASETS = 2
/** Rows of a page unless told otherwise. */
const PAGE_ROWS = 100

interface Entry {
  view: DatasetView
  rows: number
  columns: string
  edits: string
  /** Thousands of rows that edits had replaced when the view last looked. */
  patched: number[]
}

/** Views by dataset. */
export class Views {
  readonly #views = new Map<string, Entry>()

  /** The view of a dataset as it is now. Throws E_NOT_FOUND. */
  async of(store: Store, id: string): Promise<DatasetView> {
    const dataset = await getDataset(store, id)
    const columns = JSON.stringify([
      // Edits by hand replace some of the rows, and are told to the view.
      dataset.version?.rows ?? id,
      dataset.columns.map(({ name, type }) => [name, type]),
    ])
    let entry = this.#views.get(id)
    // Rows were appended, or columns read otherwise: everything made from them is out of date.
    const patched = dataset.version?.patches?.map(([thousand]) => thousand) ?? []
    if (
      entry?.rows !== dataset.rows ||
      entry.columns !== columns ||
      // Edits were taken back down to the raw rows: the view may hold rows with them.
      entry.patched.some((thousand) => !patched.includes(thousand))
    )
      entry = {
        view: new DatasetView(sourceOf(store, dataset)),
        rows: dataset.rows,
        columns,
        edits: '[]',
        patched,
      }
    entry.patched = patched
    if (entry.edits !== JSON.stringify(dataset.edits ?? [])) {
      entry.edits = JSON.stringify(dataset.edits ?? [])
      entry.view.edit(dataset.edits ?? [])
    }
    this.#views.delete(id)
    this.#views.set(id, entry)
    for (const old of this.#views.keys()) {
      if (this.#views.size <= KEPT_DATASETS) break
      this.#views.delete(old)
    }
    return entry.view
  }

  async search(store: Store, id: string, query: SearchQuery, context: CallContext): Promise<SearchResult> {
    const { offset = 0, limit = PAGE_ROWS, ...view } = query
    return (await this.of(store, id)).page(view, offset, limit, context)
  }

  /** Where a row stands in a view. */
  async place(
    store: Store,
    id: string,
    index: number,
    query: ViewQuery,
    context: CallContext,
  ): Promise<RowPlace> {
    const { rows: count } = await getDataset(store, id)
    if (!Number.isSafeInteger(index) || index < 0 || index >= count)
      throw new GraftError(
        'E_ARGUMENT',
        `place: the row must be from 0 to ${count - 1}, but is ${String(index)}.`,
        { index },
      )
    const rows = await (await this.of(store, id)).view(query, context)
    if (!rows) return { index, position: index }
    const position = rows.indexOf(index)
    return { index, position: position < 0 ? null : position }
  }

  splitChanged(id: string): void {
    this.#views.get(id)?.view.splitChanged()
  }

  forget(id: string): void {
    this.#views.delete(id)
  }
}

function sourceOf(
  store: Store,
  { id, rows, columns }: Dataset,
): ConstructorParameters<typeof DatasetView>[0] {
  return {
    rows,
    columns: columns.map(({ name, type }) => ({ name, type })),
    batchRows: BATCH_ROWS,
    readBatch: (batch) => readRows(store, id, batch * BATCH_ROWS, BATCH_ROWS),
    parts: async () => (await readParts(store, id)).parts,
    expression,
  }
}

/** A condition of the expression language as a test of rows. */
function expression(source: string, columns: readonly ViewColumn[]): RowTest {
  const holds = compileCondition(
    source,
    columns.map(({ name }) => name),
  )
  return (cell) => holds(columns.map((_, column) => cell(column)))
}
