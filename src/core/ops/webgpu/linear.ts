// Linear layer with optional LoRA factors: the frozen product, the low-rank product, the bias and the addend are one
// dispatch; a matrix in parts takes one for each. The formulas are those of reference/linear.ts.
import { dispose, type Tensor } from '@tensorflow/tfjs-core'
import { partsOf, type WholeMatrix } from '../matrix.ts'
import type { Dropout, FrozenMatrix, LinearGradients, LoraFactors } from '../ops.ts'
import { dropout } from './dropout.ts'
import { add } from './elementwise.ts'
import {
  jointBackward,
  jointBackwardInto,
  jointForward,
  jointForwardInto,
  type JointLayer,
  type LowRank,
} from './joint.ts'
import { product, productInto } from './matmul.ts'
import { FEW_ROWS as ROWS_AT_ONCE, rowProduct } from './rowProduct.ts'
import { scratch } from './runner.ts'

/** Rows below which the inner dimension is split over workgroups instead: a step of decoding. */
const FEW_ROWS = 16

/** x [N, in] -> x W^T [N, out] (+ u B^T, u [N, r] scaled) (+ bias [out]) (+ plus [N, out]) */
function forward(
  x: Tensor,
  w: FrozenMatrix,
  bias?: Tensor,
  low?: { u: Tensor; b: Tensor },
  plus?: Tensor,
): Tensor {
  const [m, k] = x.shape as [number, number]
  const [n] = w.shape
  if (w.kind !== 'split') {
    if (m <= ROWS_AT_ONCE)
      return rowProduct({
        x,
        rows: m,
        inner: k,
        width: n,
        bias,
        plus,
        ...whole(w, low && { halves: low.u, factor: low.b }),
      })
    if (m < FEW_ROWS && !bias && !low && !plus) return product({ a: x, b: w, orientation: 'NT', m, n, k })
    return jointForward({
      x,
      rows: m,
      inner: k,
      width: n,
      bias,
      plus,
      ...whole(w, low && { halves: low.u, factor: low.b }),
    })
  }
  const y = scratch([m, n]) // [N, out]
  timesPartsTransposed(y, x, w, m)
  if (low)
    productInto(y, { a: low.u, b: low.b, orientation: 'NT', m, n, k: low.u.shape[1]! }, { accumulate: true })
  return [bias, plus].reduce((sum: Tensor, addend) => {
    if (!addend) return sum
    const shifted = add(sum, addend)
    sum.dispose()
    return shifted
  }, y)
}

/** A matrix in one piece as the only layer, its adapter's other factor in a tensor of its own. */
function whole(
  w: WholeMatrix,
  low?: { halves: Tensor; factor: Tensor },
): { layers: JointLayer[]; low?: LowRank } {
  if (!low) return { layers: [{ w, first: 0 }] }
  const size = low.halves.shape[1]!
  return {
    layers: [{ w, first: 0, low: { rank: 0, size, at: 0 } }],
    low: { halves: low.halves, ranks: size, parameters: low.factor },
  }
}

/** Writes x W^T for m rows of x, `from` the first, to the first m rows of y [>= m, out]. */
export function timesPartsTransposed(y: Tensor, x: Tensor, w: FrozenMatrix, m: number, from = 0): void {
  const [width, inner] = w.shape
  for (const { part, begin } of partsOf(w))
    jointForwardInto(y, { x, from, rows: m, inner, width, layers: [{ w: part, first: begin }] })
}

/** Writes dy W for the first m rows of dy [>= m, out] to the rows of dx [>= to + m, in] from `to` on. */
export function timesPartsInto(dx: Tensor, dy: Tensor, w: FrozenMatrix, m: number, to: number): void {
  const [width, inner] = w.shape
  const layers = partsOf(w).map(({ part, begin }) => ({ w: part, first: begin }))
  jointBackwardInto(dx, { dy, rows: m, to, width, inner, layers })
}

/** dy [>= m, out] -> dy W [m, in] (+ du A, du [m, r], A [r, in]) (+ plus) */
export function backward(
  dy: Tensor,
  m: number,
  w: FrozenMatrix,
  low?: { du: Tensor; a: Tensor },
  plus?: Tensor,
): Tensor {
  const [width, inner] = w.shape
  if (w.kind !== 'split')
    return jointBackward({
      dy,
      rows: m,
      width,
      inner,
      plus,
      ...whole(w, low && { halves: low.du, factor: low.a }),
    })
  const layers = partsOf(w).map(({ part, begin }) => ({ w: part, first: begin }))
  const dx = jointBackward({ dy, rows: m, width, inner, layers, plus }) // [m, in]
  if (low)
    productInto(
      dx,
      { a: low.du, b: low.a, orientation: 'NN', m, n: inner, k: low.du.shape[1]! },
      { accumulate: true },
    )
  return dx
}

export function linear(x: Tensor, w: FrozenMatrix, bias?: Tensor, lora?: LoraFactors, plus?: Tensor): Tensor {
  if (!lora) return forward(x, w, bias, undefined, plus)
  const [m, k] = x.shape as [number, number]
  const { input, own } = dropped(x, lora.dropout)
  const [r] = lora.a.shape as [number, number]
  const u = product({ a: input, b: lora.a, orientation: 'NT', m, n: r, k, alpha: lora.scale }) // [N, r]
  const y = forward(x, w, bias, { u, b: lora.b }, plus) // [N, out]
  dispose([u, ...own])
  return y
}

export function linearBackward(
  dy: Tensor,
  x: Tensor,
  w: FrozenMatrix,
  lora?: LoraFactors,
  plus?: Tensor,
): LinearGradients {
  const m = x.shape[0]!
  const [outputs, inputs] = w.shape
  if (!lora) return { dx: backward(dy, m, w, undefined, plus) }
  const { a, b, scale } = lora
  const r = a.shape[0]!
  const { input, own } = dropped(x, lora.dropout)
  const u = product({ a: input, b: a, orientation: 'NT', m, n: r, k: inputs }) // [N, r]
  const du = product({ a: dy, b, orientation: 'NN', m, n: r, k: outputs, alpha: scale }) // [N, r]
  const da = product({ a: du, b: input, orientation: 'TN', m: r, n: inputs, k: m }) // [r, in]
  const db = product({ a: dy, b: u, orientation: 'TN', m: outputs, n: r, k: m, alpha: scale }) // [out, r]
  const dx =
    own.length === 0 ? backward(dy, m, w, { du, a }, plus) : throughDropout(dy, w, du, a, lora.dropout!, plus) // [N, in]
  dispose([u, du, ...own])
  return { dx, da, db }
}

/** dx = dy W + undrop(du A) + plus: the mask stands between the two products. */
function throughDropout(
  dy: Tensor,
  w: FrozenMatrix,
  du: Tensor,
  a: Tensor,
  { rate, key }: Dropout,
  plus?: Tensor,
): Tensor {
  const [r, inputs] = a.shape as [number, number]
  const low = product({ a: du, b: a, orientation: 'NN', m: du.shape[0]!, n: inputs, k: r }) // [N, in]
  const kept = dropout(low, rate, key)
  const straight = backward(dy, du.shape[0]!, w, undefined, plus)
  const dx = add(straight, kept)
  dispose([low, kept, straight])
  return dx
}

/** The adapter's input, and what of it must be disposed. */
function dropped(x: Tensor, given: Dropout | undefined): { input: Tensor; own: Tensor[] } {
  if (!given || given.rate === 0) return { input: x, own: [] }
  const input = dropout(x, given.rate, given.key)
  return { input, own: [input] }
}
