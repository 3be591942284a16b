// Rotary position embedding (Su et al. 2021, arXiv 2104.09864), half-split as in transformers' `rotate_half`:
// y = x cos + rotateHalf(x) sin with rotateHalf([a, b]) = [-b, a]; the backward is the rotation by the negative angle.
// The halves are swapped by a product with a signed permutation, exact and much faster on wasm than slices of
// the last axis.
import { add, concat, mul, neg, reshape, tensor2d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { RopeTable } from '../ops.ts'
import { product } from './matmul.ts'
import { takeRows } from './rows.ts'

export function rope(x: Tensor, positions: Tensor, table: RopeTable, inverse = false): Tensor {
  const [rows, heads, size] = x.shape as [number, number, number]
  return tidy(() => {
    const c = takeRows(table.cos, positions) // [N, hd / 2]
    const s = takeRows(table.sin, positions) // [N, hd / 2]
    const cos = reshape(concat([c, c], 1), [rows, 1, size])
    const sin = reshape(concat(inverse ? [neg(s), neg(s)] : [s, s], 1), [rows, 1, size])
    const rotated = product(reshape(x, [rows * heads, size]), halfRotation(size)) // [N H, hd]
    return add(mul(x, cos), mul(reshape(rotated, x.shape), sin)) // [N, H, hd]
  })
}

/** R [hd, hd] with x R = rotateHalf(x). */
function halfRotation(size: number): Tensor {
  const half = size / 2
  const values = new Float32Array(size * size)
  for (let i = 0; i < half; i++) {
    values[(half + i) * size + i] = -1
    values[i * size + half + i] = 1
  }
  return tensor2d(values, [size, size])
}
