// Which rows each optimizer step takes: a pure function of the step, so a resumed run goes on where it was.
import type { TrainingConfig } from '../../protocol/run.ts'
import { permutation } from '../rng.ts'

export type OrderSettings = Pick<TrainingConfig, 'batchSize' | 'accumulation' | 'shuffle' | 'seed'>

/** Optimizer steps in one pass over `rows`; the last one of an epoch may hold fewer rows (as in transformers' Trainer). */
export function stepsPerEpoch(
  rows: number,
  settings: Pick<TrainingConfig, 'batchSize' | 'accumulation'>,
): number {
  return Math.ceil(Math.ceil(rows / settings.batchSize) / settings.accumulation)
}

/** Optimizer steps of a whole run. */
export function totalSteps(rows: number, training: TrainingConfig): number {
  return training.steps ?? Math.max(1, Math.ceil(training.epochs * stepsPerEpoch(rows, training)))
}

/** Gives the rows of any step; remembers the order of the current epoch. */
export class RowOrder {
  #epoch = -1
  #order: ArrayLike<number> = []

  constructor(
    readonly rows: number,
    readonly settings: OrderSettings,
  ) {}

  /** The micro-batches of step k (from 0), each a list of places 0..rows-1 in the training part. */
  microBatches(k: number): number[][] {
    const { batchSize, accumulation } = this.settings
    const perEpoch = stepsPerEpoch(this.rows, this.settings)
    const order = this.#orderOf(Math.floor(k / perEpoch))
    const first = (k % perEpoch) * accumulation * batchSize
    const batches: number[][] = []
    for (
      let start = first;
      start < Math.min(this.rows, first + accumulation * batchSize);
      start += batchSize
    ) {
      const end = Math.min(this.rows, start + batchSize)
      batches.push(Array.from({ length: end - start }, (_, i) => order[start + i]!))
    }
    return batches
  }

  #orderOf(epoch: number): ArrayLike<number> {
    if (epoch !== this.#epoch) {
      const { shuffle, seed } = this.settings
      this.#order = shuffle
        ? permutation({ seed, purpose: 'shuffle', step: epoch }, this.rows)
        : Array.from({ length: this.rows }, (_, i) => i)
      this.#epoch = epoch
    }
    return this.#order
  }
}
