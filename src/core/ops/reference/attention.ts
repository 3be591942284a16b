// Scaled dot-product attention with grouped heads (Vaswani et al. 2017; Ainslie et al. 2023, arXiv 2305.13245).
// Forward:  S = scale Q K^T + mask;  L = logsumexp S;  P = exp(S - L);  O = P V.
// Backward (Dao 2023, arXiv 2307.08691): D = rowsum(dO O);  dV = P^T dO;  dS = P (dO V^T - D);
//           dQ = scale dS K;  dK = scale dS^T Q.
// The g query heads of one key head are stacked along the rows, [B Hkv, g T, hd]: keys and values need no copies,
// and the sums of dK and dV over a group happen inside the product.
// On WebGPU the softmax is written out: tfjs's own over-dispatches above 65,535 rows there.
import {
  add,
  div,
  keep,
  log,
  max,
  maximum,
  mul,
  reshape,
  softmax,
  sub,
  sum,
  tensor4d,
  tidy,
  transpose,
  type Tensor,
} from '@tensorflow/tfjs-core'
import { maskName, type AttentionLayout, type AttentionMask } from '../layout.ts'
import { filled, floatsOf, hasHostArrays } from './hostArrays.ts'
import { batchedProduct } from './matmul.ts'
import { expOfShifted } from './softmax.ts'
import {
  attentionBackwardByKernels,
  attentionByKernels,
  probabilitiesByKernels,
  type Reach,
  type Sight,
  type Sizes,
} from './wasmAttention.ts'

/** Added to the scores of cells that are not seen; a power of two, so that dividing by it is exact. */
const MASKED = -(2 ** 100)

/** Stands in for the total of a row that sees nothing, whose result is then 0. */
const NOTHING_SEEN = 1e-30

function sizesOf(q: Tensor, k: Tensor, layout: AttentionLayout): Sizes {
  const [, heads, headSize] = q.shape as [number, number, number]
  return {
    batch: layout.batch,
    heads,
    groups: k.shape[1]!,
    headSize,
    queries: layout.queries,
    keys: layout.keys,
  }
}

/** x [B T, G g, hd] -> [B G, g T, hd]; for keys and values g is 1. */
function toGroups(x: Tensor, { batch, groups, headSize }: Sizes, length: number): Tensor {
  const share = x.shape[1]! / groups
  const split = reshape(x, [batch, length, groups, share, headSize])
  return reshape(transpose(split, [0, 2, 3, 1, 4]), [batch * groups, share * length, headSize])
}

/** The way back: [B G, g T, hd] -> [B T, G g, hd] */
function fromGroups(x: Tensor, { batch, groups, headSize }: Sizes, length: number): Tensor {
  const share = x.shape[1]! / length
  const split = reshape(x, [batch, groups, share, length, headSize])
  return reshape(transpose(split, [0, 3, 1, 2, 4]), [batch * length, groups * share, headSize])
}

/** Q' K^T + mask -> [B, H, Tq, Tk]; Q' has the scale in it. */
function scores(
  scaledQ: Tensor,
  kGroups: Tensor,
  layout: AttentionLayout,
  sizes: Sizes,
  mask: AttentionMask,
): Tensor {
  const { batch, heads, queries, keys } = sizes
  const raw = batchedProduct(scaledQ, kGroups, false, true) // [B G, g Tq, Tk]
  return add(reshape(raw, [batch, heads, queries, keys]), biasOf(layout, mask))
}

/** Biases under which some query sees nothing. */
const blind = new WeakSet<Tensor>()

/** Of each bias: the first key that a query sees in any sequence, and the one behind the last. */
const reaches = new WeakMap<Tensor, Reach>()

/** 0 where seen, MASKED elsewhere: [B, 1, Tq, Tk], made once per layout and kind of mask. */
function biasOf(layout: AttentionLayout, mask: AttentionMask): Tensor {
  const name = maskName(mask)
  const known = layout.bias.get(name)
  if (known) return known
  const { batch, queries, keys, host } = layout
  const { causal } = mask
  const window = mask.window ?? Infinity
  const values = new Float32Array(batch * queries * keys)
  let sighted = true
  const reach = { begins: new Int32Array(queries).fill(keys), ends: new Int32Array(queries) }
  for (let row = 0, at = 0; row < batch * queries; row++) {
    const [position, segment] = [host.queryPositions[row]!, host.querySegments[row]!]
    const first = Math.floor(row / queries) * keys
    let sees = false
    for (let key = first; key < first + keys; key++, at++) {
      const before = position - host.keyPositions[key]!
      const seen =
        segment === host.keySegments[key] && before < window && (causal ? before >= 0 : before > -window)
      if (!seen) {
        values[at] = MASKED
        continue
      }
      sees = true
      const query = row % queries
      reach.begins[query] = Math.min(reach.begins[query]!, key - first)
      reach.ends[query] = Math.max(reach.ends[query]!, key - first + 1)
    }
    sighted &&= sees
  }
  const bias = keep(tensor4d(values, [batch, 1, queries, keys]))
  if (!sighted) blind.add(bias)
  reaches.set(bias, reach)
  layout.bias.set(name, bias)
  return bias
}

/** The same for the kernels of wasmAttention.ts. */
function sightOf(layout: AttentionLayout, mask: AttentionMask): Sight {
  const bias = biasOf(layout, mask)
  return { bias, ...reaches.get(bias)! }
}

/** 1 where seen, 0 elsewhere: [B, 1, Tq, Tk]. */
function seenOf(layout: AttentionLayout, mask: AttentionMask): Tensor {
  return sub(1, mul(biasOf(layout, mask), 1 / MASKED))
}

