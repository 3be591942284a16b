// Linear layer with optional LoRA factors: the frozen product, the low-rank product and the bias are one dispatch; a
// matrix in parts takes one for each. The formulas are those of reference/linear.ts.
import { add, dispose, type Tensor } from '@tensorflow/tfjs-core'
import { partsOf } from '../matrix.ts'
import type { Dropout, FrozenMatrix, LinearGradients, LoraFactors } from '../ops.ts'
import { dropout } from './dropout.ts'
import { product, productInto } from './matmul.ts'
import { scratch } from './runner.ts'

/** x [N, in] -> x W^T [N, out] (+ scale u B^T, u [N, r]) (+ bias [out]) */
function forward(
  x: Tensor,
  w: FrozenMatrix,
  bias?: Tensor,
  low?: { u: Tensor; b: Tensor; scale: number },
): Tensor {
  const [m, k] = x.shape as [number, number]
  const [n] = w.shape
  if (w.kind !== 'split') {
    const second = low && { a: low.u, b: low.b, k: low.u.shape[1]!, beta: low.scale }
    return product({
      a: x,
      b: w,
      orientation: 'NT',
      m,
      n,
      k,
      ...(second ? { second } : {}),
      ...(bias ? { bias } : {}),
    })
  }
  const y = scratch([m, n]) // [N, out]
  timesPartsTransposed(y, x, w, m)
  if (low)
    productInto(
      y,
      { a: low.u, b: low.b, orientation: 'NT', m, n, k: low.u.shape[1]!, alpha: low.scale },
      { accumulate: true },
    )
  if (!bias) return y
  const shifted = add(y, bias)
  y.dispose()
  return shifted
}

/** Writes x W^T for the first m rows of x to the first m rows of y [>= m, out]. */
export function timesPartsTransposed(y: Tensor, x: Tensor, w: FrozenMatrix, m: number): void {
  const [n, k] = w.shape
  for (const { part, begin } of partsOf(w))
    productInto(
      y,
      { a: x, b: part, orientation: 'NT', m, n: part.shape[0], k },
      { columns: { width: n, first: begin } },
    )
}

/** dy [>= m, out] -> dy W [m, in] (+ du A, du [m, r], A [r, in]) */
export function backward(dy: Tensor, m: number, w: FrozenMatrix, low?: { du: Tensor; a: Tensor }): Tensor {
  const [outputs, n] = w.shape
  const frozen = { a: dy, orientation: 'NN', m, n } as const
  if (w.kind !== 'split') {
    const second = low && { a: low.du, b: low.a, k: low.du.shape[1]!, beta: 1 }
    return product({ ...frozen, b: w, k: outputs, ...(second ? { second } : {}) })
  }
  const dx = scratch([m, n]) // [m, in]
  partsOf(w).forEach(({ part, begin }, index) =>
    productInto(
      dx,
      { ...frozen, b: part, k: part.shape[0], aColumns: { width: outputs, first: begin } },
      { accumulate: index > 0 },
    ),
  )
  if (low)
    productInto(
      dx,
      { a: low.du, b: low.a, orientation: 'NN', m, n, k: low.du.shape[1]! },
      { accumulate: true },
    )
  return dx
}

export function linear(x: Tensor, w: FrozenMatrix, bias?: Tensor, lora?: LoraFactors): Tensor {
  if (!lora) return forward(x, w, bias)
  const [m, k] = x.shape as [number, number]
  const { input, own } = dropped(x, lora.dropout)
  const u = product({ a: input, b: lora.a, orientation: 'NT', m, n: lora.a.shape[0]!, k }) // [N, r]
  const y = forward(x, w, bias, { u, b: lora.b, scale: lora.scale }) // [N, out]
  dispose([u, ...own])
  return y
}

export function linearBackward(dy: Tensor, x: Tensor, w: FrozenMatrix, lora?: LoraFactors): LinearGradients {
  const m = x.shape[0]!
  const [outputs, inputs] = w.shape
  if (!lora) return { dx: backward(dy, m, w) }
  const { a, b, scale } = lora
  const r = a.shape[0]!
  const { input, own } = dropped(x, lora.dropout)
  const u = product({ a: input, b: a, orientation: 'NT', m, n: r, k: inputs }) // [N, r]
  const du = product({ a: dy, b, orientation: 'NN', m, n: r, k: outputs, alpha: scale }) // [N, r]
  const da = product({ a: du, b: input, orientation: 'TN', m: r, n: inputs, k: m }) // [r, in]
  const db = product({ a: dy, b: u, orientation: 'TN', m: outputs, n: r, k: m, alpha: scale }) // [out, r]
  const dx = own.length === 0 ? backward(dy, m, w, { du, a }) : throughDropout(dy, w, du, a, lora.dropout!) // [N, in]
  dispose([u, du, ...own])
  return { dx, da, db }
}

/** dx = dy W + undrop(du A): the mask stands between the two products. */
function throughDropout(dy: Tensor, w: FrozenMatrix, du: Tensor, a: Tensor, { rate, key }: Dropout): Tensor {
  const [r, inputs] = a.shape as [number, number]
  const low = product({ a: du, b: a, orientation: 'NN', m: du.shape[0]!, n: inputs, k: r }) // [N, in]
  const kept = dropout(low, rate, key)
  const straight = backward(dy, du.shape[0]!, w)
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
