// Attention on the wasm backend (attention.ts has the formulas): heads are read where they lie in [B T, H, hd], by strides, so
// that nothing is transposed; masks, softmax and its way back are one pass each over the scores [B, H, Tq, Tk].
import { tidy, type Tensor } from '@tensorflow/tfjs-core'
import { floatsOf } from './hostArrays.ts'
import { emptyOnWasm } from './matmul.ts'
import { addressOf, ELEMENT_BYTES, wasmBackend } from './wasmHeap.ts'
import { wasmKernels, type Matrix, type WasmKernels } from './wasmKernels.ts'
import { rowKernel } from './wasmRows.ts'

export interface Sizes {
  batch: number
  heads: number
  /** Key heads. */
  groups: number
  headSize: number
  queries: number
  keys: number
}

/** Scores below this are of what is not seen: half of what attention.ts adds to them. */
const HARDLY_SEEN = -(2 ** 99)

type Bias = () => Tensor

/** Where the matrix of a pair of batch and head begins, in bytes; and its strides. */
interface Place extends Omit<Matrix, 'address'> {
  at(batch: number, head: number): number
}

const turned = ({ at, row, column }: Place): Place => ({ at, row: column, column: row })

/** Queries, keys or values [B T, count, hd]: matrices [T, hd]. */
function headsOf(x: Tensor, length: number, { heads, headSize }: Sizes): Place {
  const count = x.shape[1]!
  const address = addressOf(wasmBackend(), x.dataId)
  const share = heads / count
  return {
    at: (batch, head) =>
      address + (batch * length * count + Math.floor(head / share)) * headSize * ELEMENT_BYTES,
    row: count * headSize * ELEMENT_BYTES,
    column: ELEMENT_BYTES,
  }
}

/** Scores [B, H, Tq, Tk]: matrices [Tq, Tk]. */
function scoresOf(s: Tensor, { heads, queries, keys }: Sizes): Place {
  const address = addressOf(wasmBackend(), s.dataId)
  return {
    at: (batch, head) => address + (batch * heads + head) * queries * keys * ELEMENT_BYTES,
    row: keys * ELEMENT_BYTES,
    column: ELEMENT_BYTES,
  }
}

/** C = alpha A B for every batch and head; where heads share a C, one after the other is added to it. */
function multiply(
  kernels: WasmKernels,
  { batch, heads, groups }: Sizes,
  [rows, inner, columns]: [number, number, number],
  [a, b, c]: [Place, Place, Place],
  alpha = 1,
  sharedC = false,
): void {
  const share = sharedC ? heads / groups : 1
  for (let turn = 0; turn < share; turn++) {
    const pairs: [number, number, number][] = []
    for (let index = 0; index < batch; index++)
      for (let head = turn; head < heads; head += share)
        pairs.push([a.at(index, head), b.at(index, head), c.at(index, head)])
    const matrix = ({ row, column }: Place): Matrix => ({ address: 0, row, column })
    const operands = { a: matrix(a), b: matrix(b), c: matrix(c) }
    kernels.multiply({ rows, columns, inner, ...operands, alpha, more: turn > 0, pairs })
  }
}

/** scale Q K^T [B, H, Tq, Tk], without the mask. */
function rawScores(kernels: WasmKernels, q: Tensor, k: Tensor, sizes: Sizes, scale: number): Tensor {
  const { batch, heads, headSize, queries, keys } = sizes
  const s = emptyOnWasm([batch, heads, queries, keys])
  const places: [Place, Place, Place] = [
    headsOf(q, queries, sizes),
    turned(headsOf(k, keys, sizes)),
    scoresOf(s, sizes),
  ]
  multiply(kernels, sizes, [queries, headSize, keys], places, scale)
  return s
}

/** Scores to shares in place; of each row the largest score and the sum of the exponentials [B Tq, H]. */
function softmaxInPlace(s: Tensor, bias: Tensor, { batch, heads, queries, keys }: Sizes): [Tensor, Tensor] {
  const shape = [batch * queries, heads]
  return rowKernel('softmax', batch * heads * queries, keys, {
    inputs: [s, bias],
    outputs: [shape, shape],
    numbers: [queries, heads],
  }) as [Tensor, Tensor]
}

