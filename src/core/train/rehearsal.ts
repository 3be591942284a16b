// Which shapes have been rehearsed: before the first step of a shape a pass over it tells which products it needs, and those
// that are new to the adapter are tried out (ops.rehearse). A step itself never stops to measure.
import type { TensorContainer } from '@tensorflow/tfjs-core'
import type { Ops } from '../ops/ops.ts'
import type { ExampleBatch } from './objective.ts'

export class Rehearsals {
  readonly #ops: Ops
  readonly #known = new Set<string>()

  constructor(ops: Ops) {
    this.#ops = ops
  }

  /** Rehearses `pass` over the batch, if its shape is new. @throws what the signal was aborted with */
  async before(batch: ExampleBatch, pass: () => TensorContainer, signal?: AbortSignal): Promise<void> {
    if (!this.#ops.rehearse) return
    const { tokens, labels } = batch
    const shape = [tokens.batch, tokens.length, labels.size].join()
    if (this.#known.has(shape)) return
    await this.#ops.rehearse(pass, signal)
    this.#known.add(shape)
  }
}
