// Rows that a model writes for one dataset: asked for, shown, and added as far as a person takes them.
import type { GraftApi } from '../protocol/api.ts'
import { asGraftError, type GraftError } from '../protocol/errors.ts'
import type { AddRowsStep } from '../protocol/recipe.ts'
import { REFUSALS, type Refusal, type WriteRowsRequest, type WrittenRows } from '../protocol/written.ts'
import type { Work } from './work.svelte.ts'

export const refusalWords = (reason: Refusal): string => REFUSALS[reason]

export class RowWriter {
  result = $state.raw<WrittenRows | null>(null)
  error = $state.raw<GraftError | null>(null)
  /** Which of the rows are to be added. */
  taken = $state.raw<boolean[]>([])
  readonly #api: GraftApi
  readonly #work: Work
  readonly #dataset: string

  constructor(api: GraftApi, work: Work, dataset: string) {
    this.#api = api
    this.#work = work
    this.#dataset = dataset
  }

  get job() {
    return this.#work.of('write')
  }

  /** The step with the rows that are taken; null without any. */
  get step(): AddRowsStep | null {
    const { result, taken } = this
    const rows = result?.rows.filter((_, i) => taken[i]) ?? []
    return result?.step && rows.length > 0 ? { ...result.step, rows } : null
  }

  take(index: number, taken: boolean): void {
    this.taken = this.taken.with(index, taken)
  }

  async write(request: WriteRowsRequest): Promise<void> {
    this.error = null
    this.result = null
    const result = await this.#work.run(
      'write',
      'Writing rows',
      (options) => this.#api.datasets.generate(this.#dataset, { ...request, apply: false }, options),
      undefined,
      (error) => {
        if (error.code !== 'E_ABORTED') this.error = asGraftError(error)
      },
    )
    this.result = result ?? null
    this.taken = result?.rows.map(() => true) ?? []
  }
}
