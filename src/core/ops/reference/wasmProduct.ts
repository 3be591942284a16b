// Matrix products on the wasm backend where our own kernels cannot run: without SIMD. tfjs's kernel reaches XNNPACK's product
// only for a single pair of matrices without transpose flags; everything else is a slow loop. So transposes are made
// before (matmul.ts), and a batch runs pair by pair. The pairs are views: the wasm side knows a tensor as
// (id, elements, address), so a part of a batch is one more id at an address inside it, without a copy.
// Views also keep clear of a defect: tfjs caches XNNPACK's packed copy of b by b's id and not by its shape, so the
// same memory used as [1, n] and as [n, 1] gives nonsense; and that copy of every frozen matrix would double the
// memory of the base. Packing anew costs a share of 1 / rows.
import type { DataId, Tensor } from '@tensorflow/tfjs-core'
import {
  addressOf,
  asTensor,
  ELEMENT_BYTES,
  wasmBackend,
  type BatchMatMul,
  type WasmBackend,
} from './wasmHeap.ts'

/** One wrapper for each instance of the module: a restarted backend is a new one. */
const kernels = new WeakMap<object, BatchMatMul>()

/** a [.., i, k] b [.., k, j] -> [.., i, j], with no or one leading dimension. */
export function wasmProduct(a: Tensor, b: Tensor): Tensor {
  const backend = wasmBackend()
  const leading = a.shape.slice(0, -2)
  const [i, k] = a.shape.slice(-2) as [number, number]
  const j = b.shape.at(-1)!
  const multiply = kernelOf(backend)
  const out = backend.makeOutput([...leading, i, j], 'float32')
  const viewA = viewOf(backend, a.dataId, i * k)
  const viewB = viewOf(backend, b.dataId, k * j)
  const viewOut = viewOf(backend, out.dataId, i * j)
  const aShape = shapeBytes(i, k)
  const bShape = shapeBytes(k, j)
  for (let pair = 0; pair < (leading[0] ?? 1); pair++) {
    const ids = [viewA(pair), viewB(pair), viewOut(pair)] as const
    multiply(ids[0], aShape, 3, ids[1], bShape, 3, false, false, ids[2])
    // Forgets the ids and the packed copy of b; the memory belongs to the tensors.
    for (const id of ids) backend.wasm.tfjs.disposeData(id)
  }
  return asTensor(out)
}

/** A function that registers the n-th part of a tensor under a new id. */
function viewOf(backend: WasmBackend, dataId: DataId, elements: number): (index: number) => number {
  const address = addressOf(backend, dataId)
  return (index) => {
    const id = backend.dataIdNextNumber++
    backend.wasm.tfjs.registerTensor(id, elements, address + index * elements * ELEMENT_BYTES)
    return id
  }
}

function shapeBytes(rows: number, columns: number): Uint8Array {
  return new Uint8Array(new Int32Array([1, rows, columns]).buffer)
}

function kernelOf(backend: WasmBackend): BatchMatMul {
  const known = kernels.get(backend.wasm)
  if (known) return known
  const array = ['number', 'array', 'number']
  const kernel = backend.wasm.cwrap('BatchMatMul', null, [...array, ...array, 'number', 'number', 'number'])
  kernels.set(backend.wasm, kernel)
  return kernel
}
