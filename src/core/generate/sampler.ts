// From the logits of one position to the next token. This is the definition; ops/webgpu/sample.ts does the same on the GPU,
// number for number, so that one seed draws one text on every backend (as far as exp and the logits round alike).
//
// Filters and their order are those of transformers' generate: repetition penalty (Keskar et al. 2019, arXiv 1909.05858),
// temperature, top-k, top-p (Holtzman et al. 2019, arXiv 1904.09751), min-p (Nguyen et al. 2024, arXiv 2407.01082).
// With l the penalised logits and L the largest of them, a token has the distance d = (L - l) / temperature, the mass
// exp(-d) in units of 2^-31, and the key d in units of 2^-26. All filters are edges of the key: tokens of the same key
// stay or go together. The draw walks what is left in the order of ids. Sums of masses are integers, so their order does
// not matter: nothing is sorted, and any number of threads finds the same token.
import { words } from '../rng.ts'

export interface SamplingSettings {
  /** 0 takes the most likely token. */
  temperature: number
  /** 0 keeps all; 1 takes the most likely token. */
  topK: number
  /** 1 keeps all. */
  topP: number
  /** 0 keeps all; else tokens at least so likely, as a share of the most likely one's probability. */
  minP: number
  /** 1 changes nothing; above, tokens of the text so far become less likely. */
  repetitionPenalty: number
  seed: number
}

/** The most likely token, always. */
export const GREEDY: SamplingSettings = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  seed: 0,
}

/** Mass of the most likely token. */
export const MASS_UNIT = 2 ** 31
/** Keys for a distance of 1, and the distance from which on all keys are the same: exp(-64) has no mass. */
export const KEY_UNIT = 2 ** 26
export const KEY_END = Math.fround(63.999996)

/** Whether the most likely token is taken without a draw. */
export const isGreedy = ({ temperature, topK }: SamplingSettings): boolean => temperature === 0 || topK === 1

/** Index of the largest logit; the first one on a tie. */
export function greedy(logits: Float32Array): number {
  let best = 0
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i
  return best
}

/** The token number `step` of an answer; `seen` are the tokens of prompt and answer so far. */
export function sample(
  logits: Float32Array,
  settings: SamplingSettings,
  step: number,
  seen: Iterable<number>,
): number {
  const penalised = penalise(logits, settings.repetitionPenalty, seen)
  if (isGreedy(settings)) return greedy(penalised)
  const { masses, total } = kept(penalised, settings)
  const target = share(drawn(settings.seed, step), total)
  let sum = 0
  for (let id = 0; id < masses.length; id++) {
    sum += masses[id]!
    if (sum > target) return id
  }
  return greedy(penalised)
}

/** The probabilities [V] that a token is drawn with. */
export function probabilities(
  logits: Float32Array,
  settings: SamplingSettings,
  seen: Iterable<number>,
): Float64Array {
  const { masses, total } = kept(penalise(logits, settings.repetitionPenalty, seen), settings)
  return Float64Array.from(masses, (mass) => mass / total)
}

/** The 32 random bits of a draw. */
export const drawn = (seed: number, step: number): number => words({ seed, purpose: 'sample', step }, 1)[0]!

/** The factor of top-p as 32 bits. */
export const shareOf = (topP: number): number => Math.min(0xffffffff, Math.round(topP * 2 ** 32))

function penalise(logits: Float32Array, penalty: number, seen: Iterable<number>): Float32Array {
  if (penalty === 1) return logits
  const scores = logits.slice()
  // Factors, because WGSL rounds products exactly and quotients not.
  const [up, down] = [Math.fround(penalty), Math.fround(1 / penalty)]
  for (const id of new Set(seen)) scores[id] = scores[id]! * (scores[id]! < 0 ? up : down)
  return scores
}

/** Masses [V] of the tokens that may be drawn, 0 for the others, and their sum. */
function kept(
  logits: Float32Array,
  { temperature, topK, topP, minP }: SamplingSettings,
): { masses: Uint32Array; total: number } {
  const top = logits[greedy(logits)]!
  const inverse = Math.fround(1 / temperature)
  const keys = new Uint32Array(logits.length)
  const masses = new Uint32Array(logits.length)
  for (let i = 0; i < logits.length; i++) {
    const d = Math.fround(Math.fround(top - logits[i]!) * inverse)
    keys[i] = Math.min(d, KEY_END) * KEY_UNIT
    masses[i] = Math.round(Math.exp(-d) * MASS_UNIT)
  }
  let edge = 0xffffffff
  if (topK > 0) edge = edgeOf(keys, null, edge, () => topK)
  if (topP < 1) edge = edgeOf(keys, masses, edge, (total) => share(shareOf(topP), total))
  const least = Math.round(minP * MASS_UNIT)
  let total = 0
  for (let i = 0; i < masses.length; i++) {
    if (keys[i]! > edge || masses[i]! < least) masses[i] = 0
    total += masses[i]!
  }
  return { masses, total }
}

/** The last key whose tokens are kept: before it lies less than a limit, counted by tokens or by their masses. Eight bits a
 *  round, from the sums of the 256 ranges of keys that they part. */
function edgeOf(
  keys: Uint32Array,
  masses: Uint32Array | null,
  edge: number,
  limitOf: (total: number) => number,
): number {
  let prefix = 0
  let before = 0
  let limit: number | undefined
  for (let shift = 24; shift >= 0; shift -= 8) {
    const sums = new Float64Array(256)
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!
      const inside = shift === 24 || key >>> (shift + 8) === prefix
      if (inside && key <= edge) sums[(key >>> shift) & 255]! += masses ? masses[i]! : 1
    }
    limit ??= Math.max(1, limitOf(sums.reduce((a, b) => a + b, 0)))
    let bin = 0
    let sum = before
    for (let i = 0; i < 256; i++) {
      if (sums[i] === 0) continue
      if (sum >= limit) break
      bin = i
      before = sum
      sum += sums[i]!
    }
    prefix = ((prefix << 8) | bin) >>> 0
  }
  return prefix
}

/** floor(fraction / 2^32 x total) for 32 bits and a sum below 2^53. */
function share(fraction: number, total: number): number {
  return Number((BigInt(fraction) * BigInt(total)) >> 32n)
}
