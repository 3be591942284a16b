// Training runs: their state as it changes, and the commands that change it.
import type { GraftApi } from '../protocol/api.ts'
import { GraftError, type ErrorCode } from '../protocol/errors.ts'
import type { HistoryEntry, Run, RunEvent, RunPlan, RunRequest } from '../protocol/run.ts'
import { mergeHistory } from './history.ts'
import type { Notices } from './notices.svelte.ts'
import type { Selection } from './selection.svelte.ts'

export type RunInfo = RunEvent['run']

export class RunState {
  readonly id: string
  info = $state.raw<RunInfo>(undefined as unknown as RunInfo)
  history = $state.raw<HistoryEntry[]>([])

  constructor(run: Run) {
    const { history, ...info } = run
    this.id = run.id
    this.info = info
    this.history = history
  }

  /** Queued, running or paused: it holds the engine. */
  get active(): boolean {
    return ['queued', 'running', 'paused'].includes(this.info.status)
  }

  /** There are weights to try: training has gone past its first checkpoint or is still going. */
  get usable(): boolean {
    return (
      this.info.checkpoints.length > 0 || this.info.status === 'done' || (this.active && this.info.step > 0)
    )
  }

  get share(): number {
    return this.info.steps > 0 ? this.info.step / this.info.steps : 0
  }
}

export class Runs {
  items = $state.raw<RunState[]>([])
  loaded = $state(false)
  /** The command in flight, so that its button can wait: "pause:run-1". */
  pending = $state<string | null>(null)
  readonly #api: GraftApi
  readonly #notices: Notices
  readonly #selection: Selection

  constructor(api: GraftApi, notices: Notices, selection: Selection) {
    this.#api = api
    this.#notices = notices
    this.#selection = selection
    api.runs.subscribe('*', (event) => void this.#receive(event))
  }

  get(id: string | null): RunState | undefined {
    return this.items.find((run) => run.id === id)
  }

  get active(): RunState | undefined {
    return this.items.find((run) => run.info.status === 'running') ?? this.items.find((run) => run.active)
  }

  /** The run that Explain, Generate, Evaluate and Export open with: the last one chosen, else the newest usable one. */
  get current(): RunState | undefined {
    const chosen = this.get(this.#selection.run)
    return chosen?.usable ? chosen : this.usable[0]
  }

  get usable(): RunState[] {
    return this.items.filter((run) => run.usable)
  }

  async refresh(): Promise<void> {
    const runs = await this.#api.runs.list()
    this.items = runs.toSorted((a, b) => b.createdAt - a.createdAt).map((run) => new RunState(run))
    this.loaded = true
  }

  plan(request: RunRequest, signal: AbortSignal): Promise<RunPlan> {
    return this.#api.runs.plan(request, { signal })
  }

  async start(request: RunRequest): Promise<string | undefined> {
    this.pending = 'start'
    try {
      const id = await this.#api.runs.start(request)
      if (!this.get(id)) this.#put(await this.#api.runs.get(id))
      this.#selection.run = id
      return id
    } catch (thrown) {
      this.#notices.fail('Training did not start', thrown)
      return undefined
    } finally {
      this.pending = null
    }
  }

  choose(id: string): void {
    this.#selection.run = id
  }

  pause = (id: string) => this.#command('pause', id, 'The run could not be paused')
  resume = (id: string) => this.#command('resume', id, 'The run could not be resumed')
  stop = (id: string) => this.#command('stop', id, 'The run could not be stopped')

  async remove(id: string): Promise<boolean> {
    try {
      await this.#api.runs.remove(id)
      this.items = this.items.filter((run) => run.id !== id)
      if (this.#selection.run === id) this.#selection.run = null
      return true
    } catch (thrown) {
      this.#notices.fail('The run could not be deleted', thrown)
      return false
    }
  }

  async #command(name: 'pause' | 'resume' | 'stop', id: string, failure: string): Promise<void> {
    this.pending = `${name}:${id}`
    try {
      await this.#api.runs[name](id)
    } catch (thrown) {
      this.#notices.fail(failure, thrown)
    } finally {
      this.pending = null
    }
  }

  #put(run: Run): RunState {
    const known = this.get(run.id)
    if (known) return known
    const state = new RunState(run)
    this.items = [state, ...this.items]
    return state
  }

  async #receive({ run, entries }: RunEvent): Promise<void> {
    const known = this.get(run.id)
    if (known) {
      if (run.status === 'failed' && known.info.status !== 'failed' && run.error)
        this.#notices.fail(
          `Training stopped: ${run.config.name}`,
          new GraftError(run.error.code as ErrorCode, run.error.message, { run: run.id, step: run.step }),
        )
      known.info = run
      known.history = mergeHistory(known.history, entries)
      return
    }
    this.#put({ ...run, history: entries })
    // A run started by a script: what it did before this page listened is fetched once.
    if ((entries[0]?.step ?? 1) > 1) {
      const whole = await this.#api.runs.get(run.id)
      const state = this.get(run.id)
      if (state) state.history = mergeHistory(whole.history, state.history)
    }
  }
}
