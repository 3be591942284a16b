// The engine as one object: backend, store, bases, runs, and the questions put to them.
import { memoryBudget } from '../../src/core/backend/budget.ts'
import { largestTensor } from '../../src/core/backend/placeMatrix.ts'
import { memoryUse } from '../../src/core/backend/memory.ts'
import { startBackend, type StartedBackend } from '../../src/core/backend/register.ts'
import { recogniseModel } from '../../src/core/models/registry.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import type { MemoryBudget } from '../../src/core/train/memory.ts'
import { Turns } from '../../src/core/turns.ts'
import type { RenderedRow } from '../../src/protocol/data.ts'
import type { BackendName, EngineEvent, EngineInfo } from '../../src/protocol/engine.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type {
  EstimateRequest,
  HubModel,
  LoadOptions,
  MemoryEstimate,
  ModelInfo,
  ModelSource,
  PrecisionReport,
  Tokens,
} from '../../src/protocol/model.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import { openStore, type Store } from '../../src/store/database.ts'
import { sweep } from '../../src/store/sweep.ts'
import { loadTuning, saveTuning } from '../../src/store/tuning.ts'
import { AdapterLibrary } from './adapters.ts'
import { Ask } from './ask.ts'
import { estimateFor, estimateOfConfig } from './estimate.ts'
import type { Desk } from './explain/desk.ts'
import { Exporter } from './export.ts'
import type { HubCall } from './hub/client.ts'
import { curatedConfig } from './hub/curated.ts'
import { fetchConfig } from './hub/repository.ts'
import { searchHub } from './hub/search.ts'
import { ModelLibrary } from './models.ts'
import { storedId } from './modelFiles.ts'
import { Planner } from './plan.ts'
import { reportPrecision } from './precisionReport.ts'
import { renderRows, type RenderRequest } from './renderRows.ts'
import { RunManager } from './runs.ts'
import { Targets } from './targets.ts'

interface Parts {
  store: Store
  models: ModelLibrary
  runs: RunManager
  planner: Planner
  targets: Targets
  ask: Ask
  adapters: AdapterLibrary
  exporter: Exporter
}

export class EngineService {
  readonly #emit: (event: EngineEvent) => void
  readonly #turns = new Turns()
  #backend: StartedBackend | null = null
  /** Set when the device was lost: the next call starts a backend anew. */
  #lost: GraftError | null = null
  #parts: Parts | null = null
  #starting: Promise<void> | null = null

  constructor(emit: (event: EngineEvent) => void) {
    this.#emit = emit
  }

