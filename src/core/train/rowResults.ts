// From the numbers that a pass leaves of its rows to the probability of each row's own label or text.
import type { TrainingConfig } from '../../protocol/run.ts'
import { bucketOf } from '../nn/batch.ts'
import { IGNORED, type Example, type ExampleRows } from './objective.ts'

/** Most numbers that a step leaves of its rows; `classes`: null for language modelling. */
export function tapCapacity(
  { batchSize, accumulation, maxLength }: Pick<TrainingConfig, 'batchSize' | 'accumulation' | 'maxLength'>,
  classes: number | null,
): number {
  return accumulation * (classes === null ? bucketOf(batchSize * maxLength) : batchSize * classes)
}

export interface MicroRows {
  examples: readonly Example[]
  rows: Pick<ExampleRows, 'rows' | 'labels' | 'weights'>
  /** What every cross-entropy was multiplied by, besides the row's weight. */
  factor: number
  /** Number of classes, or null for language modelling. */
  classes: number | null
  smoothing: number
}

export interface RowResult {
  /** Which of the examples. */
  index: number
  /** Probability of its label; of a language model the geometric mean of its labels' probabilities. */
  gold: number
  /** The most likely class, the first of equals; -1 of a language model. */
  predicted: number
}

/** `numbers`: of a classifier factor x weight x (softmax - target), [B, C]; of a language model factor x weight x
 *  cross-entropy, [M]. Examples without a label are left out. */
export function rowResults(micro: MicroRows, numbers: ArrayLike<number>): RowResult[] {
  const { rows, factor, classes, smoothing } = micro
  // As the device had it.
  const scaleOf = (row: number) => Math.fround(factor) * (rows.weights?.[row] ?? 1)
  return classes === null
    ? languageResults(micro, numbers, scaleOf)
    : classResults(rows.labels, numbers, classes, smoothing, scaleOf)
}

function classResults(
  labels: ArrayLike<number>,
  numbers: ArrayLike<number>,
  classes: number,
  smoothing: number,
  scaleOf: (row: number) => number,
): RowResult[] {
  const found: RowResult[] = []
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row]!
    if (label === IGNORED) continue
    const probability = (c: number) =>
      numbers[row * classes + c]! / scaleOf(row) + (c === label ? 1 - smoothing : 0) + smoothing / classes
    let predicted = 0
    for (let c = 1; c < classes; c++) if (probability(c) > probability(predicted)) predicted = c
    found.push({ index: row, gold: clamped(probability(label)), predicted })
  }
  return found
}

function languageResults(
  { examples, rows }: MicroRows,
  numbers: ArrayLike<number>,
  scaleOf: (row: number) => number,
): RowResult[] {
  const found: RowResult[] = []
  let at = 0
  examples.forEach((example, index) => {
    if ('label' in example) return
    const begin = at
    let sum = 0
    // The rows of an example stand together, in the order of its labels (objective.ts).
    example.labels.forEach((label, t) => {
      if (t === 0 || label === IGNORED || t >= example.ids.length) return
      sum += numbers[at]! / scaleOf(at)
      at++
    })
    if (at > begin) found.push({ index, gold: clamped(Math.exp(-sum / (at - begin))), predicted: -1 })
  })
  if (at > rows.labels.length) throw new RangeError('More labels than rows of the head.')
  return found
}

/** Rounding may leave a probability a little outside. */
const clamped = (p: number) => Math.min(1, Math.max(0, p))
