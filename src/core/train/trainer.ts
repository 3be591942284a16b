// The training loop: micro-batches -> one AdamW step -> every few steps one readback, a validation, a checkpoint.
// It knows nothing of workers or databases: rows come from an ExampleSource, news go out through hooks.
import { GraftError } from '../../protocol/errors.ts'
import type { AdapterConfig, Checkpointing, HistoryEntry, TrainingConfig } from '../../protocol/run.ts'
import { storeAdaptation } from '../adapters/adaptation.ts'
import type { AdapterPlan } from '../adapters/plan.ts'
import { releaseFreeBuffers } from '../backend/memory.ts'
import { deferred, type Deferred } from '../deferred.ts'
import type { Transformer } from '../models/transformer.ts'
import { scheduleFactor, warmupSteps } from '../optim/schedule.ts'
import { ParameterStore, type InitialParameter, type ParameterSnapshot } from '../optim/parameters.ts'
import type { Turns } from '../turns.ts'
import { evaluateExamples } from './evaluate.ts'
import type { FilmHook } from './film.ts'
import { exampleRows, type Example, type ExampleRows, type Trainable } from './objective.ts'
import { RowOrder, stepsPerEpoch, totalSteps } from './plan.ts'
import { RowTap, type SeenRows } from './rowTap.ts'
import { tapCapacity } from './rowResults.ts'
import { Steps, STEP_NUMBERS } from './steps.ts'

/** Tokenised rows by their place in one part of a dataset. */
export interface ExampleSource {
  readonly rows: number
  get(places: readonly number[]): Promise<Example[]>
}

/** All that a run needs to go on exactly where it was; with the configuration, what a checkpoint holds. */
export interface TrainerState {
  step: number
  parameters: ParameterSnapshot
  /** Seconds trained so far, pauses excluded. */
  seconds: number
  skippedRows: number
}

/** Mean cross-entropy over the validation rows, and the share predicted correctly for classifiers. */
export type Validation = Required<Pick<HistoryEntry, 'validationLoss'>> &
  Pick<HistoryEntry, 'validationAccuracy'>

export interface TrainerHooks {
  /** New history, in order. */
  entries(entries: HistoryEntry[]): Promise<void> | void
  /** A look at the validation rows after a step that `entries` has told. */
  validation(step: number, result: Validation): Promise<void> | void
  /** Resolves with whether it was saved; a full disk does not end the training. */
  checkpoint(state: TrainerState, validationLoss?: number): Promise<boolean>
  /** What the model said of the rows of steps that `entries` has told, before it learnt from them; where the settings
   *  record it (`recordRows`). */
  rows?(seen: SeenRows[]): void
}

export interface TrainerOptions {
  model: Transformer
  /** What is trained, and its values at step 0. */
  plan: AdapterPlan
  initial: InitialParameter[]
  /** Share of the adapters' inputs that is switched off. */
  dropout: AdapterConfig['dropout']
  training: TrainingConfig
  /** What `training.checkpointing` comes to on this device. */
  checkpointing: Checkpointing
  /** Number of labels, or null for language modelling. */
  labels: number | null
  padId: number
  train: ExampleSource
  validation: ExampleSource | null
  turns: Turns
  hooks: TrainerHooks
  /** Steps between readbacks: 1 where reading is free (cpu, wasm), more on a GPU. */
  readEvery: number
  /** Whether steps are recorded and replayed where the ops can (ops/recorder.ts); default true. Changes no result. */
  recorded?: boolean
  /** Frames of the model as it learns. */
  film?: FilmHook
}

/** Wall-clock time between checkpoints where the settings leave it to the clock. */
const CHECKPOINT_SECONDS = 30
/** Rows of the validation part that are looked at during training. */
const VALIDATION_ROWS = 512

export type TrainerOutcome = 'done' | 'stopped'

interface Pending {
  step: number
  learningRate: number
  tokens: number
}

export class Trainer {
  readonly store: ParameterStore
  readonly steps: number
  readonly #options: TrainerOptions
  readonly #order: RowOrder
  readonly #stepping: Steps
  readonly #tap: RowTap | null
  readonly #warmup: number
  #step = 0
  #seconds = 0
  #skippedRows = 0
  #pending: Pending[] = []
  /** A reading on its way, and what it ended with where it failed. */
  #reading: Promise<void> = Promise.resolve()
  #failedReading: { error: unknown } | null = null
  #segmentStart = 0
  #lastRead = 0
  #lastCheckpointAt = 0
  #checkpointed = -1
  #pause: { halted: Deferred<void>; released: Deferred<void> } | null = null
  #stopped = false
  /** Cuts a rehearsal short: by then the run is over. */
  readonly #over = new AbortController()
  #fault: GraftError | null = null
  /** Whether any step had a label to learn. */
  #trained = false