/** softmax of scores s [B, H, Tq, Tk]; what is not seen is exactly 0, also where nothing is seen. */
function softmaxOf(s: Tensor, layout: AttentionLayout, mask: AttentionMask): Tensor {
  if (!hasHostArrays()) {
    const e = mul(expOfShifted(sub(s, max(s, -1, true))), seenOf(layout, mask))
    return div(e, maximum(sum(e, -1, true), NOTHING_SEEN))
  }
  return blind.has(biasOf(layout, mask)) ? mul(softmax(s), seenOf(layout, mask)) : softmax(s)
}

/** logsumexp of scores s [B, H, Tq, Tk] by row, given their softmax p -> [B, H, Tq]. */
function logSumExpOf(s: Tensor, p: Tensor): Tensor {
  const [batch, heads, queries, keys] = s.shape as [number, number, number, number]
  if (!hasHostArrays()) {
    // L = s - log p wherever p has digits, as at the largest.
    return sub(max(s, -1), log(maximum(max(p, -1), NOTHING_SEEN)))
  }
  return filled([batch, heads, queries], (out) => {
    const [scored, shares] = [floatsOf(s), floatsOf(p)]
    // Some share is at least 1 / keys.
    const enough = 0.5 / keys
    for (let row = 0, at = 0; row < out.length; row++, at += keys) {
      let key = 0
      while (key < keys - 1 && shares[at + key]! < enough) key++
      out[row] = scored[at + key]! - Math.log(Math.max(shares[at + key]!, NOTHING_SEEN))
    }
  })
}

export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  layout: AttentionLayout,
  mask: AttentionMask,
): { output: Tensor; logSumExp: Tensor } {
  const sizes = sizesOf(q, k, layout)
  const { batch, heads, groups, queries, keys } = sizes
  const made = attentionByKernels(q, k, v, sizes, () => sightOf(layout, mask), mask.scale)
  if (made) return made
  return tidy(() => {
    const scaledQ = mul(toGroups(q, sizes, queries), mask.scale)
    const s = scores(scaledQ, toGroups(k, sizes, keys), layout, sizes, mask) // [B, H, Tq, Tk]
    const p = softmaxOf(s, layout, mask) // [B, H, Tq, Tk]
    const shares = reshape(p, [batch * groups, (heads / groups) * queries, keys])
    const o = batchedProduct(shares, toGroups(v, sizes, keys)) // [B G, g Tq, hd]
    return {
      output: fromGroups(o, sizes, queries), // [Nq, H, hd]
      logSumExp: reshape(transpose(logSumExpOf(s, p), [0, 2, 1]), [batch * queries, heads]),
    }
  })
}

export function attentionBackward(
  dOutput: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  output: Tensor,
  logSumExp: Tensor,
  layout: AttentionLayout,
  mask: AttentionMask,
): { dq: Tensor; dk: Tensor; dv: Tensor } {
  const sizes = sizesOf(q, k, layout)
  const { batch, heads, groups, queries, keys } = sizes
  const seen = { output, logSumExp }
  const made = attentionBackwardByKernels(
    dOutput,
    { q, k, v },
    seen,
    sizes,
    () => sightOf(layout, mask),
    mask.scale,
  )
  if (made) return made
  return tidy(() => {
    const scaledQ = mul(toGroups(q, sizes, queries), mask.scale) // [B G, g Tq, hd]
    const kGroups = toGroups(k, sizes, keys) // [B G, Tk, hd]
    const vGroups = toGroups(v, sizes, keys) // [B G, Tk, hd]
    const dO = toGroups(dOutput, sizes, queries) // [B G, g Tq, hd]
    const byRow = (x: Tensor): Tensor =>
      // [Nq, H] -> [B, H, Tq, 1]
      reshape(transpose(reshape(x, [batch, queries, heads]), [0, 2, 1]), [batch, heads, queries, 1])
    const s = scores(scaledQ, kGroups, layout, sizes, mask) // [B, H, Tq, Tk]
    // On wasm a softmax takes a quarter of the time of an exponential.
    const p = hasHostArrays()
      ? softmaxOf(s, layout, mask)
      : mul(expOfShifted(sub(s, byRow(logSumExp))), seenOf(layout, mask))
    const d = byRow(sum(mul(dOutput, output), -1)) // [B, H, Tq, 1]
    const dp = reshape(batchedProduct(dO, vGroups, false, true), [batch, heads, queries, keys])
    const grouped = [batch * groups, (heads / groups) * queries, keys]
    const ds = reshape(mul(p, sub(dp, d)), grouped) // [B G, g Tq, Tk], without the scale
    return {
      dq: fromGroups(batchedProduct(ds, mul(kGroups, mask.scale)), sizes, queries),
      dk: fromGroups(batchedProduct(ds, scaledQ, true, false), sizes, keys),
      dv: fromGroups(batchedProduct(reshape(p, grouped), dO, true, false), sizes, keys),
    }
  })
}

export function attentionProbabilities(
  q: Tensor,
  k: Tensor,
  layout: AttentionLayout,
  mask: AttentionMask,
): Tensor {
  const sizes = sizesOf(q, k, layout)
  const made = probabilitiesByKernels(q, k, sizes, () => sightOf(layout, mask), mask.scale)
  if (made) return made
  return tidy(() => {
    const scaledQ = mul(toGroups(q, sizes, sizes.queries), mask.scale)
    return softmaxOf(scores(scaledQ, toGroups(k, sizes, sizes.keys), layout, sizes, mask), layout, mask)
  })
}
