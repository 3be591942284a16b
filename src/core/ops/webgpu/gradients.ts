// Gradient sums in one flat buffer on the GPU: each gradient is added in place at its slot's offset.
import { keep, type Tensor } from '@tensorflow/tfjs-core'
import type { GradientBuffer, Slot } from '../ops.ts'
import { slotNamed } from '../slots.ts'
import { clear } from './elementwise.ts'
import { ELEMENT, i32, LINE, lines, runInPlace, scratch } from './runner.ts'

export class FlatGradientBuffer implements GradientBuffer {
  readonly #slots: readonly Slot[]
  /** [P]; kept, since backward passes add from inside their tidies. */
  readonly #sum: Tensor

  constructor(slots: readonly Slot[], size: number) {
    this.#slots = slots
    this.#sum = keep(scratch([size]))
    this.clear()
  }

  get inPlace(): Tensor {
    return this.#sum
  }

  add(name: string, gradient: Tensor): void {
    const slot = slotNamed(this.#slots, name, gradient.size)
    runInPlace(
      {
        name: 'addAt',
        inputs: { gradient },
        uniforms: { count: i32(slot.size), offset: i32(slot.offset) },
        workgroup: [LINE, 1, 1],
        groups: lines(slot.size),
        code: `
  fn main() {
    ${ELEMENT}
    result[uniforms.offset + at] += gradient[at];
  }`,
      },
      this.#sum,
    )
  }

  flat(): Tensor {
    return this.#sum
  }

  clear(): void {
    clear(this.#sum)
  }

  dispose(): void {
    this.#sum.dispose()
  }
}
