// Matrix products of the reference ops: the one place that knows how each tfjs backend multiplies fast and right.
import { matMul, reshape, tidy, transpose, type Tensor, type Tensor2D } from '@tensorflow/tfjs-core'
import { isWasm } from './wasmHeap.ts'
import { wasmProduct } from './wasmProduct.ts'
import { wasmTransposedProduct } from './wasmTransposed.ts'

/** a [m, k] b [k, n] -> [m, n]; transposeA: a is [k, m]; transposeB: b is [n, k]. */
export function product(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  if (!isWasm()) return matMul(a as Tensor2D, b as Tensor2D, transposeA, transposeB)
  const direct = transposeA && !transposeB ? wasmTransposedProduct(a, b) : null
  if (direct) return direct
  return tidy(() => wasmProduct(flipped(a, transposeA), flipped(b, transposeB)))
}

/** x [N, in] w [out, in] -> x w^T [N, out] for a large w: on wasm the smaller side is transposed. */
export function productTransposed(x: Tensor, w: Tensor): Tensor {
  const [rows, inputs] = x.shape as [number, number]
  const outputs = w.shape[0]!
  if (!isWasm() || rows * (inputs + outputs) > inputs * outputs) return product(x, w, false, true)
  return tidy(() => flipped(wasmProduct(w, flipped(x, true)), true))
}

/** a [n, i, k] b [n, k, j] -> [n, i, j]; transposeA: a is [n, k, i]; transposeB: b is [n, j, k]. */
export function batchedProduct(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  if (!isWasm()) return matMul(a, b, transposeA, transposeB)
  const direct = transposeA && !transposeB ? wasmTransposedProduct(a, b) : null
  if (direct) return direct
  return tidy(() => wasmProduct(flippedBatch(a, transposeA), flippedBatch(b, transposeB)))
}

function flipped(x: Tensor, flip: boolean): Tensor {
  if (!flip) return x
  const [rows, columns] = x.shape as [number, number]
  // A vector's transpose has the same bytes.
  return rows === 1 || columns === 1 ? reshape(x, [columns, rows]) : transpose(x)
}

function flippedBatch(x: Tensor, flip: boolean): Tensor {
  return flip ? transpose(x, [0, 2, 1]) : x
}
