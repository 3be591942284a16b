// Matrix products of the reference ops: the one place that knows how each tfjs backend multiplies fast and right.
import { add, matMul, mul, reshape, tidy, transpose, type Tensor, type Tensor2D } from '@tensorflow/tfjs-core'
import { addressOf, asTensor, ELEMENT_BYTES, isWasm, wasmBackend } from './wasmHeap.ts'
import { wasmKernels, type Matrix } from './wasmKernels.ts'
import { wasmProduct } from './wasmProduct.ts'

/**
 * a [m, k] b [k, n] -> alpha a b [m, n]; transposeA: a is [k, m]; transposeB: b is [n, k].
 * @param onto is added; the caller's own [m, n], used up: the result may be in its place.
 */
export function product(
  a: Tensor,
  b: Tensor,
  transposeA = false,
  transposeB = false,
  alpha = 1,
  onto?: Tensor,
): Tensor {
  const kernels = wasmKernels()
  if (kernels) {
    const [left, right] = [extents(a, transposeA), extents(b, transposeB)]
    const out = onto ?? emptyOnWasm([left.rows, right.columns])
    kernels.multiply({
      rows: left.rows,
      columns: right.columns,
      inner: left.columns,
      a: matrixOf(a, transposeA),
      b: matrixOf(b, transposeB),
      c: matrixOf(out),
      alpha,
      more: onto !== undefined,
    })
    return out
  }
  return tidy(() => {
    const made = isWasm()
      ? wasmProduct(flipped(a, transposeA), flipped(b, transposeB))
      : matMul(a as Tensor2D, b as Tensor2D, transposeA, transposeB)
    const scaled = alpha === 1 ? made : mul(made, alpha)
    return onto ? add(onto, scaled) : scaled
  })
}

/** x [N, in] w [out, in] -> x w^T (+ onto) [N, out] for a large w: where XNNPACK multiplies, the smaller side is transposed. */
export function productTransposed(x: Tensor, w: Tensor, onto?: Tensor): Tensor {
  const [rows, inputs] = x.shape as [number, number]
  const outputs = w.shape[0]!
  if (!isWasm() || wasmKernels() || rows * (inputs + outputs) > inputs * outputs)
    return product(x, w, false, true, 1, onto)
  return tidy(() => {
    const made = flipped(wasmProduct(w, flipped(x, true)), true)
    return onto ? add(onto, made) : made
  })
}

/** a [n, i, k] b [n, k, j] -> [n, i, j]; transposeA: a is [n, k, i]; transposeB: b is [n, j, k]. */
export function batchedProduct(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  if (!isWasm()) return matMul(a, b, transposeA, transposeB)
  return tidy(() => wasmProduct(flippedBatch(a, transposeA), flippedBatch(b, transposeB)))
}

/** A tensor on wasm whose numbers are still to be written. */
export function emptyOnWasm(shape: number[]): Tensor {
  return asTensor(wasmBackend().makeOutput(shape, 'float32'))
}

/** Where a matrix on wasm lies. */
export function matrixOf(x: Tensor, transposed = false): Matrix {
  const address = addressOf(wasmBackend(), x.dataId)
  const row = x.shape[1]! * ELEMENT_BYTES
  return transposed ? { address, row: ELEMENT_BYTES, column: row } : { address, row, column: ELEMENT_BYTES }
}

function extents(x: Tensor, transposed: boolean): { rows: number; columns: number } {
  const [rows, columns] = x.shape as [number, number]
  return transposed ? { rows: columns, columns: rows } : { rows, columns }
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
