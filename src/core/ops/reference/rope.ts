// Rotary position embedding (Su et al. 2021, arXiv 2104.09864), half-split as in transformers' `rotate_half`:
// y = x cos + rotateHalf(x) sin with rotateHalf([a, b]) = [-b, a]; the backward is the rotation by the negative angle.
import { add, concat, mul, neg, reshape, tensor2d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { RopeTable } from '../ops.ts'
import { filled, floatsOf, hasHostArrays, wordsOf } from './hostArrays.ts'
import { product } from './matmul.ts'
import { takeRows } from './rows.ts'

export function rope(x: Tensor, positions: Tensor, table: RopeTable, inverse = false): Tensor {
  return hasHostArrays() ? turned(x, positions, table, inverse) : turnedOnDevice(x, positions, table, inverse)
}

/** Where memory is at hand: one loop, without the copies that a chain of ops makes. */
function turned(x: Tensor, positions: Tensor, table: RopeTable, inverse: boolean): Tensor {
  const [rows, heads, size] = x.shape as [number, number, number]
  const half = size / 2
  const sign = inverse ? -1 : 1
  return filled(x.shape, (out) => {
    const [values, cosines, sines] = [floatsOf(x), floatsOf(table.cos), floatsOf(table.sin)]
    const places = wordsOf(positions)
    for (let row = 0, at = 0; row < rows; row++) {
      const angles = places[row]! * half
      for (let head = 0; head < heads; head++, at += size) {
        for (let i = 0; i < half; i++) {
          const cos = cosines[angles + i]!
          const sin = sign * sines[angles + i]!
          const a = values[at + i]!
          const b = values[at + half + i]!
          out[at + i] = a * cos - b * sin
          out[at + half + i] = b * cos + a * sin
        }
      }
    }
  })
}

/** The halves are swapped by a product with a signed permutation, which is exact. */
function turnedOnDevice(x: Tensor, positions: Tensor, table: RopeTable, inverse: boolean): Tensor {
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
