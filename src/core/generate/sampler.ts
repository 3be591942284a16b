// From the logits of one position to the next token: temperature, top-k, nucleus (Holtzman et al. 2019, arXiv 1904.09751).
// The order of the filters is that of transformers' generate: temperature, top-k, top-p.
import { uniforms } from '../rng.ts'

export interface SamplingSettings {
  /** 0 takes the most likely token. */
  temperature: number
  /** 0 keeps all. */
  topK: number
  /** 1 keeps all. */
  topP: number
  seed: number
}

/** Index of the largest logit; the first one on a tie. */
export function greedy(logits: Float32Array): number {
  let best = 0
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i
  return best
}

/** Draws the token number `step` of an answer; the same seed and step always draw the same. */
export function sample(logits: Float32Array, settings: SamplingSettings, step: number): number {
  const { temperature, topK, topP, seed } = settings
  if (temperature === 0 || topK === 1) return greedy(logits)
  const order = Array.from(logits.keys()).sort((i, j) => logits[j]! - logits[i]! || i - j)
  const kept = topK > 0 ? order.slice(0, topK) : order
  const largest = logits[kept[0]!]!
  const weights = kept.map((i) => Math.exp((logits[i]! - largest) / temperature))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  // The smallest set of most likely tokens whose probability reaches topP.
  let end = 0
  let mass = 0
  while (end < kept.length && (end === 0 || mass < topP * total)) mass += weights[end++]!
  let point = uniforms({ seed, purpose: 'sample', step }, 1)[0]! * mass
  for (let i = 0; i < end; i++) {
    point -= weights[i]!
    if (point < 0) return kept[i]!
  }
  return kept[end - 1]!
}
