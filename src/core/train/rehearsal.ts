// Which shapes have been rehearsed: before the first step of a shape a pass over it tells which products it needs, and those
// that are new to the adapter are tried out (ops.rehearse). A step itself never stops to measure.
import type { TensorContainer } from '@tensorflow/tfjs-core'
import type { Ops } from '../ops/ops.ts'

export class Rehearsals {
  readonly #ops: Ops
  readonly #known = new Set<string>()

  constructor(ops: Ops) {
    this.#ops = ops
  }

  /** Whether there is nothing to rehearse. */
  knows(shape: readonly number[]): boolean {
    return !this.#ops.rehearse || this.#known.has(shape.join())
  }

  /** Rehearses `pass`, if its shape is new. @throws what the signal was aborted with */
  async before(shape: readonly number[], pass: () => TensorContainer, signal?: AbortSignal): Promise<void> {
    if (this.knows(shape)) return
    await this.#ops.rehearse!(pass, signal)
    this.#known.add(shape.join())
  }
}
