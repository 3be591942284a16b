// Sums of gradients by name, concatenated into the flat layout when the step needs it.
import { add, concat, keep, reshape, tidy, zeros, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError } from '../../../protocol/errors.ts'
import type { GradientBuffer, Slot } from '../ops.ts'

export class ReferenceGradientBuffer implements GradientBuffer {
  readonly #slots: readonly Slot[]
  readonly #size: number
  readonly #sums = new Map<string, Tensor>()
  #flat: Tensor | null = null

  constructor(slots: readonly Slot[], size: number) {
    this.#slots = [...slots].sort((a, b) => a.offset - b.offset)
    this.#size = size
  }

  add(name: string, gradient: Tensor): void {
    const slot = slotNamed(this.#slots, name, gradient.size)
    const before = this.#sums.get(name)
    const flat = reshape(gradient, [slot.size]) // [slot.size], shares the gradient's memory
    // Kept: a backward pass adds from inside its tidy.
    this.#sums.set(name, keep(before ? add(before, flat) : flat))
    if (before) {
      before.dispose()
      flat.dispose()
    }
    this.#forgetFlat()
  }

  flat(): Tensor {
    this.#flat ??= keep(
      tidy(() => {
        const parts: Tensor[] = []
        let end = 0
        const padTo = (offset: number): void => {
          if (offset > end) parts.push(zeros([offset - end]))
        }
        for (const slot of this.#slots) {
          padTo(slot.offset)
          parts.push(this.#sums.get(slot.name) ?? zeros([slot.size]))
          end = slot.offset + slot.size
        }
        padTo(this.#size)
        return concat(parts, 0) // [P]
      }),
    )
    return this.#flat
  }

  clear(): void {
    for (const sum of this.#sums.values()) sum.dispose()
    this.#sums.clear()
    this.#forgetFlat()
  }

  dispose(): void {
    this.clear()
  }

  #forgetFlat(): void {
    this.#flat?.dispose()
    this.#flat = null
  }
}

/** The slot, or E_INTERNAL where the name or the number of elements is not the one registered. */
export function slotNamed(slots: readonly Slot[], name: string, size: number): Slot {
  const slot = slots.find((candidate) => candidate.name === name)
  if (!slot) throw new GraftError('E_INTERNAL', `No trainable tensor is called ${name}.`, { name })
  if (slot.size !== size)
    throw new GraftError(
      'E_INTERNAL',
      `The gradient of ${name} has ${size} elements instead of ${slot.size}.`,
      { name },
    )
  return slot
}