/** Null where there are no kernels, as are the others here. */
export function attentionByKernels(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  sizes: Sizes,
  bias: Bias,
  scale: number,
): { output: Tensor; logSumExp: Tensor } | null {
  const kernels = wasmKernels()
  if (!kernels) return null
  const { headSize, queries, keys } = sizes
  return tidy(() => {
    const seen = bias()
    const p = rawScores(kernels, q, k, sizes, scale) // [B, H, Tq, Tk]
    const [logSumExp, sums] = softmaxInPlace(p, seen, sizes)
    const output = emptyOnWasm(q.shape) // [B Tq, H, hd]
    const places: [Place, Place, Place] = [
      scoresOf(p, sizes),
      headsOf(v, keys, sizes),
      headsOf(output, queries, sizes),
    ]
    multiply(kernels, sizes, [queries, keys, headSize], places)
    const [largest, totals] = [floatsOf(logSumExp), floatsOf(sums)]
    // Of a row that sees nothing it is 0: on the way back its shares are exp(scores of what is not seen).
    for (let i = 0; i < largest.length; i++)
      largest[i] = largest[i]! < HARDLY_SEEN ? 0 : largest[i]! + Math.log(totals[i]!)
    return { output, logSumExp }
  })
}

export function attentionBackwardByKernels(
  dOutput: Tensor,
  { q, k, v }: Record<'q' | 'k' | 'v', Tensor>,
  { output, logSumExp }: { output: Tensor; logSumExp: Tensor },
  sizes: Sizes,
  bias: Bias,
  scale: number,
): { dq: Tensor; dk: Tensor; dv: Tensor } | null {
  const kernels = wasmKernels()
  if (!kernels) return null
  const { batch, heads, headSize, queries, keys } = sizes
  return tidy(() => {
    const seen = bias()
    const s = rawScores(kernels, q, k, sizes, scale) // [B, H, Tq, Tk]
    const dp = emptyOnWasm(s.shape) // [B, H, Tq, Tk]
    const dO = headsOf(dOutput, queries, sizes)
    multiply(
      kernels,
      sizes,
      [queries, headSize, keys],
      [dO, turned(headsOf(v, keys, sizes)), scoresOf(dp, sizes)],
    )
    const tokens = batch * queries
    const [d] = rowKernel('dots', tokens * heads, headSize, {
      inputs: [dOutput, output],
      outputs: [[tokens, heads]],
    }) as [Tensor]
    rowKernel('attentionBackward', tokens * heads, keys, {
      inputs: [s, dp, seen, logSumExp, d],
      numbers: [queries, heads],
    })
    const [dq, dk, dv] = [q, k, v].map(({ shape }) => emptyOnWasm(shape)) as [Tensor, Tensor, Tensor]
    const [p, ds] = [scoresOf(s, sizes), scoresOf(dp, sizes)]
    const byQuery: [number, number, number] = [queries, keys, headSize]
    const byKey: [number, number, number] = [keys, queries, headSize]
    multiply(kernels, sizes, byQuery, [ds, headsOf(k, keys, sizes), headsOf(dq, queries, sizes)], scale)
    const toKeys: [Place, Place, Place] = [turned(ds), headsOf(q, queries, sizes), headsOf(dk, keys, sizes)]
    multiply(kernels, sizes, byKey, toKeys, scale, true)
    multiply(kernels, sizes, byKey, [turned(p), dO, headsOf(dv, keys, sizes)], 1, true)
    return { dq, dk, dv }
  })
}

export function probabilitiesByKernels(
  q: Tensor,
  k: Tensor,
  sizes: Sizes,
  bias: Bias,
  scale: number,
): Tensor | null {
  const kernels = wasmKernels()
  if (!kernels) return null
  return tidy(() => {
    const seen = bias()
    const p = rawScores(kernels, q, k, sizes, scale) // [B, H, Tq, Tk]
    softmaxInPlace(p, seen, sizes)
    return p
  })
}
