// Rows by index: the gradient of the token embedding, the rows that have a label, and RoPE's cosines.
import {
  add,
  concat,
  gather,
  reshape,
  scalar,
  scatterND,
  slice,
  tidy,
  zeros,
  type Tensor,
} from '@tensorflow/tfjs-core'
import { GraftError } from '../../../protocol/errors.ts'
import { addressOf, asTensor, ELEMENT_BYTES, isWasm, wasmBackend } from './wasmHeap.ts'

/** dy [N, d], ids int32 [N] -> [V, d]. Added up in the order of the rows on cpu and wasm; on webgpu, tfjs's kernel adds
 *  by atomics in any order, which is why there is one of ours. */
export function embeddingGradient(dy: Tensor, ids: Tensor, rows: number): Tensor {
  const [count, width] = dy.shape as [number, number]
  return tidy(() => scatterND(reshape(ids, [count, 1]), dy, [rows, width]))
}

/** x [N, d], indices int32 [M] -> the rows at indices + offset [M, d] */
export function gatherRows(x: Tensor, indices: Tensor, offset = 0): Tensor {
  return offset === 0 ? takeRows(x, indices) : tidy(() => takeRows(x, add(indices, scalar(offset, 'int32'))))
}

/** dy [M, d], inverse int32 [N] -> [N, d]: a gather from dy with a row of zeros behind it. */
export function scatterRows(dy: Tensor, inverse: Tensor): Tensor {
  return tidy(() => takeRows(concat([dy, zeros([1, dy.shape[1]!])], 0), inverse)) // [N, d]
}

/** x [N, d], indices int32 [M] -> [M, d] */
export function takeRows(x: Tensor, indices: Tensor): Tensor {
  return isWasm() ? wasmTakeRows(x, indices) : tidy(() => gather(x, indices))
}

/** On wasm, tfjs's gather works element by element; this one copies whole rows inside the module's memory. */
function wasmTakeRows(x: Tensor, indices: Tensor): Tensor {
  const backend = wasmBackend()
  const [rows, width] = x.shape as [number, number]
  const out = backend.makeOutput([indices.size, width], 'float32')
  const heap = backend.wasm.HEAPU8
  const chosen = new Int32Array(heap.buffer, addressOf(backend, indices.dataId), indices.size)
  const source = addressOf(backend, x.dataId)
  const bytes = width * ELEMENT_BYTES
  let target = addressOf(backend, out.dataId)
  for (const row of chosen) {
    if (row < 0 || row >= rows) {
      asTensor(out).dispose()
      throw new GraftError('E_INTERNAL', `Row ${row} was asked for, but there are ${rows}.`, { row, rows })
    }
    heap.copyWithin(target, source + row * bytes, source + (row + 1) * bytes)
    target += bytes
  }
  return asTensor(out)
}

/** x's elements from `start` on, in the given shape. On wasm, tfjs's slice copies all of x out and back first. */
export function part(x: Tensor, start: number, shape: number[]): Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1)
  if (!isWasm()) return tidy(() => reshape(slice(reshape(x, [x.size]), start, size), shape))
  const backend = wasmBackend()
  const out = backend.makeOutput(shape, x.dtype as 'float32' | 'int32')
  const source = addressOf(backend, x.dataId) + start * ELEMENT_BYTES
  backend.wasm.HEAPU8.copyWithin(addressOf(backend, out.dataId), source, source + size * ELEMENT_BYTES)
  return asTensor(out)
}

/** A copy of x that may be written to: what is added to by a product. Elsewhere than on wasm nothing is written in place. */
export function ownCopy(x: Tensor): Tensor {
  return isWasm() ? part(x, 0, x.shape) : x
}
