// Training steps that are recorded: the first micro-batch of a shape is made in JavaScript, every further one is a replay
// over inputs that are written anew (ops/recorder.ts). A step is one replay for each micro-batch, which adds to the gradients,
// and one for the optimizer. Loss, energy and norm stay on the device until somebody reads them.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { Checkpointing } from '../../protocol/run.ts'
import type { AdapterPlan } from '../adapters/plan.ts'
import { storeAdaptation } from '../adapters/adaptation.ts'
import type { Transformer } from '../models/transformer.ts'
import { packedLook } from '../ops/layout.ts'
import type { ParameterStore } from '../optim/parameters.ts'
import type { AdamwHyper } from '../ops/ops.ts'
import type { Recorder, Recording, StepLog } from '../ops/recorder.ts'
import { lossAndGradients, placedExamples, type ExampleBatch, type ExampleRows } from './objective.ts'
import type { RowTap } from './rowTap.ts'

/** Shapes whose recordings are kept; the one that was used longest ago goes first. */
const SHAPES = 48
/** Steps that may wait on the device: one is computed while the next is handed over. */
const IN_FLIGHT = 2

export interface RecordedOptions {
  model: Transformer
  store: ParameterStore
  plan: AdapterPlan
  checkpointing: Checkpointing
  classify: boolean
  smoothing: number
  dropout: { rate: number; seed: number }
  hyper: Omit<AdamwHyper, 'learningRate' | 'step'>
  /** Steps between two readings. */
  capacity: number
  /** Takes what the steps say of their rows. */
  tap?: RowTap
}

/** One shape: its recording, and the inputs that it reads. */
interface Shape {
  recording: Recording
  batch: ExampleBatch
}

export interface MicroBatch {
  rows: ExampleRows
  /** Counts all micro-batches of a run: what dropout draws its masks by. */
  count: number
}

export class RecordedSteps {
  readonly #options: RecordedOptions
  readonly #recorder: Recorder
  readonly #log: StepLog
  readonly #shapes = new Map<string, Shape>()
  #update: Recording | null = null
  /** The numbers of the step that is replayed; recordings read them here. */
  readonly #dropout: { rate: number; seed: number; step: number }
  readonly #hyper: AdamwHyper
  #factor = 0
  #place = 0
  #inFlight: Promise<void>[] = []

  constructor(recorder: Recorder, options: RecordedOptions) {
    this.#options = options
    this.#recorder = recorder
    this.#log = recorder.log(options.capacity)
    options.tap?.recordWith(recorder)
    this.#dropout = { ...options.dropout, step: 0 }
    this.#hyper = { ...options.hyper, learningRate: 0, step: 1 }
  }

  /** Bytes of what all recordings share. */
  get bytes(): number {
    return this.#recorder.bytes
  }

  /** Makes what is missing to replay these; false where this kind of training cannot be recorded. */
  prepare(batches: readonly ExampleRows[]): boolean {
    if (!this.#update?.intact() && !this.#recordUpdate()) return false
    return batches.every((rows) => this.#shape(rows) !== null)
  }

  /** Resolves when the device is ready for another step. */
  async ready(): Promise<void> {
    while (this.#inFlight.length >= IN_FLIGHT) await this.#inFlight.shift()
  }

  /** Adds the gradients of a prepared micro-batch; `factor` is that of lossAndGradients. */
  pass({ rows, count }: MicroBatch, factor: number): void {
    const { recording, batch } = this.#shape(rows)!
    this.#factor = factor
    this.#dropout.step = count
    this.#options.tap?.begin(rows)
    this.#write(batch, rows)
    recording.replay()
    this.#options.store.forget()
  }

  /** Ends the step: AdamW, and its numbers to a place of the log. */
  update({ learningRate, step }: Pick<AdamwHyper, 'learningRate' | 'step'>, place: number): void {
    Object.assign(this.#hyper, { learningRate, step })
    this.#place = place
    this.#update!.replay()
    this.#options.store.forget()
    // Where the device is lost, its own handlers tell.
    this.#inFlight.push(this.#recorder.done().catch(() => undefined))
  }

  /** Loss, energy and norm of the steps at the first places: copied at once, and given when they have been computed. */
  read(steps: number): Promise<Float32Array> {
    return this.#log.read(steps)
  }

  dispose(): void {
    for (const { recording, batch } of this.#shapes.values()) {
      recording.dispose()
      batch.dispose()
    }
    this.#shapes.clear()
    this.#update?.dispose()
    this.#log.dispose()
    this.#recorder.dispose()
  }

  #recordUpdate(): boolean {
    const { store } = this.#options
    this.#update?.dispose()
    this.#update = this.#record(() => {
      const norm = store.step(this.#hyper)
      this.#log.close(norm, () => this.#place)
      norm.dispose()
    })
    return this.#update !== null
  }

  /** The recording of a shape, made at the first sight of it. */
  #shape(rows: ExampleRows): Shape | null {
    const { batch, length } = rows.tokens
    const key = `${batch} ${length} ${rows.rows.length} ${rows.weights === null ? '' : 'weighted'}`
    const known = this.#shapes.get(key)
    this.#shapes.delete(key)
    if (known?.recording.intact()) {
      this.#shapes.set(key, known) // the last to be forgotten
      return known
    }
    if (known) this.#forget(known)
    const [oldest] = this.#shapes
    if (oldest && this.#shapes.size >= SHAPES) {
      this.#shapes.delete(oldest[0])
      this.#forget(oldest[1])
    }
    const made = this.#recordPass(rows)
    if (made) this.#shapes.set(key, made)
    return made
  }

  #recordPass(rows: ExampleRows): Shape | null {
    const { model, store, plan, classify, smoothing, checkpointing, tap } = this.#options
    const { gradients } = store
    const batch = placedExamples(rows)
    try {
      const trainable = { adaptation: storeAdaptation(store, plan, this.#dropout), classify, smoothing }
      const recording = this.#record(() => {
        const factor = () => this.#factor
        const sums = lossAndGradients(model, batch, trainable, factor, gradients, checkpointing, tap?.watch)
        this.#log.add(sums.loss, sums.energy)
        sums.loss.dispose()
        sums.energy.dispose()
      })
      if (recording) return { recording, batch }
    } catch (error) {
      batch.dispose()
      throw error
    }
    batch.dispose()
    return null
  }

  /** Values that the store hands out while a step is recorded were never computed. */
  #record(work: () => void): Recording | null {
    const { store } = this.#options
    store.forget()
    return this.#recorder.record(() => {
      try {
        work()
      } finally {
        store.forget()
      }
    })
  }

  #forget({ recording, batch }: Shape): void {
    recording.dispose()
    batch.dispose()
  }

  #write(batch: ExampleBatch, { tokens, rows, inverse, labels, weights }: ExampleRows): void {
    const { layout, positions, ids } = batch.tokens
    const inputs: [Tensor, Int32Array | Float32Array][] = [
      [ids, tokens.ids],
      [positions, tokens.positions],
      [batch.rows, rows],
      [batch.inverse, inverse],
      [batch.labels, labels],
    ]
    if (batch.weights) inputs.push([batch.weights, weights!])
    for (const [tensor, values] of inputs) this.#recorder.write(tensor, values)
    if (!layout.packed) return
    const [queryPositions, querySegments] = [tokens.positions, tokens.segments]
    const look = { queryPositions, querySegments, keyPositions: queryPositions, keySegments: querySegments }
    this.#recorder.write(layout.packed, packedLook(look))
  }
}
