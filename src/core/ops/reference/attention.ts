// Scaled dot-product attention with grouped heads (Vaswani et al. 2017; Ainslie et al. 2023, arXiv 2305.13245).
// Forward:  S = scale Q K^T + mask;  L = logsumexp S;  P = exp(S - L);  O = P V.
// Backward (Dao 2023, arXiv 2307.08691): D = rowsum(dO O);  dV = P^T dO;  dS = P (dO V^T - D);
//           dQ = scale dS K;  dK = scale dS^T Q.
// The g query heads of one key head are stacked along the rows, [B Hkv, g T, hd]: keys and values need no copies,
// and the sums of dK and dV over a group happen inside the product.
// The softmax is written out because tfjs's own over-dispatches above 65,535 rows on WebGPU.
import {
  add,
  cast,
  div,
  equal,
  greater,
  greaterEqual,
  keep,
  less,
  log,
  max,
  maximum,
  mul,
  reshape,
  scalar,
  sub,
  sum,
  tidy,
  transpose,
  type Tensor,
} from '@tensorflow/tfjs-core'
import { maskName, type AttentionLayout, type AttentionMask } from '../layout.ts'
import { batchedProduct } from './matmul.ts'
import { expOfShifted } from './softmax.ts'

/** Added to the scores of cells that are not seen; a power of two, so that dividing by it is exact. */
const MASKED = -(2 ** 100)

/** Stands in for the total of a row that sees nothing, whose result is then 0. */
const NOTHING_SEEN = 1e-30

interface Sizes {
  batch: number
  heads: number
  /** Key heads. */
  groups: number
  headSize: number
  queries: number
  keys: number
}

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

/** scale Q K^T + mask -> [B, H, Tq, Tk] */
function scores(
  qGroups: Tensor,
  kGroups: Tensor,
  layout: AttentionLayout,
  sizes: Sizes,
  mask: AttentionMask,
): Tensor {
  const { batch, heads, queries, keys } = sizes
  const raw = batchedProduct(mul(qGroups, mask.scale), kGroups, false, true) // [B G, g Tq, Tk]
  return add(reshape(raw, [batch, heads, queries, keys]), biasOf(layout, mask))
}

/** 0 where seen, MASKED elsewhere: [B, 1, Tq, Tk], made once per layout and kind of mask. */
function biasOf(layout: AttentionLayout, mask: AttentionMask): Tensor {
  const name = maskName(mask)
  const known = layout.bias.get(name)
  if (known) return known
  const { batch, queries, keys } = layout
  const bias = tidy(() => {
    const across = (x: Tensor): Tensor => reshape(x, [batch, 1, queries, 1])
    const along = (x: Tensor): Tensor => reshape(x, [batch, 1, 1, keys])
    let seen = cast(equal(across(layout.querySegments), along(layout.keySegments)), 'float32')
    const rule = (holds: Tensor): void => {
      seen = mul(seen, cast(holds, 'float32'))
    }
    const before = sub(across(layout.queryPositions), along(layout.keyPositions)) // int32 [B, 1, Tq, Tk]
    const number = (value: number): Tensor => scalar(value, 'int32')
    if (mask.window !== null) rule(less(before, number(mask.window)))
    if (mask.causal) rule(greaterEqual(before, number(0)))
    else if (mask.window !== null) rule(greater(before, number(-mask.window)))
    return keep(mul(sub(1, seen), MASKED))
  })
  layout.bias.set(name, bias)
  return bias
}

/** 1 where seen, 0 elsewhere: [B, 1, Tq, Tk]. */
function seenOf(layout: AttentionLayout, mask: AttentionMask): Tensor {
  return sub(1, mul(biasOf(layout, mask), 1 / MASKED))
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
  return tidy(() => {
    const s = scores(toGroups(q, sizes, queries), toGroups(k, sizes, keys), layout, sizes, mask) // [B, H, Tq, Tk]
    const top = max(s, -1, true) // [B, H, Tq, 1]
    const e = mul(expOfShifted(sub(s, top)), seenOf(layout, mask)) // [B, H, Tq, Tk]
    const total = maximum(sum(e, -1, true), NOTHING_SEEN) // [B, H, Tq, 1]
    const p = reshape(e, [batch * groups, (heads / groups) * queries, keys])
    const o = batchedProduct(p, toGroups(v, sizes, keys)) // [B G, g Tq, hd], not yet divided by the total
    const inverse = reshape(total, [batch * groups, (heads / groups) * queries, 1])
    const lse = reshape(add(top, log(total)), [batch, heads, queries])
    return {
      output: fromGroups(div(o, inverse), sizes, queries), // [Nq, H, hd]
      logSumExp: reshape(transpose(lse, [0, 2, 1]), [batch * queries, heads]),
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
  return tidy(() => {
    const qGroups = toGroups(q, sizes, queries) // [B G, g Tq, hd]
    const kGroups = toGroups(k, sizes, keys) // [B G, Tk, hd]
    const vGroups = toGroups(v, sizes, keys) // [B G, Tk, hd]
    const dO = toGroups(dOutput, sizes, queries) // [B G, g Tq, hd]
    const byRow = (x: Tensor): Tensor =>
      // [Nq, H] -> [B, H, Tq, 1]
      reshape(transpose(reshape(x, [batch, queries, heads]), [0, 2, 1]), [batch, heads, queries, 1])
    const shifted = sub(scores(qGroups, kGroups, layout, sizes, mask), byRow(logSumExp))
    const p = mul(expOfShifted(shifted), seenOf(layout, mask)) // [B, H, Tq, Tk]
    const d = byRow(sum(mul(dOutput, output), -1)) // [B, H, Tq, 1]
    const dp = reshape(batchedProduct(dO, vGroups, false, true), [batch, heads, queries, keys])
    const grouped = [batch * groups, (heads / groups) * queries, keys]
    const ds = reshape(mul(mul(p, sub(dp, d)), mask.scale), grouped) // [B G, g Tq, Tk], scale included
    return {
      dq: fromGroups(batchedProduct(ds, kGroups), sizes, queries),
      dk: fromGroups(batchedProduct(ds, qGroups, true, false), sizes, keys),
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
  return tidy(() => {
    const s = scores(toGroups(q, sizes, sizes.queries), toGroups(k, sizes, sizes.keys), layout, sizes, mask)
    const e = mul(expOfShifted(sub(s, max(s, -1, true))), seenOf(layout, mask))
    return div(e, maximum(sum(e, -1, true), NOTHING_SEEN)) // [B, H, Tq, Tk]
  })
}
