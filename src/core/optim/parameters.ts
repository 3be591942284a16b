// Every trainable tensor by its PEFT name, in one flat state of values and AdamW moments.
import { clone, keep, tensor2d, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError } from '../../protocol/errors.ts'
import { download } from '../backend/download.ts'
import { largestTensor } from '../backend/placeMatrix.ts'
import { bufferSentence } from '../train/memoryWords.ts'
import {
  SLOT_ALIGNMENT,
  type AdamwHyper,
  type GradientBuffer,
  type Ops,
  type Optimizer,
  type Slot,
} from '../ops/ops.ts'

/** A trainable tensor before training. */
export interface InitialParameter {
  name: string
  shape: number[]
  values: Float32Array
  decay: boolean
  /** Its learning rate / the step's; 0 keeps it as it is. */
  rate: number
}

/** Values and both moments by name: what a checkpoint keeps of the store. */
export interface ParameterSnapshot {
  values: Record<string, Float32Array>
  firstMoments: Record<string, Float32Array>
  secondMoments: Record<string, Float32Array>
}

const ROWS = ['values', 'firstMoments', 'secondMoments'] as const

export class ParameterStore {
  readonly slots: readonly Slot[]
  readonly gradients: GradientBuffer
  readonly #ops: Ops
  readonly #optimizer: Optimizer
  readonly #size: number
  readonly #byName: Map<string, Slot>
  /** f32 [3, P]: values, first moments, second moments. */
  #state: Tensor
  #values = new Map<string, Tensor>()

  /**
   * `limit`: bytes of the largest tensor that a kernel can read.
   * Throws E_MEMORY where values and moments together are larger.
   */
  constructor(ops: Ops, parameters: readonly InitialParameter[], limit = largestTensor()) {
    this.#ops = ops
    let offset = 0
    this.slots = parameters.map(({ name, shape, values, decay, rate }) => {
      const size = values.length
      const slot: Slot = { name, shape, offset, size, decay, rate }
      offset += Math.ceil(size / SLOT_ALIGNMENT) * SLOT_ALIGNMENT
      return slot
    })
    this.#size = offset
    const bytes = ROWS.length * Float32Array.BYTES_PER_ELEMENT * offset
    if (bytes > limit)
      throw new GraftError('E_MEMORY', bufferSentence(this.count, bytes, limit), { bytes, limit })
    this.#byName = new Map(this.slots.map((slot) => [slot.name, slot]))
    this.gradients = ops.gradientBuffer(this.slots, this.#size)
    this.#optimizer = ops.optimizer(this.slots)
    this.#state = this.#upload({ values: Object.fromEntries(parameters.map((p) => [p.name, p.values])) })
  }

  /** Number of weights that change, padding not counted. */
  get count(): number {
    return this.slots.reduce((sum, slot) => sum + (slot.rate === 0 ? 0 : slot.size), 0)
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** The current value; owned by the store and valid until the next step, restore or dispose. */
  value(name: string): Tensor {
    const cached = this.#values.get(name)
    if (cached) return cached
    const slot = this.#byName.get(name)
    if (!slot) throw new GraftError('E_INTERNAL', `No trainable tensor is called ${name}.`)
    const value = keep(this.#ops.part(this.#state, slot.offset, slot.shape)) // the first row of the state is values
    this.#values.set(name, value)
    return value
  }

  /** The flat tensor that begins with all values, and where a tensor lies in it; the tensor is valid until the next restore. */
  place(name: string): { flat: Tensor; offset: number; shape: readonly number[] } | null {
    const slot = this.#byName.get(name)
    return slot ? { flat: this.#state, offset: slot.offset, shape: slot.shape } : null
  }

  /** All values as they are now, in tensors that the caller owns and later steps do not touch. */
  copies(): Map<string, Tensor> {
    return new Map(this.slots.map(({ name }) => [name, keep(clone(this.value(name)))]))
  }

  /** Clips, applies AdamW, forgets the gradients. Returns the norm before clipping ([], caller owns it). */
  step(hyper: AdamwHyper): Tensor {
    const gradient = this.gradients.flat()
    const norm = this.#ops.globalNorm(gradient)
    this.#state = this.#optimizer.step(this.#state, gradient, norm, hyper)
    this.gradients.clear()
    this.forget()
    return norm
  }

  async snapshot(): Promise<ParameterSnapshot> {
    const flat = await download(this.#state)
    const part = (row: number) =>
      Object.fromEntries(
        this.slots.map(({ name, offset, size }) => [
          name,
          flat.slice(row * this.#size + offset, row * this.#size + offset + size),
        ]),
      )
    return { values: part(0), firstMoments: part(1), secondMoments: part(2) }
  }

  restore(snapshot: ParameterSnapshot): void {
    const state = this.#upload(snapshot)
    this.#state.dispose()
    this.#state = state
    this.gradients.clear()
    this.forget()
  }

  dispose(): void {
    this.forget()
    this.#state.dispose()
    this.#optimizer.dispose()
    this.gradients.dispose()
  }

  #upload(snapshot: Partial<ParameterSnapshot> & Pick<ParameterSnapshot, 'values'>): Tensor {
    const flat = new Float32Array(3 * this.#size)
    ROWS.forEach((row, index) => {
      const part = snapshot[row]
      if (!part) return
      for (const { name, offset, size } of this.slots) {
        const values = part[name]
        if (values?.length !== size)
          throw new GraftError(
            'E_FORMAT',
            `The saved state has ${values?.length ?? 'no'} values for ${name}, but ${size} are needed.`,
            { tensor: name },
          )
        flat.set(values, index * this.#size + offset)
      }
    })
    return keep(tensor2d(flat, [3, this.#size]))
  }

  /** The values have changed, or will have, without a call of `step`: copies that were made are out of date. */
  forget(): void {
    for (const value of this.#values.values()) value.dispose()
    this.#values.clear()
  }
}
