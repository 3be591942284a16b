// Multinomial logistic regression on sparse binary features weighted by inverse document frequency and scaled to length
// 1, trained by stochastic gradient descent row by row in a seeded order; the rate falls to zero, and few epochs keep the
// model from learning wrong labels by heart. Classes that a row says next to nothing about are not touched by it.
import { permutation } from '../rng.ts'
import type { FeatureRows } from './features.ts'

export interface Training {
  epochs: number
  /** Of the first step; it falls to 0 over all steps. */
  rate: number
  seed: number
}

/** Gradients of a score below this are left out: with many classes that is most of them. */
const NEGLIGIBLE = 2e-3
const BIAS_RATE = 0.02

export class Logistic {
  readonly classes: number
  /** [feature, class] */
  readonly weights: Float32Array
  /** [class] */
  readonly bias: Float32Array
  readonly #inverse: Float32Array
  readonly #scores: Float32Array
  #values = new Float64Array(0)

  constructor(size: number, classes: number, inverse: Float32Array) {
    this.classes = classes
    this.weights = new Float32Array(size * classes)
    this.bias = new Float32Array(classes)
    this.#inverse = inverse
    this.#scores = new Float32Array(classes)
  }

  /** Probabilities of the classes for a row; the array is used again by the next call. */
  predict(row: Uint32Array): Float32Array {
    const { classes, weights, bias } = this
    const scores = this.#scores
    const values = this.#valuesOf(row)
    const size = row.length
    // Four classes at a time, whose sums stay in registers; sums are rounded as in an array of 32 bits.
    let c = 0
    for (; c + 4 <= classes; c += 4) {
      let s0 = bias[c]!
      let s1 = bias[c + 1]!
      let s2 = bias[c + 2]!
      let s3 = bias[c + 3]!
      for (let i = 0; i < size; i++) {
        const value = values[i]!
        const at = row[i]! * classes + c
        s0 = Math.fround(s0 + value * weights[at]!)
        s1 = Math.fround(s1 + value * weights[at + 1]!)
        s2 = Math.fround(s2 + value * weights[at + 2]!)
        s3 = Math.fround(s3 + value * weights[at + 3]!)
      }
      scores[c] = s0
      scores[c + 1] = s1
      scores[c + 2] = s2
      scores[c + 3] = s3
    }
    for (; c < classes; c++) {
      let score = bias[c]!
      for (let i = 0; i < size; i++) score = Math.fround(score + values[i]! * weights[row[i]! * classes + c]!)
      scores[c] = score
    }
    return softmax(scores)
  }

  /** Trains on the rows listed; `label` gives the class of each. */
  async train(
    rows: FeatureRows,
    label: Int32Array,
    members: Uint32Array,
    { epochs, rate, seed }: Training,
    pause: () => Promise<void>,
  ): Promise<void> {
    const { classes, weights, bias } = this
    const touched = new Uint32Array(classes)
    /** Of the touched classes. */
    const gradients = new Float32Array(classes)
    let left = epochs * members.length
    const all = left
    for (let epoch = 0; epoch < epochs; epoch++) {
      const order = permutation({ seed, purpose: 'sample', step: epoch, layer: 3 }, members.length)
      for (const [done, at] of order.entries()) {
        if (done % 500 === 499) await pause()
        const member = members[at]!
        const row = rows.at(member)
        const gradient = this.predict(row)
        gradient[label[member]!]! -= 1
        const step = (rate * left--) / all
        let size = 0
        for (let c = 0; c < classes; c++) {
          if (Math.abs(gradient[c]!) <= NEGLIGIBLE) continue
          touched[size] = c
          gradients[size++] = gradient[c]!
        }
        const scale = this.#scale(row)
        for (let k = 0; k < row.length; k++) {
          const value = step * this.#inverse[row[k]!]! * scale
          const base = row[k]! * classes
          for (let i = 0; i < size; i++) weights[base + touched[i]!]! -= value * gradients[i]!
        }
        for (let i = 0; i < size; i++) bias[touched[i]!]! -= BIAS_RATE * step * gradients[i]!
      }
    }
  }

  /** Adds `share` of another model's weights: scores are linear, so this averages the scores. */
  addScaled(other: Logistic, share: number): void {
    for (let i = 0; i < this.weights.length; i++) this.weights[i]! += share * other.weights[i]!
    for (let c = 0; c < this.classes; c++) this.bias[c]! += share * other.bias[c]!
  }

  /** What each feature of a row counts. The array is used again by the next call. */
  #valuesOf(row: Uint32Array): Float64Array {
    if (row.length > this.#values.length) this.#values = new Float64Array(2 * row.length)
    const inverse = this.#inverse
    const values = this.#values
    const scale = this.#scale(row)
    for (let i = 0; i < row.length; i++) values[i] = inverse[row[i]!]! * scale
    return values
  }

  /** 1 / length of the row's vector. */
  #scale(row: Uint32Array): number {
    const inverse = this.#inverse
    let sum = 0
    for (let i = 0; i < row.length; i++) sum += inverse[row[i]!]! * inverse[row[i]!]!
    return sum === 0 ? 0 : 1 / Math.sqrt(sum)
  }
}

function softmax(scores: Float32Array): Float32Array {
  let most = -Infinity
  for (const score of scores) if (score > most) most = score
  let sum = 0
  for (let i = 0; i < scores.length; i++) sum += scores[i] = Math.exp(scores[i]! - most)
  for (let i = 0; i < scores.length; i++) scores[i]! /= sum
  return scores
}
