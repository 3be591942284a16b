// Base models: those loaded, those stored in this browser, and the one that comes with the site.
import type { GraftApi } from '../protocol/api.ts'
import type { GraftError } from '../protocol/errors.ts'
import type { ModelInfo, ModelSource, Precision } from '../protocol/model.ts'
import type { Progress } from '../protocol/progress.ts'
import type { Hub } from './hub.svelte.ts'
import type { Notices } from './notices.svelte.ts'
import type { Selection } from './selection.svelte.ts'
import type { Work } from './work.svelte.ts'

/** The base under public/models, which needs no download from anywhere else. */
export const BUILTIN = {
  id: 'graft-7m',
  name: 'Graft-7M',
  about:
    'A small English model that comes with Graft. It trains in minutes on any machine and is the quickest way to try everything.',
  facts: '6.95 M parameters, 8 layers, 14 MB',
} as const

/** A load that goes on, failed or was cancelled. */
export interface LoadAttempt {
  source: ModelSource
  name: string
  precision: Precision | undefined
  state: 'loading' | 'failed' | 'cancelled'
  error: GraftError | null
  /** How far a download had come. */
  got: Progress | null
}

export class Models {
  items = $state.raw<ModelInfo[]>([])
  loaded = $state(false)
  attempt = $state.raw<LoadAttempt | null>(null)
  readonly #api: GraftApi
  readonly #work: Work
  readonly #notices: Notices
  readonly #selection: Selection
  readonly #hub: Hub

  constructor(api: GraftApi, work: Work, notices: Notices, selection: Selection, hub: Hub) {
    this.#hub = hub
    this.#api = api
    this.#work = work
    this.#notices = notices
    this.#selection = selection
  }

  get(id: string | null): ModelInfo | undefined {
    return this.items.find((model) => model.id === id)
  }

  /** The base that training uses unless told otherwise: the last one chosen, else one that is loaded or stored. */
  get current(): ModelInfo | undefined {
    return (
      this.get(this.#selection.model) ??
      this.items.find((model) => model.loaded) ??
      this.items.find((model) => model.stored)
    )
  }

  /** The bases that can be used at once: in memory, or stored here and loaded by the engine when they are asked. */
  get here(): ModelInfo[] {
    return this.items.filter((model) => model.loaded || model.stored)
  }

  /** The current base, if it can be used without fetching anything. */
  get ready(): ModelInfo | undefined {
    const { current } = this
    return current && (current.loaded || current.stored) ? current : undefined
  }

  get builtin(): ModelInfo | undefined {
    return this.items.find((model) => 'builtin' in model.source && model.source.builtin === BUILTIN.id)
  }

  async refresh(): Promise<void> {
    this.items = await this.#api.models.list()
    this.loaded = true
  }

  /**
   * Loads a base; the Hub's files that are here already are not fetched again. A failure or a cancellation stays in
   * `attempt`, to be shown with its next step.
   */
  async load(source: ModelSource, name: string, precision?: Precision): Promise<ModelInfo | undefined> {
    const attempt: LoadAttempt = { source, name, precision, state: 'loading', error: null, got: null }
    this.attempt = attempt
    const model = await this.#work.run(
      'model',
      `Loading ${name}`,
      (call) =>
        this.#api.models.load(source, {
          ...call,
          ...(precision && { precision }),
          ...('hub' in source && this.#hub.credentials),
        }),
      undefined,
      (error, job) => {
        if (error.code === 'E_WORKER') this.#notices.fail(`Loading ${name}`, error)
        if (this.attempt !== attempt) return
        const cancelled = error.code === 'E_ABORTED'
        const got = job.progress?.unit === 'bytes' ? job.progress : null
        this.attempt = { ...attempt, state: cancelled ? 'cancelled' : 'failed', error, got }
      },
    )
    if (!model) return undefined
    if (this.attempt === attempt) this.attempt = null
    this.#selection.model = model.id
    await this.refreshQuietly()
    return model
  }

  /** Takes up a download that failed or was cancelled. */
  retry(): void {
    const { attempt } = this
    if (attempt) void this.load(attempt.source, attempt.name, attempt.precision)
  }

  forget(): void {
    this.attempt = null
  }

  /**
   * Brings a model of the list back into memory; `precision` brings it back in another one. By its id: the source of a
   * model of the Hub names a commit, and would be one more model.
   */
  reload({ id, name }: ModelInfo, precision?: Precision): Promise<ModelInfo | undefined> {
    return this.load({ builtin: id }, name, precision)
  }

  choose(id: string): void {
    this.#selection.model = id
  }

  async remove(id: string): Promise<void> {
    try {
      await this.#api.models.remove(id)
      if (this.#selection.model === id) this.#selection.model = null
      await this.refreshQuietly()
    } catch (thrown) {
      this.#notices.fail('The model could not be removed', thrown)
    }
  }

  /** Reads the list again after a call that may have loaded a base by itself. */
  async refreshQuietly(): Promise<void> {
    try {
      await this.refresh()
    } catch (thrown) {
      this.#notices.fail('The list of models could not be read', thrown)
    }
  }
}
