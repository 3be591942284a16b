// A view of a dataset for a table that scrolls over all of it: what is asked of the rows, and the pages of the answer. Pages
// are fetched when they come into sight, given up when they go out of it before they came, and the least recently used ones
// are forgotten.
import type { GraftApi } from '../protocol/api.ts'
import { asGraftError, type GraftError } from '../protocol/errors.ts'
import type { Progress } from '../protocol/progress.ts'
import type { FoundRow, ViewQuery } from '../protocol/table.ts'

/** Rows fetched at once. */
export const PAGE_ROWS = 100
/** Pages kept: 6,000 rows, a few megabytes of ordinary text. */
const MAX_PAGES = 60

export class RowPages {
  /** Grows by one whenever a page arrives; whoever draws rows reads it. */
  version = $state(0)
  failed = $state.raw<GraftError | null>(null)
  /** Rows of the view; null until the first page is there. */
  total = $state<number | null>(null)
  /** How far the search, filter or sort is, while nothing is there to draw. */
  progress = $state.raw<Progress | null>(null)
  readonly #api: GraftApi
  readonly #dataset: string
  readonly #query: ViewQuery
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- `version` says when it changed, once a page
  readonly #pages = new Map<number, FoundRow[] | AbortController>()

  constructor(api: GraftApi, dataset: string, query: ViewQuery = {}) {
    this.#api = api
    this.#dataset = dataset
    this.#query = query
  }

  /** The row at a position, or undefined while its page is on the way. */
  at(position: number): FoundRow | undefined {
    const number = Math.floor(position / PAGE_ROWS)
    const page = this.#pages.get(number)
    return Array.isArray(page) ? page[position - number * PAGE_ROWS] : undefined
  }

  /** Asks for the pages of the positions from `first` to `last` (exclusive); those on the way elsewhere are given up. */
  want(first: number, last: number): void {
    const [from, to] = [Math.floor(first / PAGE_ROWS), Math.max(0, Math.ceil(last / PAGE_ROWS) - 1)]
    for (const [number, page] of this.#pages)
      if (!Array.isArray(page) && (number < from - 1 || number > to + 1)) {
        page.abort()
        this.#pages.delete(number)
      }
    for (let number = from; number <= to; number++) {
      const page = this.#pages.get(number)
      if (page) {
        // Reinserting makes it the most recently used.
        this.#pages.delete(number)
        this.#pages.set(number, page)
      } else void this.#fetch(number)
    }
  }

  /** Nothing more is wanted. */
  close(): void {
    for (const page of this.#pages.values()) if (!Array.isArray(page)) page.abort()
    this.#pages.clear()
  }

  async #fetch(number: number): Promise<void> {
    const controller = new AbortController()
    this.#pages.set(number, controller)
    try {
      const { total, rows } = await this.#api.datasets.search(
        this.#dataset,
        { ...this.#query, offset: number * PAGE_ROWS, limit: PAGE_ROWS },
        {
          signal: controller.signal,
          onProgress: (progress) => (this.progress = progress),
        },
      )
      if (controller.signal.aborted) return
      this.#pages.set(number, rows)
      this.total = total
      this.failed = null
    } catch (thrown) {
      if (controller.signal.aborted) return
      this.#pages.delete(number)
      this.failed = asGraftError(thrown)
    }
    this.progress = null
    for (const old of this.#pages.keys()) {
      if (this.#pages.size <= MAX_PAGES) break
      this.#pages.delete(old)
    }
    this.version++
  }
}
