// One optimizer step after the other: replayed where they can be recorded, computed call by call where not. Which of the
// two it is changes no bit of the result. Where a kind of training asks for something that cannot be recorded, the first
// step shows it, and the run goes on without (ops/webgpu/recording.ts has the rule).
import { add, dispose, type Tensor } from '@tensorflow/tfjs-core'
import { storeAdaptation } from '../adapters/adaptation.ts'
import type { AdamwHyper } from '../ops/ops.ts'
import { breathe, type Turns } from '../turns.ts'
import {
  lossAndGradients,
  placedExamples,
  readScalars,
  type ExampleRows,
  type StepScalars,
} from './objective.ts'
import { RecordedSteps, type MicroBatch, type RecordedOptions } from './recorded.ts'
import { Rehearsals } from './rehearsal.ts'

export interface StepsOptions extends RecordedOptions {
  turns: Turns
  /** False: never recorded. */
  recorded: boolean
}

/** What differs from step to step. */
export type StepHyper = Pick<AdamwHyper, 'learningRate' | 'step'>

/** Numbers of a step: loss, norm of the gradient, energy (objective.ts). */
export const STEP_NUMBERS = 3

export class Steps {
  readonly #options: StepsOptions
  readonly #rehearsals: Rehearsals
  #recorded: RecordedSteps | null = null
  /** Of computed steps that were not read yet. */
  #scalars: Tensor[] = []
  /** Replayed steps that were not read yet, and what was read when recording was given up. */
  #replayed = 0
  #before = new Float32Array(0)
  #reading: Promise<unknown> = Promise.resolve()

  constructor(options: StepsOptions) {
    this.#options = options
    this.#rehearsals = new Rehearsals(options.model.ops)
    const recorder = options.recorded ? options.model.ops.recorder?.() : undefined
    if (recorder) this.#recorded = new RecordedSteps(recorder, options)
  }

  /** Whether steps are replayed; certain after the first. */
  get recorded(): boolean {
    return this.#recorded !== null
  }

  /** Resolves when the device is ready for another step. */
  async ready(): Promise<void> {
    await this.#recorded?.ready()
  }

  /** Before the first step over rows of this shape: tries out how its kernels run best. @throws as Rehearsals.before */
  async rehearse(rows: ExampleRows, signal: AbortSignal): Promise<void> {
    const shape = [rows.tokens.batch, rows.tokens.length, rows.rows.length]
    if (rows.labelCount === 0 || this.#rehearsals.knows(shape)) return
    const { model, store, plan, dropout, classify, smoothing, checkpointing } = this.#options
    // Kernels are tried out over its layout, after the pass.
    const batch = placedExamples(rows)
    try {
      const pass = () => {
        const trainable = {
          adaptation: storeAdaptation(store, plan, { ...dropout, step: 0 }),
          classify,
          smoothing,
        }
        const { loss, energy } = lossAndGradients(model, batch, trainable, 1, store.gradients, checkpointing)
        store.gradients.clear()
        return [loss, energy]
      }
      await this.#rehearsals.before(shape, pass, signal)
    } finally {
      batch.dispose()
    }
  }

  /** A step over its micro-batches; `factor` as of lossAndGradients. Messages are read between micro-batches, so that a long
   *  step does not look like a hang. On its turn. */
  async run(micros: readonly MicroBatch[], factor: number, hyper: StepHyper): Promise<void> {
    if (this.#recorded && !this.#recorded.prepare(micros.map(({ rows }) => rows))) await this.#giveUp()
    if (this.#recorded) await this.#replay(this.#recorded, micros, factor, hyper)
    else await this.#compute(micros, factor, hyper)
  }

  /** The numbers of all steps since the last reading. Replayed steps may go on meanwhile; one reading at a time. */
  async read(): Promise<Float32Array> {
    if (this.#recorded) {
      const count = this.#replayed
      this.#replayed = 0
      const reading = this.#recorded.read(count)
      this.#reading = reading.catch(() => undefined)
      return reading
    }
    const before = this.#before
    this.#before = new Float32Array(0)
    const scalars = this.#scalars
    this.#scalars = []
    const after = await this.#options.turns.take(() => readScalars(scalars))
    return Float32Array.from([...before, ...after])
  }

  dispose(): void {
    dispose(this.#scalars)
    this.#scalars = []
    this.#recorded?.dispose()
    this.#recorded = null
  }

  async #replay(
    recorded: RecordedSteps,
    micros: readonly MicroBatch[],
    factor: number,
    hyper: StepHyper,
  ): Promise<void> {
    for (const [i, micro] of micros.entries()) {
      if (i > 0) await breathe()
      recorded.pass(micro, factor)
    }
    recorded.update(hyper, this.#replayed++)
  }

  async #compute(micros: readonly MicroBatch[], factor: number, hyper: StepHyper): Promise<void> {
    const { model, store, plan, dropout, classify, smoothing, checkpointing, tap } = this.#options
    const { gradients } = store
    let sums: StepScalars | null = null
    try {
      for (const [i, { rows, count }] of micros.entries()) {
        if (i > 0) await breathe()
        const adaptation = storeAdaptation(store, plan, { ...dropout, step: count })
        const batch = placedExamples(rows)
        try {
          const trainable = { adaptation, classify, smoothing }
          const part = lossAndGradients(model, batch, trainable, factor, gradients, checkpointing, tap?.watch)
          sums = sums ? added(sums, part) : part
        } finally {
          batch.dispose()
        }
      }
      const norm = store.step({ ...this.#options.hyper, ...hyper })
      const { loss, energy } = sums!
      this.#scalars.push(loss, norm, energy)
      sums = null
    } finally {
      if (sums) dispose([sums.loss, sums.energy])
    }
  }

  /** From here on steps are computed: this kind of training needs what cannot be replayed. */
  async #giveUp(): Promise<void> {
    const recorded = this.#recorded!
    await this.#reading
    if (this.#replayed > 0) this.#before = new Float32Array(await recorded.read(this.#replayed))
    await this.#options.tap?.giveUp()
    recorded.dispose()
    this.#recorded = null
  }
}

/** Sums of two micro-batches; disposes the parts. */
function added(a: StepScalars, b: StepScalars): StepScalars {
  const sums = { loss: add(a.loss, b.loss), energy: add(a.energy, b.energy) }
  dispose([a.loss, a.energy, b.loss, b.energy])
  return sums
}
