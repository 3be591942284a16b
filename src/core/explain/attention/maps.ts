// What attention maps [L, H, T, T] say of each head, and how two of them differ.
import type { HeadRow } from '../../../protocol/explain.ts'
import type { AttentionMask } from '../../ops/layout.ts'

export interface MapShape {
  layers: number
  heads: number
  tokens: number
}

type Look = Pick<AttentionMask, 'causal' | 'window'>

/**
 * A row a head. Numbers are means over the tokens that have a choice, which a causal model's first token has not (where
 * none has, over all). `previous` leaves out the first token, which follows none.
 */
export function headRows(
  weights: Float32Array,
  { layers, heads, tokens }: MapShape,
  maskOf: (layer: number) => Look,
): HeadRow[] {
  const rows: HeadRow[] = []
  for (let layer = 0; layer < layers; layer++) {
    const seen = Array.from({ length: tokens }, (_, i) => visible(i, tokens, maskOf(layer)))
    const choosing = seen.flatMap((count, i) => (count > 1 ? [i] : []))
    const asked = choosing.length > 0 ? choosing : seen.map((_, i) => i)
    const following = asked.filter((i) => i > 0).length
    for (let head = 0; head < heads; head++) {
      const begin = (layer * heads + head) * tokens * tokens
      const total = { entropy: 0, normalisedEntropy: 0, distance: 0, first: 0, self: 0, previous: 0 }
      for (const i of asked) {
        const row = begin + i * tokens
        let [entropy, distance] = [0, 0]
        for (let j = 0; j < tokens; j++) {
          const share = weights[row + j]!
          if (share <= 0) continue
          entropy -= share * Math.log(share)
          distance += share * Math.abs(i - j)
        }
        total.entropy += entropy
        if (seen[i]! > 1) total.normalisedEntropy += entropy / Math.log(seen[i]!)
        total.distance += distance
        total.first += weights[row]!
        total.self += weights[row + i]!
        if (i > 0) total.previous += weights[row + i - 1]!
      }
      const count = Math.max(1, asked.length)
      rows.push({
        layer,
        head,
        entropy: total.entropy / count,
        normalisedEntropy: total.normalisedEntropy / count,
        distance: total.distance / count,
        first: total.first / count,
        self: total.self / count,
        previous: total.previous / Math.max(1, following),
      })
    }
  }
  return rows
}

/** Tokens of a text without padding that token i may look at. */
function visible(i: number, tokens: number, { causal, window }: Look): number {
  const reach = window === null ? tokens : window - 1
  return Math.min(i, reach) + 1 + (causal ? 0 : Math.min(tokens - 1 - i, reach))
}

/** a - b of maps of the same shape, and [L, H] the share of the attention that lies elsewhere: half the sum of a row's
 *  absolute differences, mean over the rows. */
export function mapDifference(
  a: Float32Array,
  b: Float32Array,
  { layers, heads, tokens }: MapShape,
): { difference: Float32Array; moved: Float32Array } {
  const difference = a.map((value, at) => value - b[at]!)
  const size = tokens * tokens
  const moved = Float32Array.from({ length: layers * heads }, (_, at) => {
    const map = difference.subarray(at * size, (at + 1) * size)
    return map.reduce((sum, value) => sum + Math.abs(value), 0) / 2 / tokens
  })
  return { difference, moved }
}
