// Cells changed by hand, with undo and redo. The raw rows stay as they are: what is kept with the dataset is a list of edits,
// and taking one back leaves nothing of it.
import type { GraftApi } from '../protocol/api.ts'
import type { Dataset } from '../protocol/data.ts'
import type { Notices } from './notices.svelte.ts'

interface Change {
  row: number
  column: string
  /** What the edit was before and after; null: the cell as it was imported. */
  before: string | null
  after: string | null
}

export class Edits {
  #done = $state.raw<readonly Change[]>([])
  #undone = $state.raw<readonly Change[]>([])
  busy = $state(false)
  readonly #api: GraftApi
  readonly #notices: Notices
  readonly #dataset: () => Dataset

  constructor(api: GraftApi, notices: Notices, dataset: () => Dataset) {
    this.#api = api
    this.#notices = notices
    this.#dataset = dataset
  }

  get canUndo(): boolean {
    return this.#done.length > 0
  }

  get canRedo(): boolean {
    return this.#undone.length > 0
  }

  /** The edited value of a cell, or null where it is as imported. */
  of(row: number, column: string): string | null {
    return this.#dataset().edits?.find((edit) => edit.row === row && edit.column === column)?.value ?? null
  }

  /** Changes a cell; null gives it back as it was imported. */
  async change(row: number, column: string, after: string | null): Promise<void> {
    const change = { row, column, before: this.of(row, column), after }
    if (change.before === after || !(await this.#save(row, column, after))) return
    this.#done = [...this.#done, change]
    this.#undone = []
  }

  /** Takes the last change back; its row, to show it. */
  async undo(): Promise<number | null> {
    const last = this.#done.at(-1)
    if (!last || !(await this.#save(last.row, last.column, last.before))) return null
    this.#done = this.#done.slice(0, -1)
    this.#undone = [...this.#undone, last]
    return last.row
  }

  async redo(): Promise<number | null> {
    const next = this.#undone.at(-1)
    if (!next || !(await this.#save(next.row, next.column, next.after))) return null
    this.#undone = this.#undone.slice(0, -1)
    this.#done = [...this.#done, next]
    return next.row
  }

  async #save(row: number, column: string, value: string | null): Promise<boolean> {
    if (this.busy) return false
    this.busy = true
    try {
      await this.#api.datasets.edit(this.#dataset().id, [{ row, column, value }])
      return true
    } catch (thrown) {
      this.#notices.fail('The change was not kept', thrown)
      return false
    } finally {
      this.busy = false
    }
  }
}
