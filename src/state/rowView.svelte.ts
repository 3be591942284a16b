// What a person has asked of the rows of a dataset: its part, filters, search, sample and sort. The table, the page of a row
// and its neighbours all follow it.
import type { GraftApi } from '../protocol/api.ts'
import { rowsStamp, type Dataset, type SplitName } from '../protocol/data.ts'
import type { RowFilter, Sample, Sort, ViewQuery } from '../protocol/table.ts'
import { RowPages } from './rows.svelte.ts'

export class RowView {
  part = $state<SplitName | 'all'>('all')
  /** The search as it is typed, and as it was last asked. */
  typed = $state('')
  asked = $state('')
  filters = $state.raw<readonly RowFilter[]>([])
  sort = $state.raw<Sort | null>(null)
  sample = $state.raw<Sample | null>(null)
  /** Where the person is: a position in the view, and a column of the table. */
  active = $state.raw({ row: 0, column: 0 })
  readonly #api: GraftApi
  readonly #dataset: () => Dataset

  constructor(api: GraftApi, dataset: () => Dataset) {
    this.#api = api
    this.#dataset = dataset
  }

  readonly query: ViewQuery = $derived.by(() => ({
    ...(this.part !== 'all' && this.#dataset().split ? { split: this.part } : {}),
    ...(this.filters.length ? { filter: [...this.filters] } : {}),
    ...(this.asked.trim() ? { query: this.asked } : {}),
    ...(this.sample ? { sample: this.sample } : {}),
    ...(this.sort ? { sort: this.sort } : {}),
  }))

  /** Whether anything but the file's order of all rows is asked for. */
  readonly narrowed: boolean = $derived(Object.keys(this.query).length > 0)

  /** Everything that changes the answer: the rows of a part change with the split, rows with the recipe. */
  readonly key: string = $derived.by(() => {
    const dataset = this.#dataset()
    return JSON.stringify([this.query, dataset.rows, rowsStamp(dataset), dataset.split])
  })

  readonly pages: RowPages = $derived.by(() => {
    void this.key
    return new RowPages(this.#api, this.#dataset().id, this.query)
  })

  /** Ascending, descending, as in the file. */
  sortBy(column: string): void {
    if (this.sort?.column !== column) this.sort = { column }
    else this.sort = this.sort.descending ? null : { column, descending: true }
    this.active = { row: this.active.row < 0 ? -1 : 0, column: this.active.column }
  }

  reset(): void {
    this.part = 'all'
    this.typed = this.asked = ''
    this.filters = []
    this.sort = this.sample = null
    this.active = { row: 0, column: 0 }
  }
}
