// Imported adapters: which base each belongs to, and what can be done with them.
import type { GraftApi } from '../protocol/api.ts'
import type { GraftError } from '../protocol/errors.ts'
import type { AdapterInfo, AdapterSource } from '../protocol/model.ts'
import type { Hub } from './hub.svelte.ts'
import type { Notices } from './notices.svelte.ts'
import type { Work } from './work.svelte.ts'

/** What an import was, so that it can be tried again where it failed. */
export interface FailedImport {
  model: string
  source: AdapterSource
  name: string
  options: { name?: string; labels?: string[] }
  error: GraftError
}

export class Adapters {
  items = $state.raw<AdapterInfo[]>([])
  /** Files that were dropped and are an adapter; they wait until a person says for which base. */
  offered = $state.raw<File[] | null>(null)
  failed = $state.raw<FailedImport | null>(null)
  readonly #api: GraftApi
  readonly #work: Work
  readonly #notices: Notices
  readonly #hub: Hub

  constructor(api: GraftApi, work: Work, notices: Notices, hub: Hub) {
    this.#api = api
    this.#work = work
    this.#notices = notices
    this.#hub = hub
    api.engine.subscribe((event) => {
      if (event.type === 'adapters') void this.refreshQuietly()
    })
  }

  get(id: string | null | undefined): AdapterInfo | undefined {
    return this.items.find((adapter) => adapter.id === id)
  }

  of(model: string | undefined): AdapterInfo[] {
    return this.items.filter((adapter) => adapter.model === model)
  }

  async refreshQuietly(): Promise<void> {
    try {
      const list = await this.#api.adapters.list()
      this.items = list.toSorted((a, b) => b.createdAt - a.createdAt)
    } catch (thrown) {
      this.#notices.fail('The list of adapters could not be read', thrown)
    }
  }

  /** Puts an adapter beside a base. A failure stays in `failed`, to be shown where it happened. */
  async import(
    model: string,
    source: AdapterSource,
    name: string,
    options: { name?: string; labels?: string[] } = {},
  ): Promise<AdapterInfo | undefined> {
    this.failed = null
    const given = 'hub' in source ? { ...source, ...this.#hub.credentials } : source
    const adapter = await this.#work.run(
      'adapter',
      `Adding ${name}`,
      (call) => this.#api.adapters.import(model, given, { ...options, ...call }),
      undefined,
      (error) => {
        if (error.code !== 'E_ABORTED') this.failed = { model, source, name, options, error }
      },
    )
    if (!adapter) return undefined
    this.offered = null
    this.#put(adapter)
    return adapter
  }

  async remove(id: string): Promise<void> {
    try {
      await this.#api.adapters.remove(id)
      this.items = this.items.filter((adapter) => adapter.id !== id)
    } catch (thrown) {
      this.#notices.fail('The adapter could not be removed', thrown)
    }
  }

  offer(files: File[]): void {
    this.failed = null
    this.offered = files
  }

  #put(adapter: AdapterInfo): void {
    this.items = [adapter, ...this.items.filter((other) => other.id !== adapter.id)]
  }
}
