// TracIn (Pruthi et al. 2020, arXiv 2002.08484): what training on a row did to the loss of an answer, as the sum over
// checkpoints of learning rate x <gradient of the row, gradient of the answer>. A plain gradient step on the row would have
// lowered the answer's loss by that much: above 0 a row speaks for the answer, below 0 against it. A row's influence on
// itself is large where the model had to bend for it alone: label errors come first.
import type { RowGradients } from './gradients.ts'

/** Gradients of one checkpoint. */
export interface TracedCheckpoint {
  learningRate: number
  rows: RowGradients
  /** [k]: the projection of the answer's gradient; null where `rows` holds inner products with it, or none is asked for. */
  answer: Float32Array | null
}

export interface Traced {
  /** [rows]; null where no answer was asked about. */
  influence: Float64Array | null
  /** [rows], never below 0. */
  self: Float64Array
}

/** `exact`: the numbers of rows are their inner products with the answer's gradient. */
export function traced(checkpoints: readonly TracedCheckpoint[], exact = false): Traced {
  const rows = checkpoints[0]?.rows.squares.length ?? 0
  const asked = exact || checkpoints.some(({ answer }) => answer !== null)
  const influence = asked ? new Float64Array(rows) : null
  const self = new Float64Array(rows)
  for (const { learningRate, rows: own, answer } of checkpoints) {
    const k = rows > 0 ? own.numbers.length / rows : 0
    for (let row = 0; row < rows; row++) {
      self[row]! += learningRate * own.squares[row]!
      if (!influence) continue
      let product = exact ? own.numbers[row]! : 0
      if (answer) for (let i = 0; i < k; i++) product += own.numbers[row * k + i]! * answer[i]!
      influence[row]! += learningRate * product
    }
  }
  return { influence, self }
}
