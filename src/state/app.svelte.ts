// The whole state of the page, made once around the scripting API. Views get it from the context and use nothing else.
import type { GraftApi } from '../protocol/api.ts'
import { asGraftError, type GraftError } from '../protocol/errors.ts'
import type { Target } from '../protocol/target.ts'
import { keepStorage } from '../store/quota.ts'
import { Adapters } from './adapters.svelte.ts'
import { Datasets } from './datasets.svelte.ts'
import { kindOf } from './dropped.ts'
import { Engine } from './engine.svelte.ts'
import { Explaining } from './explaining.svelte.ts'
import { Health } from './health.svelte.ts'
import { Importing } from './importing.svelte.ts'
import { Hub } from './hub.svelte.ts'
import { Models } from './models.svelte.ts'
import { Notices } from './notices.svelte.ts'
import { Router } from './router.svelte.ts'
import { RunForm } from './runForm.svelte.ts'
import { Runs } from './runs.svelte.ts'
import { Selection } from './selection.svelte.ts'
import { Work } from './work.svelte.ts'

/** A dead worker is asked again after this many milliseconds. */
const RESTART_MS = 500

export class App {
  readonly api: GraftApi
  readonly selection = new Selection()
  readonly router = new Router(this.selection)
  readonly notices = new Notices()
  readonly work = new Work(this.notices)
  readonly engine: Engine
  readonly datasets: Datasets
  readonly health: Health
  readonly importing: Importing
  readonly hub: Hub
  readonly models: Models
  readonly adapters: Adapters
  readonly runs: Runs
  /** The settings of the next run, kept while the page is open. */
  readonly form: RunForm
  /** What the Explain view is asked. */
  readonly explaining: Explaining
  /** What Generate, Explain and Evaluate were last put to; null: what is newest. */
  asked = $state.raw<Target | null>(null)
  status = $state<'starting' | 'ready' | 'failed'>('starting')
  startError = $state.raw<GraftError | null>(null)

  constructor(api: GraftApi) {
    this.api = api
    this.engine = new Engine(api, this.notices)
    this.datasets = new Datasets(api, this.work, this.notices, this.selection)
    this.health = new Health(api, this.work, this.notices)
    this.importing = new Importing(api, this.datasets)
    this.hub = new Hub(api)
    this.models = new Models(api, this.work, this.notices, this.selection, this.hub)
    this.adapters = new Adapters(api, this.work, this.notices, this.hub)
    this.runs = new Runs(api, this.notices, this.selection)
    this.form = new RunForm(this)
    this.explaining = new Explaining(this.router, this.selection)
    this.asked = this.explaining.target
    this.router.onmove = (route) => {
      if (this.explaining.open(route)) this.asked = this.explaining.target ?? this.asked
    }
    // A worker that died has lost its bases and interrupted its run: what the page shows is read again.
    this.notices.afterFail = (error) => {
      if (error.code === 'E_WORKER') setTimeout(() => void this.#refresh().catch(() => undefined), RESTART_MS)
    }
    this.work.afterJob = (kind) => {
      const asks =
        kind === 'predict' ||
        kind === 'explain' ||
        kind === 'generate' ||
        kind === 'evaluate' ||
        kind === 'write'
      if (asks && !this.models.current?.loaded) void this.models.refreshQuietly()
    }
    // The first thing worth keeping: the browser is asked, once, not to clear this site by itself. Only a page may ask.
    api.datasets.subscribe(() => void keepStorage())
    // A script brought a base, or removed one with its adapters.
    api.engine.subscribe(({ type }) => {
      if (this.status === 'ready' && (type === 'info' || type === 'adapters'))
        void this.models.refreshQuietly()
    })
    addEventListener('beforeunload', (event) => {
      if (this.runs.active?.info.status === 'running') event.preventDefault()
    })
  }

  /** Waits for the workers and reads what this browser holds. */
  async start(): Promise<void> {
    try {
      await this.api.ready
      await this.#refresh()
      this.status = 'ready'
    } catch (thrown) {
      this.startError = asGraftError(thrown)
      this.status = 'failed'
    }
  }

  async #refresh(): Promise<void> {
    await Promise.all([
      this.engine.refresh(),
      this.datasets.refresh(),
      this.models.refresh(),
      this.adapters.refreshQuietly(),
      this.runs.refresh(),
    ])
  }

  /** Takes files from a drop or a file dialog: a model's files become a base, PEFT's an adapter, the rest datasets. */
  async take(files: File[]): Promise<void> {
    if (!files.length) return
    const kind = await kindOf(files)
    if (kind === 'adapter') {
      this.adapters.offer(files)
      this.router.go('model')
      return
    }
    if (kind === 'model') {
      this.router.go('model')
      await this.models.load({ files }, files.length === 1 ? files[0]!.name : `${files.length} model files`)
      return
    }
    const dataset = await this.importing.offer(files)
    if (dataset) this.router.go('data', dataset.id)
    else if (this.importing.open) this.router.go('data')
  }
}