  /** Resolves when a backend runs and the store is open; a failed start is tried again by the next call. */
  ready(): Promise<void> {
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = null
      throw error
    })
    return this.#starting
  }

  get models(): ModelLibrary {
    return this.#ready.models
  }
  get runs(): RunManager {
    return this.#ready.runs
  }
  get planner(): Planner {
    return this.#ready.planner
  }
  get ask(): Ask {
    return this.#ready.ask
  }
  /** What explanations work with. */
  get desk(): Desk {
    const { store, models, targets } = this.#ready
    return { store, models, targets, turns: this.#turns }
  }
  get adapters(): AdapterLibrary {
    return this.#ready.adapters
  }
  get exporter(): Exporter {
    return this.#ready.exporter
  }

  info(): EngineInfo {
    const { name, reason, adapter, features, limits } = this.#backend!
    return { backend: name, reason, adapter, features, limits, memory: memoryUse() }
  }

  /** Moves to another backend: bases leave the device and are loaded again when they are next asked. */
  async use(backend: BackendName | 'auto'): Promise<EngineInfo> {
    if (this.runs.busy)
      throw new GraftError(
        'E_BUSY',
        'A run is training on this backend. Stop it or wait for it, then switch.',
      )
    const before = this.#backend!
    await this.#turns.take(async () => {
      if (this.runs.busy)
        throw new GraftError('E_BUSY', 'A run has begun on this backend. Stop it, then switch.')
      this.#clearDevice()
      try {
        this.#backend = await this.#startBackend(backend)
      } catch (error) {
        // The one that worked goes on working.
        this.#backend = await this.#startBackend(before.name)
        throw error
      }
    })
    const info = this.info()
    this.#emit({ type: 'info', info })
    return info
  }

  async loadModel(source: ModelSource, options: LoadOptions, context: CallContext): Promise<ModelInfo> {
    const info = await this.models.load(source, options, context)
    this.#emit({ type: 'info', info: this.info() })
    return info
  }

  /** Models of the Hub, or the curated list where the query is empty. */
  async searchModels(query: string, token: string | undefined, { signal }: CallContext): Promise<HubModel[]> {
    const models = await searchHub(query, { token, signal })
    return models.map((model) => {
      // The search tells too little of others; `estimateModel` fetches their config.json.
      const config = curatedConfig(model.id)
      const estimate = config ? estimateOfConfig(config, this.models.budgetBeside('')) : null
      return { ...model, estimate }
    })
  }

  async removeModel(id: string): Promise<void> {
    if (this.runs.needs(id))
      throw new GraftError('E_BUSY', 'A run is training this model, or waits to. Stop it first.')
    await this.models.remove(id)
    this.#ready.targets.clear()
    // Those of the model have gone with it.
    this.#emit({ type: 'adapters' })
  }

  async removeRun(id: string): Promise<void> {
    await this.runs.remove(id)
    this.#ready.targets.clear()
  }

  async tokenize(model: string, text: string): Promise<Tokens> {
    const { tokenizer } = await this.models.use(model)
    const ids = tokenizer.encode(text)
    return { ids, tokens: tokenizer.tokens(ids) }
  }

  /** Rows of a dataset as a base reads them in training. */
  renderRows(request: RenderRequest, signal: AbortSignal): Promise<RenderedRow[]> {
    return renderRows(this.#ready, request, signal)
  }

  /** The bytes that training would take here. Throws E_NOT_FOUND, E_ARGUMENT, E_MODEL_UNSUPPORTED, E_NETWORK. */
  async estimateModel(
    { model, ...request }: EstimateRequest,
    token: string | undefined,
    { signal }: CallContext,
  ): Promise<MemoryEstimate> {
    const { config, id } = await this.#configOf(model, { token, signal })
    // What a loaded base has is what it will be trained in.
    const precision = request.precision ?? this.models.precisionOf(id)
    return estimateFor(
      recogniseModel(config),
      { ...request, ...(precision && { precision }) },
      this.models.budgetBeside(id),
    )
  }

  /** What the precision of a base costs against its float32 weights. */
  async precisionReport(
    id: string,
    texts: string[] | undefined,
    context: CallContext,
  ): Promise<PrecisionReport> {
    const { base, release } = await this.models.hold(id, context)
    try {
      return await reportPrecision(base, this.#turns, texts, context)
    } finally {
      release()
    }
  }

  async removeAdapter(id: string): Promise<void> {
    await this.adapters.remove(id)
    this.#ready.targets.clear()
  }

  /** The parsed config.json of a base that is here, that comes with Graft, or that is on the Hub. */
  async #configOf(model: EstimateRequest['model'], call: HubCall): Promise<{ config: unknown; id: string }> {
    if (typeof model === 'string') return { config: await this.models.config(model), id: model }
    const id = storedId(model)!
    const known = model.revision === undefined ? curatedConfig(model.hub) : undefined
    return { config: known ?? (await fetchConfig(model, call)).config, id }
  }

  #budget(used: number): MemoryBudget {
    const { name, limits } = this.#backend!
    return { backend: name, bytes: memoryBudget(name, limits, used), largest: largestTensor() }
  }

  get #ready(): Parts {
    if (!this.#parts) throw new GraftError('E_INTERNAL', 'The engine was asked before it was ready.')
    return this.#parts
  }

  async #start(): Promise<void> {
    if (!this.#parts) {
      const store = await openStore()
      const backend = () => this.#backend!.name
      const models = new ModelLibrary(
        store,
        () => opsFor(backend()),
        {},
        (used) => this.#budget(used),
      )
      const adapters = new AdapterLibrary(store, models, () => this.#emit({ type: 'adapters' }))
      const runs = new RunManager({
        store,
        models,
        adapters,
        turns: this.#turns,
        backend,
        ready: () => this.ready(),
        emit: (event) => this.#emit({ type: 'run', event }),
        emitFault: (error) => this.#emitFault(error),
        emitRemoved: (id) => this.#emit({ type: 'runRemoved', id }),
      })
      await runs.recover()
      await sweep(store)
      const targets = new Targets(store, models, runs, adapters)
      const ask = new Ask({ store, models, targets, turns: this.#turns })
      this.#parts = {
        store,
        models,
        runs,
        targets,
        ask,
        adapters,
        exporter: new Exporter({ store, targets, turns: this.#turns }),
        planner: new Planner(store, models, runs, this.#turns, backend),
      }
    }
    if (this.#lost) this.#clearDevice()
    this.#lost = null
    this.#backend = await this.#startBackend('auto')
    this.#emit({ type: 'info', info: this.info() })
  }

  #startBackend(choice: BackendName | 'auto'): Promise<StartedBackend> {
    const { store } = this.#ready
    return startBackend(choice, {
      onFault: (error) => this.#fault(error),
      tuning: {
        load: (adapter) => loadTuning(store, adapter),
        save: (adapter, choices) => saveTuning(store, adapter, choices),
      },
    })
  }

  #fault(error: GraftError): void {
    this.#emitFault(error)
    this.#parts?.runs.fault(error)
    if (error.code !== 'E_DEVICE_LOST') return
    this.#lost = error
    this.#starting = null
  }

  #emitFault({ code, message, details }: GraftError): void {
    this.#emit({ type: 'fault', error: { code, message, details } })
  }

  #clearDevice(): void {
    this.#ready.targets.clear()
    this.models.unloadAll()
  }
}
