// Sums of gradients by name, concatenated into the flat layout when the step needs it.
import { add, concat, keep, reshape, tidy, zeros, type Tensor } from '@tensorflow/tfjs-core'
import type { GradientBuffer, Slot } from '../ops.ts'
import { slotNamed } from '../slots.ts'

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
