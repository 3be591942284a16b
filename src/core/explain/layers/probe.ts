// Linear probes (Alain & Bengio 2016, arXiv 1610.01644): softmax regression from one layer's states to a label, with the
// control of shuffled labels (after Hewitt & Liang 2019, arXiv 1909.03368): what it finds there has no meaning.
// States are standardised by the rows that are learnt from; the loss is scikit-learn's LogisticRegression with C = 1.
import { permutation } from '../../rng.ts'
import { minimise } from './lbfgs.ts'

const C = 1
const TOLERANCE = 1e-5
const ITERATIONS = 200
/** Share of the rows that accuracies are measured on. */
const HELD_OUT = 0.3

export interface ProbeSplit {
  train: Uint32Array
  test: Uint32Array
}

/** A seeded split in which every label keeps its share; a label with one row is learnt from only. */
export function probeSplit(labels: readonly number[], seed: number): ProbeSplit {
  const order = permutation({ seed, purpose: 'split' }, labels.length)
  const groups = new Map<number, number[]>()
  for (const row of order) groups.set(labels[row]!, [...(groups.get(labels[row]!) ?? []), row])
  const train: number[] = []
  const test: number[] = []
  for (const rows of groups.values()) {
    const held = rows.length < 2 ? 0 : Math.max(1, Math.round(HELD_OUT * rows.length))
    test.push(...rows.slice(0, held))
    train.push(...rows.slice(held))
  }
  return { train: Uint32Array.from(train).sort(), test: Uint32Array.from(test).sort() }
}

/** Labels in a seeded order. */
export function shuffled(labels: readonly number[], seed: number, round: number): number[] {
  const order = permutation({ seed, purpose: 'shuffle', step: round }, labels.length)
  return Array.from(order, (row) => labels[row]!)
}

export interface SoftmaxRegression {
  /** [C, d] and [C], on standardised states. */
  weights: Float64Array
  bias: Float64Array
}

/** Rows [n, d] standardised by the mean and deviation of some of them; columns without any variation become 0. */
export function standardised(x: Float32Array, rows: number, by: Uint32Array): Float64Array {
  const d = x.length / rows
  const out = new Float64Array(x.length)
  for (let j = 0; j < d; j++) {
    let mean = 0
    for (const row of by) mean += x[row * d + j]! / by.length
    let variance = 0
    for (const row of by) variance += (x[row * d + j]! - mean) ** 2 / by.length
    // Rounding alone is no variation.
    const scale = variance > 1e-12 * mean * mean && variance > 0 ? 1 / Math.sqrt(variance) : 0
    for (let i = 0; i < rows; i++) out[i * d + j] = (x[i * d + j]! - mean) * scale
  }
  return out
}

/** The regression of labels on the chosen rows of x [n, d]. */
export function fitSoftmax(
  x: Float64Array,
  d: number,
  chosen: Uint32Array,
  labels: readonly number[],
  classes: number,
): SoftmaxRegression {
  const n = chosen.length
  const size = classes * d
  const scores = new Float64Array(classes)
  const at = minimise(
    (parameters, gradient) => {
      gradient.fill(0)
      let loss = 0
      for (const row of chosen) {
        const begin = row * d
        for (let c = 0; c < classes; c++) {
          let score = parameters[size + c]!
          for (let k = 0, w = c * d; k < d; k++, w++) score += parameters[w]! * x[begin + k]!
          scores[c] = score
        }
        const largest = scores.reduce((a, b) => Math.max(a, b))
        const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0)
        loss += (largest + Math.log(total) - scores[labels[row]!]!) / n
        for (let c = 0; c < classes; c++) {
          const g = (Math.exp(scores[c]! - largest) / total - Number(labels[row] === c)) / n
          gradient[size + c]! += g
          for (let k = 0, w = c * d; k < d; k++, w++) gradient[w]! += g * x[begin + k]!
        }
      }
      for (let w = 0; w < size; w++) {
        loss += parameters[w]! ** 2 / (2 * C * n)
        gradient[w]! += parameters[w]! / (C * n)
      }
      return loss
    },
    new Float64Array(size + classes),
    { tolerance: TOLERANCE, iterations: ITERATIONS },
  )
  return { weights: at.slice(0, size), bias: at.slice(size) }
}

/** Share of the chosen rows whose label has the highest score. */
export function accuracyOf(
  { weights, bias }: SoftmaxRegression,
  x: Float64Array,
  d: number,
  chosen: Uint32Array,
  labels: readonly number[],
): number {
  let right = 0
  for (const row of chosen) {
    let best = 0
    let highest = -Infinity
    bias.forEach((shift, c) => {
      let score = shift
      for (let k = 0; k < d; k++) score += weights[c * d + k]! * x[row * d + k]!
      if (score > highest) [best, highest] = [c, score]
    })
    right += Number(best === labels[row])
  }
  return right / chosen.length
}

/** Held-out accuracy of a probe on a layer's states [n, d]. */
export function probeLayer(
  states: Float32Array,
  labels: readonly number[],
  classes: number,
  { train, test }: ProbeSplit,
): number {
  const d = states.length / labels.length
  const x = standardised(states, labels.length, train)
  return accuracyOf(fitSoftmax(x, d, train, labels, classes), x, d, test, labels)
}

/** Held-out accuracy of always the most frequent label of the rows learnt from. */
export function majorityOf(labels: readonly number[], classes: number, { train, test }: ProbeSplit): number {
  const counts = new Float64Array(classes)
  for (const row of train) counts[labels[row]!]!++
  const most = counts.indexOf(counts.reduce((a, b) => Math.max(a, b)))
  return test.reduce((sum, row) => sum + Number(labels[row] === most), 0) / test.length
}
