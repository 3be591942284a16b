// Multinomial logistic regression on sparse binary features weighted by inverse document frequency and scaled to length
// 1, trained by stochastic gradient descent row by row in a seeded order; the rate falls to zero, and few epochs keep the
// model from learning wrong labels by heart. Classes that a row says next to nothing about are not touched by it.
import { permutation } from '../rng.ts'
import type { SparseRows } from './features.ts'

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

  constructor(size: number, classes: number, inverse: Float32Array) {
    this.classes = classes
    this.weights = new Float32Array(size * classes)
    this.bias = new Float32Array(classes)
    this.#inverse = inverse
    this.#scores = new Float32Array(classes)
  }

  /** Probabilities of the classes for a row; the array is used again by the next call. */
  predict(row: Uint32Array): Float32Array {
    const { classes, weights } = this
    const scores = this.#scores
    scores.set(this.bias)
    const scale = this.#scale(row)
    for (const feature of row) {
      const value = this.#inverse[feature]! * scale
      const base = feature * classes
      for (let c = 0; c < classes; c++) scores[c]! += value * weights[base + c]!
    }
    return softmax(scores)
  }

  /** Trains on the rows listed; `label` gives the class of each. */
  async train(
    rows: SparseRows,
    label: Int32Array,
    members: Uint32Array,
    { epochs, rate, seed }: Training,
    pause: () => Promise<void>,
  ): Promise<void> {
    const { classes, weights, bias } = this
    const touched = new Uint32Array(classes)
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
        for (let c = 0; c < classes; c++) if (Math.abs(gradient[c]!) > NEGLIGIBLE) touched[size++] = c
        const scale = this.#scale(row)
        for (const feature of row) {
          const value = step * this.#inverse[feature]! * scale
          const base = feature * classes
          for (let i = 0; i < size; i++) weights[base + touched[i]!]! -= value * gradient[touched[i]!]!
        }
        for (let i = 0; i < size; i++) bias[touched[i]!]! -= BIAS_RATE * step * gradient[touched[i]!]!
      }
    }
  }

  /** Adds `share` of another model's weights: scores are linear, so this averages the scores. */
  addScaled(other: Logistic, share: number): void {
    for (let i = 0; i < this.weights.length; i++) this.weights[i]! += share * other.weights[i]!
    for (let c = 0; c < this.classes; c++) this.bias[c]! += share * other.bias[c]!
  }

  /** 1 / length of the row's vector. */
  #scale(row: Uint32Array): number {
    let sum = 0
    for (const feature of row) sum += this.#inverse[feature]! ** 2
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