  constructor(options: TrainerOptions) {
    this.#options = options
    const { model, training } = options
    this.store = new ParameterStore(model.ops, options.initial)
    this.steps = totalSteps(options.train.rows, training)
    this.#warmup = warmupSteps(training.warmup, this.steps)
    this.#order = new RowOrder(options.train.rows, training)
    const perStep = tapCapacity(training, options.labels)
    this.#tap =
      training.recordRows && options.hooks.rows
        ? RowTap.of({
            ops: model.ops,
            classes: options.labels,
            smoothing: training.labelSmoothing,
            capacity: perStep * options.readEvery,
          })
        : null
    this.#stepping = new Steps({
      model,
      store: this.store,
      plan: options.plan,
      checkpointing: options.checkpointing,
      classify: options.labels !== null,
      smoothing: training.labelSmoothing,
      dropout: { rate: options.dropout, seed: training.seed },
      hyper: training,
      capacity: options.readEvery,
      turns: options.turns,
      recorded: options.recorded ?? true,
      ...(this.#tap && { tap: this.#tap }),
    })
  }

  /** Whether steps are recorded and replayed; certain after the first. */
  get recorded(): boolean {
    return this.#stepping.recorded
  }

  get step(): number {
    return this.#step
  }

  get skippedRows(): number {
    return this.#skippedRows
  }

  /** Seconds of training so far, pauses excluded. */
  get seconds(): number {
    return this.#seconds + (this.#segmentStart ? (performance.now() - this.#segmentStart) / 1000 : 0)
  }

  get paused(): boolean {
    return this.#pause !== null
  }

  /** What stands beside the base right now: used to ask the live model. */
  trainable(): Trainable {
    return {
      adaptation: storeAdaptation(this.store, this.#options.plan),
      classify: this.#options.labels !== null,
    }
  }

  restore(state: TrainerState): void {
    this.store.restore(state.parameters)
    this.#step = state.step
    this.#seconds = state.seconds
    this.#skippedRows = state.skippedRows
    this.#checkpointed = state.step
    this.#trained = state.step > 0
  }

  async state(): Promise<TrainerState> {
    return {
      step: this.#step,
      parameters: await this.store.snapshot(),
      seconds: this.seconds,
      skippedRows: this.#skippedRows,
    }
  }

  /** Halts before the next step, after a checkpoint; resolves when it has halted (or ended first). */
  pause(): Promise<void> {
    this.#pause ??= { halted: deferred(), released: deferred() }
    return this.#pause.halted.promise
  }

  resume(): void {
    this.#pause?.halted.resolve()
    this.#pause?.released.resolve()
    this.#pause = null
  }

  /** Ends before the next step, keeping what was learnt. */
  stop(): void {
    this.#stopped = true
    this.#over.abort()
    this.resume()
  }

  /** Ends with this error before the next step: what was computed since the fault cannot be trusted. */
  fail(error: GraftError): void {
    this.#fault ??= error
    this.#over.abort()
    this.resume()
  }

  /** Trains to the end. Throws E_NON_FINITE at the first loss or gradient that is no number; the weights then are
   *  those before that step, and earlier checkpoints are untouched. */
  async run(): Promise<TrainerOutcome> {
    try {
      return await this.#run()
    } catch (error) {
      // After a fault of the device whatever fails next is its consequence.
      throw this.#fault ?? error
    }
  }

  async #run(): Promise<TrainerOutcome> {
    const { training, train, turns, readEvery } = this.#options
    const perEpoch = stepsPerEpoch(train.rows, training)
    this.#resumeClock()
    // A run always has a checkpoint to go back to, even if its first step fails.
    if (this.#checkpointed < 0) await this.#checkpoint()
    await this.#film()
    while (this.#step < this.steps && !this.#stopped) {
      if (this.#pause) await this.#waitWhilePaused()
      if (this.#stopped) break
      if (this.#fault) throw this.#fault
      const examples = await Promise.all(
        this.#order.microBatches(this.#step).map((places) => train.get(places)),
      )
      await this.#stepping.ready()
      if (!(await turns.take(() => this.#trainStep(examples)))) continue
      if (!this.#trained && this.#step % perEpoch === 0) throw this.#nothingTrained()
      if (this.#pending.length >= readEvery) await this.#beginReading()
      this.#checkRead()

      const last = this.#step === this.steps
      const every = training.validateEvery || perEpoch
      let validationLoss: number | undefined
      if (this.#options.validation && (this.#step % every === 0 || last))
        validationLoss = await this.#validate(this.#options.validation)
      const due = training.checkpointEvery
        ? this.#step % training.checkpointEvery === 0
        : performance.now() - this.#lastCheckpointAt > CHECKPOINT_SECONDS * 1000
      if (due || last || validationLoss !== undefined) await this.#checkpoint(validationLoss)
      await this.#film()
    }
    if (this.#stopped) await this.#film()
    await this.#readPending()
    if (!this.#trained && this.#step === this.steps) throw this.#nothingTrained()
    if (this.#checkpointed !== this.#step) await this.#checkpoint()
    if (this.#checkpointed !== this.#step)
      throw new GraftError(
        'E_STORAGE',
        `Storage is full: what was learnt after step ${Math.max(0, this.#checkpointed)} could not be saved. ` +
          'Remove a dataset, run or model, then resume from there.',
        { step: this.#checkpointed },
      )
    this.#stopClock()
    this.resume()
    return this.#step === this.steps ? 'done' : 'stopped'
  }

  dispose(): void {
    // Whoever waits for a pause has waited enough.
    this.resume()
    this.#pending = []
    this.#stepping.dispose()
    this.#tap?.dispose()
    this.store.dispose()
  }

  #nothingTrained(): GraftError {
    const { maxLength } = this.#options.training
    return new GraftError(
      'E_DATASET',
      `No row leaves anything to learn within ${maxLength} tokens: the prompts alone are as long. Raise the longest example.`,
      { maxLength },
    )
  }

  /** One optimizer step; false where the run was over before it. */
  async #trainStep(microBatches: Example[][]): Promise<boolean> {
    const { model, training, padId, train } = this.#options
    const k = this.#step
    const { row } = model.family.classifier
    const batches = microBatches.map((examples) =>
      exampleRows(examples, padId, model.architecture.context, row, training.packing),
    )
    if (!(await this.#rehearse(batches))) return false
    this.#step++
    // The same rows come again in later epochs; they are counted once.
    if (k < stepsPerEpoch(train.rows, training))
      for (const examples of microBatches)
        this.#skippedRows += examples.filter((example) => !trains(example)).length
    const labelWeight = batches.reduce((sum, batch) => sum + batch.labelWeight, 0)
    if (labelWeight === 0) return true
    this.#trained = true
    const micros = batches
      .map((rows, micro) => ({ rows, count: k * training.accumulation + micro }))
      .filter(({ rows }) => rows.labelCount > 0)
    const learningRate =
      training.learningRate * scheduleFactor(training.schedule, k, this.steps, this.#warmup)
    await this.#stepping.run(micros, 1 / labelWeight, { learningRate, step: k + 1 })
    const places = this.#order.microBatches(k)
    const noted = batches.map((rows, i) => ({ rows, examples: microBatches[i]!, places: places[i]! }))
    this.#tap?.note(k + 1, 1 / labelWeight, noted)
    const tokens = batches.reduce((sum, batch) => sum + batch.tokenCount, 0)
    this.#pending.push({ step: k + 1, learningRate, tokens })
    return true
  }

  /** Rehearses the shapes of a step before it begins; false where the run was over before that was done. */
  async #rehearse(batches: readonly ExampleRows[]): Promise<boolean> {
    try {
      for (const rows of batches) await this.#stepping.rehearse(rows, this.#over.signal)
      return true
    } catch (error) {
      if (this.#over.signal.aborted) return false
      throw error
    }
  }

  /** One readback for all steps since the last one; resolves when they have been told of. */
  async #readPending(): Promise<void> {
    await this.#beginReading()
    await this.#reading
    this.#checkRead()
  }

  /** The same without waiting for replayed steps: the next ones go on while the numbers are on their way. */
  async #beginReading(): Promise<void> {
    await this.#reading
    this.#checkRead()
    if (this.#pending.length === 0) return
    const pending = this.#pending.splice(0)
    // Both are copied at once, before any later step.
    const reading = Promise.all([this.#stepping.read(), this.#tap?.read()])
    this.#reading = reading
      .then(async ([numbers, seen]) => {
        await this.#tell(pending, numbers)
        if (seen) this.#options.hooks.rows?.(seen)
      })
      .catch((error: unknown) => {
        this.#failedReading = { error }
      })
    if (!this.#stepping.recorded) await this.#reading
    this.#checkRead()
  }

  #checkRead(): void {
    if (this.#failedReading) throw this.#failedReading.error
  }

  async #tell(pending: readonly Pending[], values: Float32Array): Promise<void> {
    const now = performance.now()
    const tokensPerSecond =
      pending.reduce((sum, { tokens }) => sum + tokens, 0) / Math.max(1e-3, (now - this.#lastRead) / 1000)
    this.#lastRead = now
    const entries: HistoryEntry[] = []
    for (const [i, { step, learningRate }] of pending.entries()) {
      const [loss, gradNorm, energy] = values.subarray(STEP_NUMBERS * i) as unknown as [
        number,
        number,
        number,
      ]
      const wrong = [
        ['loss', loss],
        ['gradient', gradNorm],
        ['size of the activations', energy],
      ].find(([, value]) => !Number.isFinite(value))
      if (wrong) {
        if (entries.length) await this.#options.hooks.entries(entries)
        throw new GraftError(
          'E_NON_FINITE',
          `Training stopped at step ${step}: the ${wrong[0]} is no longer a number. ` +
            `The last good checkpoint is kept. Try a learning rate ten times lower than ${this.#options.training.learningRate}.`,
          { step, loss, gradNorm, energy },
        )
      }
      entries.push({ step, loss, learningRate, gradNorm, tokensPerSecond })
    }
    await this.#options.hooks.entries(entries)
  }

  async #validate(source: ExampleSource): Promise<number | undefined> {
    await this.#readPending()
    const { model, padId, training, turns, hooks } = this.#options
    const places = Array.from({ length: Math.min(source.rows, VALIDATION_ROWS) }, (_, i) => i)
    const sums = await evaluateExamples({
      model,
      padId,
      turns,
      source,
      places,
      trainable: () => this.trainable(),
      batchSize: training.batchSize,
    })
    // Replayed steps do not use the pool: what the look has left there would only lie about.
    if (this.#stepping.recorded) releaseFreeBuffers()
    this.#lastRead = performance.now()
    if (sums.labels === 0) return undefined
    const validationLoss = sums.loss / sums.labels
    await hooks.validation(
      this.#step,
      this.#options.labels === null
        ? { validationLoss }
        : { validationLoss, validationAccuracy: sums.correct / sums.labels },
    )
    return validationLoss
  }

  /** A frame of the film, where one is due: between steps, from weights that it leaves as they are. */
  async #film(): Promise<void> {
    const { film } = this.#options
    const last = this.#step === this.steps || this.#stopped
    if (!film?.due(this.#step, last)) return
    await this.#readPending()
    await film.take(this.#step, last)
    if (this.#stepping.recorded) releaseFreeBuffers()
    this.#lastRead = performance.now()
  }

  async #checkpoint(validationLoss?: number): Promise<void> {
    await this.#readPending()
    if (this.#fault) throw this.#fault
    const state = await this.#options.turns.take(() => this.state())
    if (await this.#options.hooks.checkpoint(state, validationLoss)) this.#checkpointed = this.#step
    this.#lastCheckpointAt = performance.now()
    this.#lastRead = performance.now()
  }

  async #waitWhilePaused(): Promise<void> {
    if (this.#checkpointed !== this.#step) await this.#checkpoint()
    this.#stopClock()
    this.#pause?.halted.resolve()
    await this.#pause?.released.promise
    this.#resumeClock()
  }

  #resumeClock(): void {
    this.#segmentStart = this.#lastRead = this.#lastCheckpointAt = performance.now()
  }

  #stopClock(): void {
    this.#seconds = this.seconds
    this.#segmentStart = 0
  }
}

function trains(example: Example): boolean {
  return 'label' in example
    ? example.label >= 0 && example.ids.length > 0
    : example.labels.some((label, t) => t > 0 && label >= 0)
}
