// Matrix products of the reference ops: the one place that knows how each tfjs backend multiplies fast.
// tfjs's wasm backend reaches its SIMD product (XNNPACK) only for a single pair without transpose flags; everything
// else runs a scalar loop at a tenth of the speed. There, transposes are made explicitly (they cost O(elements)),
// and a batch runs pair by pair (wasmBatch.ts).
import { matMul, reshape, tidy, transpose, type Tensor, type Tensor2D } from '@tensorflow/tfjs-core'
import { wasmBatchedProduct } from './wasmBatch.ts'
import { isWasm } from './wasmHeap.ts'

/** a [m, k] b [k, n] -> [m, n]; transposeA: a is [k, m]; transposeB: b is [n, k]. */
export function product(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  if (!isWasm()) return matMul(a as Tensor2D, b as Tensor2D, transposeA, transposeB)
  return tidy(() => matMul(flipped(a, transposeA), flipped(b, transposeB)))
}

/** x [N, in] w [out, in] -> x w^T [N, out] for a large w that lives on: on wasm the smaller side is transposed. */
export function productTransposed(x: Tensor, w: Tensor): Tensor {
  const [rows, inputs] = x.shape as [number, number]
  const outputs = w.shape[0]!
  if (!isWasm() || rows * (inputs + outputs) > inputs * outputs) return product(x, w, false, true)
  return tidy(() => flipped(matMul(w as Tensor2D, flipped(x, true)), true))
}

/** a [n, i, k] b [n, k, j] -> [n, i, j]; transposeA: a is [n, k, i]; transposeB: b is [n, j, k]. */
export function batchedProduct(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  if (!isWasm()) return matMul(a, b, transposeA, transposeB)
  return tidy(() => wasmBatchedProduct(flippedBatch(a, transposeA), flippedBatch(b, transposeB)))
}

function flipped(x: Tensor, flip: boolean): Tensor2D {
  if (!flip) return x as Tensor2D
  const [rows, columns] = x.shape as [number, number]
  // A vector's transpose has the same bytes.
  return rows === 1 || columns === 1 ? reshape(x, [columns, rows]) : transpose(x as Tensor2D)
}

function flippedBatch(x: Tensor, flip: boolean): Tensor {
  return flip ? transpose(x, [0, 2, 1]) : x
}
