// The gradient of one example's loss with respect to all that a run trains, by the passes of training itself.
import { concat, dispose, keep, mul, reshape, sum, tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { throwIfAborted } from '../../../protocol/errors.ts'
import { storeAdaptation } from '../../adapters/adaptation.ts'
import type { AdapterPlan } from '../../adapters/plan.ts'
import type { Transformer } from '../../models/transformer.ts'
import { ParameterStore, type InitialParameter } from '../../optim/parameters.ts'
import { exampleBatch, lossAndGradients, type Example } from '../../train/objective.ts'
import type { Turns } from '../../turns.ts'
import type { Sketch } from './sketch.ts'

/** Rows whose numbers are read together. */
const READ_ROWS = 16

export interface GradientOptions {
  model: Transformer
  plan: AdapterPlan
  /** What is trained, as it was at a checkpoint. */
  parameters: InitialParameter[]
  classify: boolean
  padId: number
  turns: Turns
  signal?: AbortSignal
}

/** Gradients of rows at one checkpoint. */
export interface RowGradients {
  /** [rows, k]: their projections, or their inner products with k other gradients. */
  numbers: Float32Array
  /** [rows]: squared lengths, exact in any case. */
  squares: Float64Array
}

/** One checkpoint on the device. A parameter whose learning rate is c times the step's counts with sqrt(c), so that inner
 *  products are what plain gradient descent changes. */
export class CheckpointGradients {
  readonly store: ParameterStore
  readonly #options: GradientOptions
  /** [P]; null where all rates are the step's. */
  readonly #scale: Tensor | null

  constructor(options: GradientOptions) {
    this.#options = options
    this.store = new ParameterStore(options.model.ops, options.parameters)
    this.#scale = this.#rates()
  }

  /** Numbers of a gradient, padding between tensors included. */
  get size(): number {
    return this.store.gradients.flat().size
  }

  /** Gradient of the mean cross-entropy over an example's labels, [P]; the caller owns it. On its turn. */
  of(example: Example): Tensor {
    const { model, plan, classify, padId } = this.#options
    const { store } = this
    const { weight: _none, ...plain } = example
    const { row } = model.family.classifier
    const batch = exampleBatch([plain], padId, model.architecture.context, row)
    try {
      const trainable = { adaptation: storeAdaptation(store, plan), classify }
      const factor = 1 / Math.max(1, batch.labelCount)
      // One row: what a block made fits beside it, and nothing is computed twice.
      const sums = lossAndGradients(model, batch, trainable, factor, store.gradients, 'none')
      dispose([sums.loss, sums.energy])
      const scale = this.#scale
      return tidy(() => {
        const flat = store.gradients.flat()
        const own = model.ops.part(flat, 0, [flat.size])
        return scale ? mul(own, scale) : own
      })
    } finally {
      store.gradients.clear()
      batch.dispose()
    }
  }

  /** Projections of the gradients of rows. */
  sketches(examples: readonly Example[], sketch: Sketch, onRow?: () => void): Promise<RowGradients> {
    return this.#each(examples, sketch.size, (gradient) => sketch.of(gradient), onRow)
  }

  /** Exact inner products with the gradient of another example. */
  async products(examples: readonly Example[], other: Example, onRow?: () => void): Promise<RowGradients> {
    const held = await this.#options.turns.take(() => this.of(other))
    try {
      const product = (gradient: Tensor) => reshape(sum(mul(gradient, held)), [1])
      return await this.#each(examples, 1, product, onRow)
    } finally {
      held.dispose()
    }
  }

  dispose(): void {
    this.#scale?.dispose()
    this.store.dispose()
  }

  async #each(
    examples: readonly Example[],
    k: number,
    numbersOf: (gradient: Tensor) => Tensor,
    onRow?: () => void,
  ): Promise<RowGradients> {
    const { model, turns, signal } = this.#options
    const numbers = new Float32Array(examples.length * k)
    const squares = new Float64Array(examples.length)
    let waiting: Tensor[] = []
    const read = async (before: number) => {
      const all = concat(waiting)
      dispose(waiting)
      const count = waiting.length
      waiting = []
      const values = await all.data()
      all.dispose()
      for (let i = 0; i < count; i++) {
        const row = before - count + i
        const own = values.subarray(i * (k + 1), (i + 1) * (k + 1))
        numbers.set(own.subarray(0, k), row * k)
        squares[row] = own[k]!
      }
    }
    try {
      for (const [i, example] of examples.entries()) {
        throwIfAborted(signal)
        await turns.take(async () => {
          waiting.push(
            tidy(() => {
              const gradient = this.of(example)
              return keep(concat([numbersOf(gradient), reshape(model.ops.sumOfSquares(gradient), [1])]))
            }),
          )
          if (waiting.length === READ_ROWS || i + 1 === examples.length) await read(i + 1)
        })
        onRow?.()
      }
    } finally {
      dispose(waiting)
    }
    return { numbers, squares }
  }

  #rates(): Tensor | null {
    const { slots } = this.store
    if (slots.every(({ rate }) => rate === 1)) return null
    const scale = new Float32Array(this.size)
    for (const { offset, size, rate } of slots) scale.fill(Math.sqrt(rate), offset, offset + size)
    return keep(tensor1d(scale))
  }
}
