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
    for (let head = 0; head < heads; head++) {
      const begin = (layer * heads + head) * tokens * tokens
      const row = (i: number) => weights.subarray(begin + i * tokens, begin + (i + 1) * tokens)
      const mean = (of: (row: Float32Array, i: number) => number, over = asked) =>
        over.reduce((sum, i) => sum + of(row(i), i), 0) / Math.max(1, over.length)
      rows.push({
        layer,
        head,
        entropy: mean(entropyOf),
        normalisedEntropy: mean((a, i) => (seen[i]! > 1 ? entropyOf(a) / Math.log(seen[i]!) : 0)),
        distance: mean((a, i) => a.reduce((sum, share, j) => sum + share * Math.abs(i - j), 0)),
        first: mean((a) => a[0]!),
        self: mean((a, i) => a[i]!),
        previous: mean(
          (a, i) => a[i - 1]!,
          asked.filter((i) => i > 0),
        ),
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

/** Nats. */
function entropyOf(shares: Float32Array): number {
  return shares.reduce((sum, share) => (share > 0 ? sum - share * Math.log(share) : sum), 0)
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
