// Sampling: the filters, and that frequencies follow the probabilities.
import { describe, expect, it } from 'vitest'
import { greedy, sample } from '../../../src/core/generate/sampler.ts'

const logits = Float32Array.from([1, 3, 2, -1, 0.5])
const settings = { temperature: 1, topK: 0, topP: 1, seed: 7 }
const draw = (change: Partial<typeof settings>, n = 4000) => {
  const counts = new Array<number>(logits.length).fill(0)
  for (let step = 0; step < n; step++) counts[sample(logits, { ...settings, ...change }, step)]!++
  return counts.map((count) => count / n)
}
const softmax = (values: number[]) => {
  const weights = values.map(Math.exp)
  const total = weights.reduce((a, b) => a + b)
  return weights.map((weight) => weight / total)
}

describe('sampler', () => {
  it('temperature 0 is greedy', () => {
    expect(greedy(logits)).toBe(1)
    expect(draw({ temperature: 0 }, 5)[1]).toBe(1)
  })
  it('follows the softmax at temperature 1 and 2', () => {
    for (const temperature of [1, 2]) {
      const expected = softmax([...logits].map((logit) => logit / temperature))
      draw({ temperature }).forEach((share, i) => expect(Math.abs(share - expected[i]!)).toBeLessThan(0.03))
    }
  })
  it('top-k keeps the k most likely', () => {
    const shares = draw({ topK: 2 })
    expect(shares[0]! + shares[3]! + shares[4]!).toBe(0)
    expect(Math.abs(shares[1]! - softmax([3, 2])[0]!)).toBeLessThan(0.03)
  })
  it('top-p keeps the smallest set that reaches p', () => {
    // Probabilities: 0.60, 0.22, 0.08, 0.05 ...
    const shares = draw({ topP: 0.7 })
    expect(shares[1]! + shares[2]!).toBe(1)
    expect(draw({ topP: 0.5 })[1]).toBe(1)
  })
  it('the same seed and step draw the same', () => {
    const once = Array.from({ length: 50 }, (_, step) => sample(logits, settings, step))
    expect(Array.from({ length: 50 }, (_, step) => sample(logits, settings, step))).toEqual(once)
    expect(
      Array.from({ length: 50 }, (_, step) => sample(logits, { ...settings, seed: 8 }, step)),
    ).not.toEqual(once)
  })
})
