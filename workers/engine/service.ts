// The engine as one object: backend, store, bases, runs, and the questions put to them.
import { version } from '../../package.json'
import { peftFiles } from '../../src/core/adapters/peft.ts'
import { memoryUse } from '../../src/core/backend/memory.ts'
import { startBackend, type StartedBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { Turns } from '../../src/core/turns.ts'
import { writeZip } from '../../src/formats/zip.ts'
import type { RenderedRow } from '../../src/protocol/data.ts'
import type { BackendName, EngineEvent, EngineInfo } from '../../src/protocol/engine.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { HubModel, LoadOptions, ModelInfo, ModelSource, Tokens } from '../../src/protocol/model.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { Target } from '../../src/protocol/target.ts'
import { openStore, type Store } from '../../src/store/database.ts'
import { sweep } from '../../src/store/sweep.ts'
import { Ask } from './ask.ts'
import { searchHub } from './hub/search.ts'
import { ModelLibrary } from './models.ts'
import { Planner } from './plan.ts'
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
  searchModels(query: string, token: string | undefined, { signal }: CallContext): Promise<HubModel[]> {
    return searchHub(query, { token, signal })
  }

  async removeModel(id: string): Promise<void> {
    if (this.runs.model === id) throw new GraftError('E_BUSY', 'A run is training this model. Stop it first.')
    await this.models.remove(id)
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

  /** A zip in PEFT's layout. */
  async exportAdapter(target: Target): Promise<Blob> {
    const { run, tensors } = await this.#ready.targets.tensors(target)
    const { config, labels, datasetName, modelName, rows, history } = run
    if (config.adapter.method !== 'lora')
      throw new GraftError(
        'E_ARGUMENT',
        'This run trained only a head, which PEFT has no format for. Train with LoRA to export.',
      )
    const source = (await this.models.list()).find((model) => model.id === config.model)?.source
    // The card speaks of the state that is exported, which may be an earlier one.
    const wanted =
      'checkpoint' in target ? run.checkpoints.find(({ id }) => id === target.checkpoint) : undefined
    const step = wanted?.step ?? run.step
    const until = history.filter((entry) => entry.step <= step)
    const last = until.at(-1)
    const validation = until.findLast((entry) => entry.validationLoss !== undefined)
    const files = peftFiles({
      name: config.name,
      task: config.task,
      adapter: config.adapter,
      base:
        source && 'hub' in source ? source.hub : source && 'builtin' in source ? source.builtin : modelName,
      revision: source && 'hub' in source ? source.revision : null,
      labels,
      tensors,
      facts: [
        `Data: ${datasetName}, ${rows} training rows.`,
        `Training: ${step} of ${run.steps} steps, batch ${config.training.batchSize * config.training.accumulation}, learning rate ${config.training.learningRate}, ${config.training.schedule} schedule, seed ${config.training.seed}.`,
        ...(last ? [`Last training loss: ${last.loss.toFixed(4)}.`] : []),
        ...(validation
          ? [
              `Validation loss: ${validation.validationLoss!.toFixed(4)}${validation.validationAccuracy === undefined ? '' : `, accuracy ${(100 * validation.validationAccuracy).toFixed(1)}%`}.`,
            ]
          : []),
      ],
      version,
    })
    return new Blob([writeZip(Object.fromEntries(files))], { type: 'application/zip' })
  }

  get #ready(): Parts {
    if (!this.#parts) throw new GraftError('E_INTERNAL', 'The engine was asked before it was ready.')
    return this.#parts
  }

  async #start(): Promise<void> {
    if (!this.#parts) {
      const store = await openStore()
      const backend = () => this.#backend!.name
      const models = new ModelLibrary(store, () => opsFor(backend()))
      const runs = new RunManager({
        store,
        models,
        turns: this.#turns,
        backend,
        ready: () => this.ready(),
        emit: (event) => this.#emit({ type: 'run', event }),
        emitFault: (error) => this.#emitFault(error),
        emitRemoved: (id) => this.#emit({ type: 'runRemoved', id }),
      })
      await runs.recover()
      await sweep(store)
      const targets = new Targets(store, models, runs)
      const ask = new Ask({ store, models, targets, turns: this.#turns })
      this.#parts = {
        store,
        models,
        runs,
        targets,
        ask,
        planner: new Planner(store, models, runs, this.#turns, backend),
      }
    }
    if (this.#lost) this.#clearDevice()
    this.#lost = null
    this.#backend = await this.#startBackend('auto')
    this.#emit({ type: 'info', info: this.info() })
  }

  #startBackend(choice: BackendName | 'auto'): Promise<StartedBackend> {
    return startBackend(choice, { onFault: (error) => this.#fault(error) })
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
