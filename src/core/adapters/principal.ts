// The principal components of a frozen matrix: what PiSSA begins with (Meng et al. 2024, arXiv 2404.02948).
// Randomised range finder with subspace iteration (Halko, Martinsson & Tropp 2011, arXiv 0909.4061, algorithms 4.4 and 5.1).
// The products with W run on the device, so W is never read back, whatever its precision; the small rest is float64 here.
import { tensor2d, tidy } from '@tensorflow/tfjs-core'
import type { FrozenMatrix, Ops } from '../ops/ops.ts'
import { normals, type RngKey } from '../rng.ts'
import { orthonormalRows, singularRows, type Rows } from './svd.ts'

/** Up to this width all directions are kept, which makes the result exact. */
const EXACT_WIDTH = 96
/** Directions beyond the rank, and rounds of iteration: Halko's advice for matrices whose spectrum falls slowly. */
const OVERSAMPLING = 10
const ROUNDS = 4

/** The r largest singular values of W [out, in] with their vectors: W ~ sum of values[i] left[i] right[i]^T. */
export interface Components {
  values: Float64Array
  /** r rows of length out, and of length in. */
  left: Rows
  right: Rows
}

export async function principalComponents(
  w: FrozenMatrix,
  r: number,
  ops: Ops,
  key: RngKey,
): Promise<Components> {
  const [out, inputs] = w.shape
  const narrow = Math.min(out, inputs)
  const exact = narrow <= EXACT_WIDTH
  const width = exact ? narrow : Math.min(narrow, r + OVERSAMPLING)
  let right: Rows = split(Float64Array.from(normals(key, width * inputs)), width)
  let left = orthonormalRows(await times(right, w, ops)) // spans the range of W
  for (let round = 0; round < (exact ? 1 : ROUNDS); round++) {
    right = orthonormalRows(await timesTransposed(left, w, ops))
    left = orthonormalRows(await times(right, w, ops))
  }
  // W ~ L^T (L W): the small factor L W [width, in] = U S V^T gives the vectors of W as L^T U and V.
  const small = singularRows(await timesTransposed(left, w, ops))
  return {
    values: small.values.subarray(0, r),
    left: small.mix.slice(0, r).map((weights) => combine(weights, left)),
    right: small.right.slice(0, r),
  }
}

/** Rows x [k, in] -> x W^T [k, out] */
async function times(x: Rows, w: FrozenMatrix, ops: Ops): Promise<Rows> {
  const product = tidy(() => ops.linear(matrix(x), w))
  const values = await product.data()
  product.dispose()
  return split(Float64Array.from(values), x.length)
}

/** Rows y [k, out] -> y W [k, in] */
async function timesTransposed(y: Rows, w: FrozenMatrix, ops: Ops): Promise<Rows> {
  const [, inputs] = w.shape
  const product = tidy(() => {
    const unused = tensor2d(new Float32Array(y.length * inputs), [y.length, inputs])
    return ops.linearBackward(matrix(y), unused, w).dx
  })
  const values = await product.data()
  product.dispose()
  return split(Float64Array.from(values), y.length)
}

function matrix(rows: Rows) {
  const columns = rows[0]!.length
  const flat = new Float32Array(rows.length * columns)
  rows.forEach((row, i) => flat.set(row, i * columns))
  return tensor2d(flat, [rows.length, columns])
}

function split(flat: Float64Array, rows: number): Rows {
  const columns = flat.length / rows
  return Array.from({ length: rows }, (_, i) => flat.subarray(i * columns, (i + 1) * columns))
}

function combine(weights: Float64Array, rows: Rows): Float64Array {
  const sum = new Float64Array(rows[0]!.length)
  rows.forEach((row, i) => {
    const weight = weights[i]!
    for (let j = 0; j < sum.length; j++) sum[j] = sum[j]! + weight * row[j]!
  })
  return sum
}
