// Linear layer with optional LoRA factors: the frozen product, the low-rank product and the bias are one dispatch.
// The formulas are those of reference/linear.ts.
import { add, dispose, type Tensor } from '@tensorflow/tfjs-core'
import type { Dropout, FrozenMatrix, LinearGradients, LoraFactors } from '../ops.ts'
import { dropout } from './dropout.ts'
import { product } from './matmul.ts'

export function linear(x: Tensor, w: FrozenMatrix, bias?: Tensor, lora?: LoraFactors): Tensor {
  const [m, k] = x.shape as [number, number]
  const n = w.shape[0]
  const base = { a: x, b: w.data, orientation: 'NT', m, n, k, ...(bias ? { bias } : {}) } as const
  if (!lora) return product(base)
  const { input, own } = dropped(x, lora.dropout)
  const r = lora.a.shape[0]!
  const u = product({ a: input, b: lora.a, orientation: 'NT', m, n: r, k }) // [N, r]
  const y = product({ ...base, second: { a: u, b: lora.b, k: r, beta: lora.scale } }) // [N, out]
  dispose([u, ...own])
  return y
}

export function linearBackward(dy: Tensor, x: Tensor, w: FrozenMatrix, lora?: LoraFactors): LinearGradients {
  const m = x.shape[0]!
  const [outputs, inputs] = w.shape
  const frozen = { a: dy, b: w.data, orientation: 'NN', m, n: inputs, k: outputs } as const
  if (!lora) return { dx: product(frozen) }
  const { a, b, scale } = lora
  const r = a.shape[0]!
  const { input, own } = dropped(x, lora.dropout)
  const u = product({ a: input, b: a, orientation: 'NT', m, n: r, k: inputs }) // [N, r]
  const du = product({ a: dy, b, orientation: 'NN', m, n: r, k: outputs, alpha: scale }) // [N, r]
  const da = product({ a: du, b: input, orientation: 'TN', m: r, n: inputs, k: m }) // [r, in]
  const db = product({ a: dy, b: u, orientation: 'TN', m: outputs, n: r, k: m, alpha: scale }) // [out, r]
  const dx = own.length === 0 ? product({ ...frozen, second: { a: du, b: a, k: r, beta: 1 } }) : null // [N, in]
  const result = { dx: dx ?? throughDropout(frozen, du, a, lora.dropout!), da, db }
  dispose([u, du, ...own])
  return result
}

/** dx = dy W + undrop(du A): the mask stands between the two products. */
function throughDropout(
  frozen: Parameters<typeof product>[0],
  du: Tensor,
  a: Tensor,
  { rate, key }: Dropout,
): Tensor {
  const [r, inputs] = a.shape as [number, number]
  const low = product({ a: du, b: a, orientation: 'NN', m: frozen.m, n: inputs, k: r }) // [N, in]
  const kept = dropout(low, rate, key)
  const straight = product(frozen)
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
