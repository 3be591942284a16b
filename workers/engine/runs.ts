// Runs from request to result: one trains at a time, others wait in line; everything that happens is written down as it
// happens, so that a reload finds the run where its last checkpoint left it.
import { deferred, type Deferred } from '../../src/core/deferred.ts'
import { countTrainable } from '../../src/core/adapters/count.ts'
import { continuedParameters } from '../../src/core/adapters/continued.ts'
import { initialParameters } from '../../src/core/adapters/parameters.ts'
import { planAdapter, type AdapterPlan } from '../../src/core/adapters/plan.ts'
import { Trainer, type TrainerState } from '../../src/core/train/trainer.ts'
import { totalSteps } from '../../src/core/train/plan.ts'
import { releaseFreeBuffers } from '../../src/core/backend/memory.ts'
import { currentTuner } from '../../src/core/ops/webgpu/tuning/tuner.ts'
import type { Turns } from '../../src/core/turns.ts'
import { asGraftError, GraftError } from '../../src/protocol/errors.ts'
import { filmConfig } from '../../src/protocol/filmSettings.ts'
import { defaultAdapter, defaultTraining } from '../../src/protocol/settings.ts'
import type { HistoryEntry, Run, RunConfig, RunEvent, RunRequest, RunStatus } from '../../src/protocol/run.ts'
import { listCheckpoints, readCheckpoint, saveCheckpoint } from '../../src/store/checkpoints.ts'
import type { Store } from '../../src/store/database.ts'
import { getDataset } from '../../src/store/datasets.ts'
import { takeLock, waitForLock } from '../../src/store/locks.ts'
import { keepStorage } from '../../src/store/quota.ts'
import { getRun, listRuns, putRun, removeRun, truncateHistory } from '../../src/store/runs.ts'
import { baseValues } from '../../src/core/adapters/baseValues.ts'
import type { AdapterLibrary } from './adapters.ts'
import { loadSnapshot, packState, stateTensors } from './checkpoint.ts'
import { beginningOf, continuedConfig, continuedLabels } from './continued.ts'
import { checkpointingOf } from './estimate.ts'
import { FilmRecorder, newFilm } from './film.ts'
import { HistoryLog } from './history.ts'
import type { HeldModel, LoadedModel, ModelLibrary } from './models.ts'
import { RowRecord } from './rowRecord.ts'
import { dataKey, DatasetRows, taskOf } from './rows.ts'

const ENDED: readonly RunStatus[] = ['done', 'stopped', 'failed', 'interrupted']
/** How long the start waits for the locks of the page that was there before. */
const RELOAD_MILLISECONDS = 2000
/** Steps between readbacks on a GPU, where one would drain the queue; elsewhere reading costs nothing. */
const READ_EVERY = { webgpu: 10, wasm: 1, cpu: 1 } as const

export interface RunManagerOptions {
  store: Store
  models: ModelLibrary
  adapters: AdapterLibrary
  turns: Turns
  backend: () => keyof typeof READ_EVERY
  /** Resolves when a backend is there: after a lost device a new one is started. */
  ready: () => Promise<void>
  emit: (event: RunEvent) => void
  /** Something that does not end a run: the disk is full. */
  emitFault: (error: GraftError) => void
  emitRemoved: (id: string) => void
}

/** A run in line, and what was asked of it before it began. */
interface Waiting {
  id: string
  /** The base that it trains. */
  model: string
  resume: boolean
  cancelled: boolean
  paused: boolean
  /** Held from the line to the end: other tabs see that the run is alive, and browsers do not freeze a tab with a lock. */
  lock: { release(): void }
  /** Resolves when the run has begun to train, or has ended without. */
  begun: Deferred<void>
}

type Saved = ReturnType<typeof loadSnapshot>

interface LiveRun {
  run: Run
  trainer: Trainer
}

export class RunManager {
  readonly #options: RunManagerOptions
  readonly #ended = new Map<string, Deferred<Run>>()
  /** Runs in line, the first of them training. */
  #line: Waiting[] = []
  #live: LiveRun | null = null

  constructor(options: RunManagerOptions) {
    this.#options = options
  }

