// Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928): heads averaged, half of each row given to the token itself
// for the residual path, and the layers multiplied: R = A_L ... A_from with A = rows of (mean of heads + I), normalised.
import { throwIfAborted } from '../../../protocol/errors.ts'
import type { MapShape } from './maps.ts'

export interface RolloutOptions {
  from?: number
  signal?: AbortSignal
  onLayer?: (done: number, total: number) => void
}

/** [L, H, T, T] -> [T, T] */
export async function rollout(
  weights: Float32Array,
  { layers, heads, tokens }: MapShape,
  { from = 0, signal, onLayer }: RolloutOptions = {},
): Promise<Float32Array> {
  let flow = new Float64Array(tokens * tokens)
  for (let t = 0; t < tokens; t++) flow[t * tokens + t] = 1
  for (let layer = from; layer < layers; layer++) {
    // A multiplication of many tokens takes its time: cancelling comes in between.
    await new Promise((resolve) => setTimeout(resolve))
    throwIfAborted(signal)
    flow = product(mixed(weights, layer, heads, tokens), flow, tokens)
    onLayer?.(layer - from + 1, layers - from)
  }
  return Float32Array.from(flow)
}

/** Rows of (mean of the heads + I), normalised. */
function mixed(weights: Float32Array, layer: number, heads: number, tokens: number): Float64Array {
  const size = tokens * tokens
  const mixture = new Float64Array(size)
  for (let head = 0; head < heads; head++) {
    const begin = (layer * heads + head) * size
    for (let at = 0; at < size; at++) mixture[at]! += weights[begin + at]! / heads
  }
  for (let i = 0; i < tokens; i++) {
    mixture[i * tokens + i]! += 1
    const row = mixture.subarray(i * tokens, (i + 1) * tokens)
    const sum = row.reduce((total, value) => total + value, 0)
    row.forEach((value, j) => (row[j] = value / sum))
  }
  return mixture
}

/** a b of [n, n]; what a causal mask leaves 0 costs nothing. */
function product(a: Float64Array, b: Float64Array, n: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      const factor = a[i * n + k]!
      if (factor === 0) continue
      for (let j = 0; j < n; j++) out[i * n + j]! += factor * b[k * n + j]!
    }
  return out
}
