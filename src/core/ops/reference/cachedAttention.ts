// Attention with a cache that is written in place, where JavaScript sees the backend's memory: nothing is copied that is
// already there. A prompt goes through the ordinary attention; a single token walks the cached rows in a loop, which reads
// each of them once. The formulas are those of attention.ts.
import type { Tensor } from '@tensorflow/tfjs-core'
import { GraftError } from '../../../protocol/errors.ts'
import type { AttentionLayout, AttentionMask } from '../layout.ts'
import type { KeyValueCache } from '../step.ts'
import { attention } from './attention.ts'
import { filled, floatsOf } from './hostArrays.ts'

/** q [N, H, hd] over the cached rows and k, v [N, Hkv, hd], which the cache takes in: a prompt where it is empty, then
 *  one token at a time. */
export function cachedAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  cache: KeyValueCache,
  layout: AttentionLayout,
  mask: AttentionMask,
): Tensor {
  const rows = q.shape[0]!
  if (cache.length > 0 && rows > 1)
    throw new GraftError('E_INTERNAL', 'Behind a prompt, a cache takes one token at a time.')
  cache.reserve(rows)
  write(cache, k, v)
  cache.length += rows
  if (rows === 1) return oneRow(q, cache, mask)
  const { output, logSumExp } = attention(q, k, v, layout, mask)
  logSumExp.dispose()
  return output
}

function write(cache: KeyValueCache, k: Tensor, v: Tensor): void {
  const { keyValueHeads: heads, headSize: size, capacity, length } = cache
  const data = floatsOf(cache.data)
  for (const [half, given] of [floatsOf(k), floatsOf(v)].entries())
    for (let from = 0; from < given.length; from += size) {
      const head = (from / size) % heads
      const row = length + Math.floor(from / size / heads)
      data.set(given.subarray(from, from + size), ((half * heads + head) * capacity + row) * size)
    }
}

/** The newest token's attention: q [1, H, hd] -> [1, H, hd]. */
function oneRow(q: Tensor, cache: KeyValueCache, { scale, window }: AttentionMask): Tensor {
  const [, heads, size] = q.shape as [number, number, number]
  const { keyValueHeads, capacity, length } = cache
  const begin = Math.max(0, length - (window ?? length))
  const scores = new Float32Array(length - begin)
  return filled([1, heads, size], (out) => {
    const data = floatsOf(cache.data)
    const queries = floatsOf(q)
    for (let head = 0; head < heads; head++) {
      const group = Math.floor((head * keyValueHeads) / heads)
      const query = head * size
      let at = (group * capacity + begin) * size
      let top = -Infinity
      for (let j = 0; j < scores.length; j++, at += size) {
        let score = 0
        for (let e = 0; e < size; e++) score += queries[query + e]! * data[at + e]!
        scores[j] = score * scale
        top = Math.max(top, scores[j]!)
      }
      at = ((keyValueHeads + group) * capacity + begin) * size
      let total = 0
      out.fill(0, query, query + size)
      for (let j = 0; j < scores.length; j++, at += size) {
        const p = Math.exp(scores[j]! - top)
        total += p
        for (let e = 0; e < size; e++) out[query + e]! += p * data[at + e]!
      }
      for (let e = 0; e < size; e++) out[query + e]! /= total
    }
  })
}