  /** Marks runs that a reload or crash cut short; those of another tab are marked when that tab ends. */
  async recover(): Promise<void> {
    const open = (await listRuns(this.#options.store)).filter((run) => !ENDED.includes(run.status))
    const marked = Promise.all(open.map((run) => this.#recoverRun(run.id)))
    // A page that is being reloaded gives its locks back a moment later.
    await Promise.race([marked, new Promise((resolve) => setTimeout(resolve, RELOAD_MILLISECONDS))])
  }

  async #recoverRun(id: string): Promise<void> {
    const { store } = this.#options
    const lock = await waitForLock(lockName(id))
    try {
      const run = await getRun(store, id)
      if (ENDED.includes(run.status)) return
      const step = run.checkpoints.at(-1)?.step ?? 0
      await truncateHistory(store, id, step)
      await this.#update({ ...run, history: [] }, { status: 'interrupted', step, secondsLeft: null })
    } finally {
      lock.release()
    }
  }

  /** The run that is training right now, if it is this one. */
  live(id: string): LiveRun | undefined {
    return this.#live?.run.id === id ? this.#live : undefined
  }

  /** Whether a run trains this base, or waits in line to. */
  needs(model: string): boolean {
    return this.#line.some((entry) => entry.model === model)
  }

  /** The device reported a fault: the run that is training ends with it, and can be resumed from its checkpoint. */
  fault(error: GraftError): void {
    this.#live?.trainer.fail(error)
  }

  get busy(): boolean {
    return this.#line.length > 0
  }

  /** The configuration of a request with all defaults, and what it will work on. */
  async configure(request: RunRequest) {
    const { store, models } = this.#options
    const dataset = await getDataset(store, request.dataset)
    const taskConfig = taskOf(dataset, request.task)
    const base = await models.use(request.model)
    if (!base.info.tasks.includes(taskConfig.task))
      throw new GraftError(
        'E_ARGUMENT',
        `${base.info.name} reads whole texts and does not write, so it cannot be trained for "${taskConfig.task}". ` +
          'Use it to classify, or choose a base that writes.',
        { model: base.info.id, task: taskConfig.task },
      )
    const { from, ...given } = request.adapter ?? {}
    const beginning = from === undefined ? null : await beginningOf(from, base, this.#options)
    const adapter = beginning ? continuedConfig(beginning, given) : defaultAdapter(given)
    const training = defaultTraining(base.info, taskConfig.task, request.training, adapter.method)
    if (training.maxLength > base.info.context)
      throw new GraftError(
        'E_ARGUMENT',
        `training.maxLength is ${training.maxLength}, but ${base.info.name} reads at most ${base.info.context} tokens.`,
      )
    const dataLabels = taskConfig.task === 'classify' ? dataset.labels : null
    if (taskConfig.task === 'classify' && !dataLabels)
      throw new GraftError(
        'E_DATASET',
        `${dataset.name} has no labels yet: confirm its task and columns first.`,
        { dataset: dataset.id },
      )
    const labels = beginning ? continuedLabels(beginning, dataLabels) : dataLabels
    const config: RunConfig = {
      name: request.name?.trim() || `${dataset.name} on ${base.info.name}`,
      dataset: dataset.id,
      model: base.info.id,
      task: taskConfig.task,
      adapter,
      ...(from !== undefined && { from }),
      training,
      ...(request.film && { film: filmConfig(request.film) }),
    }
    return { config, dataset, taskConfig, base, labels, plan: planOf(base, config, labels) }
  }

  async start(request: RunRequest): Promise<string> {
    const { store } = this.#options
    const { config, dataset, taskConfig, base, labels, plan } = await this.configure(request)
    const reading = {
      dataset,
      taskConfig,
      labels,
      tokenizer: base.tokenizer,
      maxLength: config.training.maxLength,
    }
    const train = await DatasetRows.open(store, reading, 'train')
    if (train.rows === 0)
      throw new GraftError(
        'E_DATASET',
        `No row of ${dataset.name} can be trained on: the training part has none with both sides filled in.`,
        { dataset: dataset.id },
      )
    if (!(await train.teaches())) {
      const { reason } = await train.unlabelled()
      throw new GraftError(
        'E_DATASET',
        `No row of ${dataset.name} leaves anything to learn. ${reason} Look at its rows in the Data view, or raise the longest example.`,
        { dataset: dataset.id, maxLength: config.training.maxLength },
      )
    }
    const steps = totalSteps(train.rows, config.training)
    const run: Run = {
      id: crypto.randomUUID(),
      status: 'queued',
      createdAt: Date.now(),
      step: 0,
      steps,
      epochs: config.training.epochs,
      seconds: 0,
      secondsLeft: null,
      history: [],
      checkpoints: [],
      config,
      taskConfig,
      labels,
      dataKey: await dataKey(store, dataset.id, taskConfig),
      rows: train.rows,
      skippedRows: train.empty,
      ...(dataset.version?.weights && { weights: dataset.version.weights }),
      trainableParameters: countTrainable(plan, config.adapter),
      ...(config.film && { film: newFilm(config.film, { base, taskConfig, labels, config }, steps) }),
      backend: this.#options.backend(),
      datasetName: dataset.name,
      modelName: base.info.name,
      error: null,
    }
    const lock = await this.#lock(run.id)
    await putRun(store, run)
    void keepStorage()
    this.#enqueue(run, false, lock)
    return run.id
  }

  /** Resolves when the run is done, stopped, failed or was cut short; also one that trains in another tab. */
  async wait(id: string): Promise<Run> {
    const ended = this.#ended.get(id)
    if (ended) return ended.promise
    const run = await getRun(this.#options.store, id)
    if (ENDED.includes(run.status)) return run
    const lock = await waitForLock(lockName(id))
    lock.release()
    return getRun(this.#options.store, id)
  }

  /** Resolves when the run has halted, after a checkpoint; a run that waits in line halts as soon as it begins. */
  async pause(id: string): Promise<void> {
    const waiting = this.#line.find((entry) => entry.id === id)
    if (!waiting)
      throw new GraftError('E_ARGUMENT', 'This run is not training, so it cannot be paused.', { run: id })
    waiting.paused = true
    if (waiting !== this.#line[0]) return
    await waiting.begun.promise
    const live = this.live(id)
    if (!live) return
    await live.trainer.pause()
    if (this.#live === live && live.trainer.paused)
      await this.#update(live.run, { status: 'paused', secondsLeft: null })
  }

  /** Goes on with a paused run, or takes one that was cut short, stopped or failed up from its last checkpoint. */
  async resume(id: string): Promise<void> {
    const live = this.live(id)
    if (live) {
      if (!live.trainer.paused) return
      await this.#update(live.run, { status: 'running' })
      live.trainer.resume()
      return
    }
    const waiting = this.#line.find((entry) => entry.id === id)
    if (waiting) {
      waiting.paused = false
      return
    }
    const lock = await this.#lock(id)
    const run = await getRun(this.#options.store, id).catch((error: unknown) => {
      lock.release()
      throw error
    })
    if (run.status === 'done') {
      lock.release()
      throw new GraftError('E_ARGUMENT', `"${run.config.name}" has trained all its ${run.steps} steps.`)
    }
    this.#enqueue(run, true, lock)
  }

  /** Ends a run, keeping what it has learnt; resolves when it has ended. */
  async stop(id: string): Promise<void> {
    const waiting = this.#line.find((entry) => entry.id === id)
    if (!waiting) throw new GraftError('E_ARGUMENT', 'This run is not training.', { run: id })
    const ended = this.#ended.get(id)
    if (waiting === this.#line[0]) {
      waiting.cancelled = true
      this.live(id)?.trainer.stop()
      await ended?.promise
      return
    }
    // It has not begun: it leaves the line at once.
    this.#line = this.#line.filter((entry) => entry !== waiting)
    const run = await getRun(this.#options.store, id)
    await this.#update(run, { status: 'stopped' })
    waiting.lock.release()
    this.#ended.delete(id)
    ended?.resolve(run)
  }

  async list(): Promise<Run[]> {
    const runs = await listRuns(this.#options.store)
    return runs.map((run) => this.live(run.id)?.run ?? run)
  }

  async get(id: string): Promise<Run> {
    return this.live(id)?.run ?? getRun(this.#options.store, id)
  }

  async remove(id: string): Promise<void> {
    if (this.#line.some((entry) => entry.id === id)) await this.stop(id)
    const lock = await this.#lock(id)
    try {
      await removeRun(this.#options.store, id)
    } finally {
      lock.release()
    }
    this.#options.emitRemoved(id)
  }

  /** The right to change a run. Throws E_BUSY while another tab has it, or this one is still busy with it. */
  async #lock(id: string): Promise<{ release(): void }> {
    const lock = await takeLock(lockName(id))
    if (!lock)
      throw new GraftError('E_BUSY', 'This run is in use in another tab. Close that tab, or wait for it.', {
        run: id,
      })
    return lock
  }

  #enqueue(run: Run, resume: boolean, lock: { release(): void }): void {
    this.#ended.set(run.id, deferred())
    this.#line.push({
      id: run.id,
      model: run.config.model,
      resume,
      cancelled: false,
      paused: false,
      lock,
      begun: deferred(),
    })
    void this.#update(run, { status: 'queued', error: null })
    if (this.#line.length === 1) void this.#work()
  }

  async #work(): Promise<void> {
    while (this.#line.length > 0) {
      const entry = this.#line[0]!
      const ended = this.#ended.get(entry.id)
      try {
        const run = await getRun(this.#options.store, entry.id)
        if (entry.cancelled) await this.#update(run, { status: 'stopped' })
        else await this.#train(run, entry)
        ended?.resolve(run)
      } catch (error) {
        ended?.reject(asGraftError(error))
      }
      this.#line.shift()
      this.#ended.delete(entry.id)
      entry.begun.resolve()
      entry.lock.release()
    }
  }

  async #train(run: Run, entry: Waiting): Promise<void> {
    const { ready, backend, store } = this.#options
    const log = new HistoryLog(store, run)
    let trainer: Trainer | null = null
    let base: { release(): void } | null = null
    try {
      await ready()
      const held = await this.#hold(run)
      base = held
      const saved = entry.resume ? await this.#lastState(run) : null
      trainer = await this.#trainer(run, held.base, log, saved)
      if (entry.resume) await this.#rewind(run, trainer)
      this.#live = { run, trainer }
      const { precision } = held.base.info
      await this.#update(run, { status: 'running', backend: backend(), precision, error: null })
      entry.begun.resolve()
      if (entry.cancelled) trainer.stop()
      else if (entry.paused) void this.pause(run.id)
      const outcome = await trainer.run()
      await this.#unlessFull(() => log.flush())
      await this.#update(run, {
        status: outcome,
        step: trainer.step,
        seconds: trainer.seconds,
        secondsLeft: outcome === 'done' ? 0 : null,
      })
    } catch (error) {
      await log.flush().catch(() => undefined)
      await this.#fail(run, error)
    } finally {
      this.#live = null
      trainer?.dispose()
      base?.release()
      releaseFreeBuffers()
    }
  }

  /** The base of a run, in the precision that it began with. Throws E_BUSY where a question holds it in another one. */
  async #hold({ config, precision }: Run): Promise<HeldModel> {
    const { models } = this.#options
    if (precision && models.precisionOf(config.model) !== precision) {
      await models.config(config.model) // says that it is not here any more
      const unheard = { signal: new AbortController().signal, progress: () => undefined }
      await models.load({ builtin: config.model }, { precision }, unheard)
    }
    return models.hold(config.model)
  }

  /** Runs work on the store; a full disk is said, and the training goes on. Resolves with whether it was done. */
  async #unlessFull(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (thrown) {
      const error = asGraftError(thrown)
      if (error.code !== 'E_STORAGE') throw error
      this.#options.emitFault(error)
      return false
    }
  }

  async #trainer(run: Run, base: LoadedModel, log: HistoryLog, saved: Saved | null): Promise<Trainer> {
    const { store, turns, backend } = this.#options
    const { config, taskConfig, labels } = run
    const dataset = await getDataset(store, config.dataset)
    const reading = {
      dataset,
      taskConfig,
      labels,
      tokenizer: base.tokenizer,
      maxLength: config.training.maxLength,
    }
    const train = await DatasetRows.open(store, reading, 'train')
    if ((await dataKey(store, dataset.id, taskConfig)) !== run.dataKey)
      throw new GraftError(
        'E_DATASET',
        `The split or the recipe of ${dataset.name} has changed since this run began, so it would train on rows that were held back, or with other weights. Start a new run.`,
        { dataset: dataset.id },
      )
    const validation = await DatasetRows.open(store, reading, 'validation')
    const plan = planOf(base, config, labels)
    const initial = await this.#initial(run, plan, base, saved)
    const record = await RowRecord.open(store, run, saved?.state.step ?? 0)
    const film = run.film && (await this.#film(run, base, () => trainer, saved?.state.step ?? 0))
    const trainer: Trainer = new Trainer({
      model: base.model,
      plan,
      initial,
      dropout: config.adapter.dropout,
      training: config.training,
      checkpointing: checkpointingOf(
        base.model,
        config,
        labels?.length ?? null,
        base.info.precision,
        this.#options.models.budgetBeside(base.info.id),
      ),
      labels: labels?.length ?? null,
      padId: base.padId,
      train,
      validation: validation.rows > 0 ? validation : null,
      turns,
      readEvery: READ_EVERY[backend()],
      ...(film && { film }),
      hooks: {
        entries: async (entries) => {
          await this.#unlessFull(() => log.add(entries))
          const { seconds, step, steps } = trainer
          await this.#tell(run, entries, {
            step,
            seconds,
            secondsLeft: step > 0 ? (seconds / step) * (steps - step) : null,
            skippedRows: train.empty + trainer.skippedRows,
          })
        },
        validation: async (step, result) => {
          await this.#unlessFull(() => log.amend(step, result))
          const entry = run.history.findLast((candidate) => candidate.step === step)
          if (entry) await this.#tell(run, [entry], {})
        },
        rows: (seen) => record.add(seen),
        checkpoint: (state, validationLoss) => {
          return this.#unlessFull(async () => {
            await log.flush()
            await record.flush()
            await this.#save(run, trainer, state, validationLoss)
          })
        },
      },
    })
    if (saved) {
      trainer.restore(saved.state)
      await currentTuner()?.adopt(saved.kernels)
    }
    return trainer
  }

  /** What takes the frames of a run's film, from a step on. */
  #film(run: Run, base: LoadedModel, trainer: () => Trainer, step: number): Promise<FilmRecorder> {
    const { store, turns, emitFault } = this.#options
    const { model, padId, tokenizer } = base
    return FilmRecorder.open(
      {
        store,
        run: run.id,
        info: run.film!,
        base,
        labels: run.labels,
        asked: () => ({ model, padId, turns, maskId: tokenizer.maskId, trainable: trainer().trainable() }),
        tell: (film) => this.#update(run, { film }),
        fault: emitFault,
      },
      step,
    )
  }

  /** The values that training begins or goes on with. */
  async #initial({ config }: Run, plan: AdapterPlan, base: LoadedModel, saved: Saved | null) {
    const { adapter, from, training } = config
    if (saved) return continuedParameters(plan, adapter, stateTensors(saved.state.parameters, saved.shapes))
    if (from === undefined)
      return initialParameters(plan, adapter, training.seed, baseValues(base.model, base.weights))
    const { tensors } = await beginningOf(from, base, this.#options)
    return continuedParameters(plan, adapter, await tensors())
  }

  async #save(run: Run, trainer: Trainer, state: TrainerState, validationLoss?: number): Promise<void> {
    const { store } = this.#options
    const before = run.checkpoints.flatMap((checkpoint) => checkpoint.validationLoss ?? [])
    const best = validationLoss !== undefined && before.every((loss) => validationLoss < loss)
    await saveCheckpoint(
      store,
      run.id,
      { step: state.step, best, ...(validationLoss !== undefined && { validationLoss }) },
      packState(state, trainer.store.slots, run.config),
    )
    const checkpoints = (await listCheckpoints(store, run.id)).map(({ best: _best, ...info }) => info)
    await this.#update(run, { checkpoints, step: state.step, seconds: state.seconds })
  }

  /** The newest checkpoint, or null; a damaged one is passed over for the one before. */
  async #lastState(run: Run): Promise<Saved | null> {
    for (const { id } of run.checkpoints.toReversed()) {
      try {
        return loadSnapshot(await readCheckpoint(this.#options.store, run.id, id))
      } catch (error) {
        if (asGraftError(error).code !== 'E_HASH') throw error
      }
    }
    return null
  }

  /** Forgets the history after the step where a trainer goes on. */
  async #rewind(run: Run, trainer: Trainer): Promise<void> {
    await truncateHistory(this.#options.store, run.id, trainer.step)
    run.history = run.history.filter((entry) => entry.step <= trainer.step)
    run.step = trainer.step
  }

  async #fail(run: Run, thrown: unknown): Promise<void> {
    const { code, message } = asGraftError(thrown)
    await this.#update(run, { status: 'failed', secondsLeft: null, error: { code, message } })
  }

  /** Changes a run, writes it down and tells everybody. */
  async #update(run: Run, change: Partial<Run>): Promise<void> {
    Object.assign(run, change)
    this.#emit(run, [])
    // A full disk must not end a run that goes on in memory; the next checkpoint says so.
    await putRun(this.#options.store, run).catch(() => undefined)
  }

  /** Tells of new history; the record itself is written with the next checkpoint. */
  async #tell(run: Run, entries: HistoryEntry[], change: Partial<Run>): Promise<void> {
    Object.assign(run, change)
    this.#emit(run, entries)
  }

  #emit(run: Run, entries: HistoryEntry[]): void {
    const { history: _history, ...rest } = run
    this.#options.emit({ run: rest, entries })
  }
}

const lockName = (id: string) => `graft-run-${id}`

/** What a run trains of its base. Throws E_ARGUMENT as planAdapter. */
export function planOf(
  base: LoadedModel,
  { adapter }: Pick<RunConfig, 'adapter'>,
  labels: string[] | null,
): AdapterPlan {
  return planAdapter(base.family, base.model.architecture, adapter, labels?.length ?? null, base.bare)
}
