// Batched matrix products on the wasm backend. Its own batched kernel is a scalar loop (2 GFLOP/s where a single
// pair of matrices reaches 25 through XNNPACK), so a batch runs pair by pair. The pairs are views: the wasm side
// knows a tensor as (id, elements, address), so a slice of a batch is one more id at an address inside it, no copy.
import type { DataId, Tensor } from '@tensorflow/tfjs-core'
import {
  addressOf,
  asTensor,
  FLOAT_BYTES,
  wasmBackend,
  type BatchMatMul,
  type WasmBackend,
} from './wasmHeap.ts'

/** One wrapper for each instance of the module: a restarted backend is a new one. */
const kernels = new WeakMap<object, BatchMatMul>()

/** a [n, i, k] b [n, k, j] -> [n, i, j] */
export function wasmBatchedProduct(a: Tensor, b: Tensor): Tensor {
  const backend = wasmBackend()
  const [n, i, k] = a.shape as [number, number, number]
  const j = b.shape[2]!
  const multiply = kernelOf(backend)
  const out = backend.makeOutput([n, i, j], 'float32')
  const views = [
    viewOf(backend, a.dataId, i * k),
    viewOf(backend, b.dataId, k * j),
    viewOf(backend, out.dataId, i * j),
  ] as const
  const aShape = shapeBytes(i, k)
  const bShape = shapeBytes(k, j)
  for (let pair = 0; pair < n; pair++) {
    const [aId, bId, outId] = [views[0](pair), views[1](pair), views[2](pair)]
    multiply(aId, aShape, 3, bId, bShape, 3, false, false, outId)
    // Forgets the ids (and XNNPACK's packed copy of b); the memory belongs to the tensors.
    for (const id of [aId, bId, outId]) backend.wasm.tfjs.disposeData(id)
  }
  return asTensor(out)
}

/** A function that registers the n-th part of a tensor under a new id. */
function viewOf(backend: WasmBackend, dataId: DataId, elements: number): (index: number) => number {
  const address = addressOf(backend, dataId)
  return (index) => {
    const id = backend.dataIdNextNumber++
    backend.wasm.tfjs.registerTensor(id, elements, address + index * elements * FLOAT_BYTES)
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
