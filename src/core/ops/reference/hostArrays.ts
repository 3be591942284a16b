// The numbers of tensors as typed arrays without a copy, on the two backends whose memory JavaScript sees.
import {
  backend as currentBackend,
  engine,
  getBackend,
  type DataId,
  type Tensor,
  type TensorInfo,
} from '@tensorflow/tfjs-core'
import { GraftError } from '../../../protocol/errors.ts'
import { addressOf, asTensor, isWasm, wasmBackend } from './wasmHeap.ts'

/** The part of tfjs-backend-cpu 4.22 that keeps the values. */
interface CpuBackend {
  data: { get(dataId: DataId): { values: Int32Array | Float32Array } }
  makeTensorInfo(shape: number[], dtype: 'float32', values: Float32Array): TensorInfo
}

/** Whether tensors of the current backend can be read in place. */
export function hasHostArrays(): boolean {
  return isWasm() || getBackend() === 'cpu'
}

/** The elements of an int32 tensor; on wasm valid until the next tensor is made. */
export function wordsOf(tensor: Tensor): Int32Array {
  if (!isWasm()) return cpuBackend().data.get(tensor.dataId).values as Int32Array
  const backend = wasmBackend()
  return new Int32Array(backend.wasm.HEAPU8.buffer, addressOf(backend, tensor.dataId), tensor.size)
}

/** The elements of a float32 tensor; on wasm valid until the next tensor is made. */
export function floatsOf(tensor: Tensor): Float32Array {
  if (!isWasm()) return cpuBackend().data.get(tensor.dataId).values as Float32Array
  const backend = wasmBackend()
  return new Float32Array(backend.wasm.HEAPU8.buffer, addressOf(backend, tensor.dataId), tensor.size)
}

/** A float32 tensor whose elements `fill` writes, all of them; it must not make tensors. */
export function filled(shape: number[], fill: (out: Float32Array) => void): Tensor {
  if (isWasm()) {
    const tensor = asTensor(wasmBackend().makeOutput(shape, 'float32'))
    fill(floatsOf(tensor))
    return tensor
  }
  const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1))
  fill(values)
  return engine().makeTensorFromTensorInfo(cpuBackend().makeTensorInfo(shape, 'float32', values))
}

function cpuBackend(): CpuBackend {
  if (getBackend() !== 'cpu')
    throw new GraftError(
      'E_INTERNAL',
      `Packed weights on ${getBackend()} are read by its own kernels, not by JavaScript.`,
    )
  return currentBackend() as unknown as CpuBackend
}
