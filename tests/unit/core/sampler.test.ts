// Sampling: transformers' filters, and that frequencies follow the probabilities.
import { describe, expect, it } from 'vitest'
import {
  greedy,
  GREEDY,
  probabilities,
  sample,
  type SamplingSettings,
} from '../../../src/core/generate/sampler.ts'
import golden from '../../golden/sampling.json'

const settings: SamplingSettings = { ...GREEDY, temperature: 1, seed: 7 }
const logits = Float32Array.from([1, 3, 2, -1, 0.5])
const draw = (change: Partial<SamplingSettings>, n = 4000, seen: number[] = []) => {
  const counts = new Array<number>(logits.length).fill(0)
  for (let step = 0; step < n; step++) counts[sample(logits, { ...settings, ...change }, step, seen)]!++
  return counts.map((count) => count / n)
}

describe('probabilities after the filters, against transformers', () => {
  const row = Float32Array.from(golden.logits)
  it.each(golden.cases.map(({ settings, probabilities: expected }) => ({ change: settings, expected })))(
    '$change',
    ({ change, expected }) => {
      const ours = probabilities(row, { ...settings, ...change }, golden.seen)
      expect(ours).toHaveLength(expected.length)
      expected.forEach((p, id) => expect(Math.abs(ours[id]! - p), `token ${id}`).toBeLessThan(1e-5))
      // What is left out is left out exactly.
      expected.forEach((p, id) => p === 0 && expect(ours[id], `token ${id}`).toBe(0))
    },
  )
})

describe('sampler', () => {
  it('temperature 0 is greedy, after the penalty', () => {
    expect(greedy(logits)).toBe(1)
    expect(draw({ temperature: 0 }, 5)[1]).toBe(1)
    expect(draw({ temperature: 0, repetitionPenalty: 2 }, 5, [1])[2]).toBe(1)
    expect(draw({ topK: 1 }, 5)[1]).toBe(1)
  })
  it.each([{}, { temperature: 2 }, { topK: 2 }, { topP: 0.7 }, { minP: 0.3 }, { repetitionPenalty: 3 }])(
    'draws as often as the probabilities say: %o',
    (change) => {
      const expected = probabilities(logits, { ...settings, ...change }, [1])
      const shares = draw(change, 4000, [1])
      shares.forEach((share, i) => expect(Math.abs(share - expected[i]!)).toBeLessThan(0.03))
      shares.forEach((share, i) => expected[i] === 0 && expect(share).toBe(0))
    },
  )
  it('keeps at least one token, and all that are as likely', () => {
    expect(probabilities(logits, { ...settings, topP: 1e-9 }, [])[1]).toBe(1)
    expect(probabilities(logits, { ...settings, minP: 1 }, [])[1]).toBe(1)
    const flat = new Float32Array(1000)
    expect(probabilities(flat, { ...settings, topK: 3 }, []).every((p) => p === 1 / 1000)).toBe(true)
  })
  it('the same seed and step draw the same', () => {
    const once = Array.from({ length: 50 }, (_, step) => sample(logits, settings, step, []))
    expect(Array.from({ length: 50 }, (_, step) => sample(logits, settings, step, []))).toEqual(once)
    const other = { ...settings, seed: 8 }
    expect(Array.from({ length: 50 }, (_, step) => sample(logits, other, step, []))).not.toEqual(once)
  })
  it('a token of no mass is never drawn, minus infinity and a tiny temperature included', () => {
    const row = Float32Array.from([-Infinity, 5, 5.01, -Infinity])
    for (let step = 0; step < 20; step++)
      expect(sample(row, { ...settings, temperature: 1e-4 }, step, [])).toBe(2)
    const p = probabilities(row, settings, [])
    expect(p[0]! + p[3]!).toBe(0)
  })
})
