// Rows of a dataset for a table that scrolls over all of them: pages are fetched when they come into sight and
// the least recently used ones are forgotten.
import type { GraftApi } from '../protocol/api.ts'
import type { Row, SplitName } from '../protocol/data.ts'

/** Rows fetched at once. */
export const PAGE_ROWS = 100
/** Pages kept: 6,000 rows, a few megabytes of ordinary text. */
const MAX_PAGES = 60

export class RowPages {
  /** Grows by one whenever a page arrives; whoever draws rows reads it. */
  version = $state(0)
  failed = $state<string | null>(null)
  readonly #api: GraftApi
  readonly #dataset: string
  readonly #split: SplitName | undefined
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- `version` says when it changed, once a page
  readonly #pages = new Map<number, Row[] | 'loading'>()

  constructor(api: GraftApi, dataset: string, split?: SplitName) {
    this.#api = api
    this.#dataset = dataset
    this.#split = split
  }

  /** The row at a position, or undefined while its page is on the way. */
  at(position: number): Row | undefined {
    const number = Math.floor(position / PAGE_ROWS)
    const page = this.#pages.get(number)
    if (!page || page === 'loading') return undefined
    return page[position - number * PAGE_ROWS]
  }

  /** Asks for the pages of the positions from `first` to `last` (exclusive). */
  want(first: number, last: number): void {
    for (let number = Math.floor(first / PAGE_ROWS); number * PAGE_ROWS < last; number++) {
      const page = this.#pages.get(number)
      if (page) {
        // Reinserting makes it the most recently used.
        this.#pages.delete(number)
        this.#pages.set(number, page)
      } else void this.#fetch(number)
    }
  }

  async #fetch(number: number): Promise<void> {
    this.#pages.set(number, 'loading')
    try {
      const query = {
        offset: number * PAGE_ROWS,
        limit: PAGE_ROWS,
        ...(this.#split ? { split: this.#split } : {}),
      }
      this.#pages.set(number, await this.#api.datasets.rows(this.#dataset, query))
      this.failed = null
    } catch (thrown) {
      this.#pages.delete(number)
      this.failed = thrown instanceof Error ? thrown.message : String(thrown)
    }
    for (const old of this.#pages.keys()) {
      if (this.#pages.size <= MAX_PAGES) break
      this.#pages.delete(old)
    }
    this.version++
  }
}
