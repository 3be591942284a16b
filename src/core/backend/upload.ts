// Putting weights on the device. tfjs does so only when an op first reads them, and a buffer that the GPU had no room
// for reads as zeros. Weights go there at once instead, inside error scopes; large ones piece by piece, into a tensor
// that is made empty first, so that JavaScript never holds more than a piece.
import {
  backend as currentBackend,
  engine,
  getBackend,
  tensor as tensorOf,
  type Tensor,
} from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { GraftError } from '../../protocol/errors.ts'
import { addressOf, asTensor, ELEMENT_BYTES, wasmBackend } from '../ops/reference/wasmHeap.ts'
import { gpuFault, submitPending } from './errorScopes.ts'

const FILTERS: GPUErrorFilter[] = ['internal', 'out-of-memory', 'validation']

/** Bytes that may wait in the browser's queue of writes before they are waited for. */
const QUEUED_BYTES = 32 * 1024 * 1024

/**
 * Uploads one tensor and waits until the GPU has accepted it. Elsewhere than on WebGPU there is nothing to do.
 * The scopes are opened and closed without a pause, so that a run that trains meanwhile keeps its own errors.
 * @param what the work, for the message: "Loading the weights".
 * @throws E_MEMORY where the GPU is out of memory, E_GPU where it refused for another reason. The tensor is still the
 * caller's to dispose; call `releaseFreeBuffers` after that, as its buffer must not be used again.
 */
export async function uploadNow(what: string, tensor: Tensor): Promise<void> {
  if (getBackend() !== 'webgpu') return
  const backend = currentBackend() as WebGPUBackend
  const { device } = backend
  let thrown: unknown
  for (const filter of FILTERS) device.pushErrorScope(filter)
  try {
    backend.uploadToGPU(tensor.dataId)
    submitPending(backend)
  } catch (cause) {
    thrown = cause
  }
  const caught = await Promise.all(FILTERS.map(() => device.popErrorScope()))
  const error = caught.find((candidate) => candidate !== null)
  if (error) throw gpuFault(error, what)
  // A buffer that is to be filled at its creation also needs memory of the process.
  if (thrown instanceof RangeError)
    throw new GraftError(
      'E_MEMORY',
      `${what}: there is not enough memory. Close other tabs, choose a smaller model, and try again.`,
      { tensorBytes: tensor.size * ELEMENT_BYTES },
      { cause: thrown },
    )
  if (thrown !== undefined) throw thrown
}

/** A tensor on the device that is filled from its first element to its last. */
export interface StreamedTensor {
  readonly tensor: Tensor
  /** The next elements, of the tensor's type. */
  write(values: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>): Promise<void>
}

/**
 * Makes a tensor on the current backend to be filled by pieces.
 * @param what as of uploadNow
 * @throws E_MEMORY, E_GPU as uploadNow; nothing is left then
 */
export async function streamedTensor(
  what: string,
  shape: number[],
  dtype: 'float32' | 'int32',
): Promise<StreamedTensor> {
  switch (getBackend()) {
    case 'webgpu':
      return onGpu(what, shape, dtype)
    case 'wasm':
      return inHeap(shape, dtype)
    default:
      return inArray(what, shape, dtype)
  }
}

async function onGpu(what: string, shape: number[], dtype: 'float32' | 'int32'): Promise<StreamedTensor> {
  const backend = currentBackend() as WebGPUBackend
  const tensor = engine().makeTensorFromTensorInfo(backend.makeTensorInfo(shape, dtype))
  try {
    await uploadNow(what, tensor)
  } catch (error) {
    tensor.dispose()
    throw error
  }
  const buffer = backend.tensorMap.get(tensor.dataId).resource as GPUBuffer
  let at = 0
  let queued = 0
  return {
    tensor,
    async write(values) {
      backend.queue.writeBuffer(buffer, at * ELEMENT_BYTES, values)
      at += values.length
      queued += values.byteLength
      if (queued < QUEUED_BYTES) return
      queued = 0
      await backend.queue.onSubmittedWorkDone()
    },
  }
}

function inHeap(shape: number[], dtype: 'float32' | 'int32'): StreamedTensor {
  const backend = wasmBackend()
  const tensor = asTensor(backend.makeOutput(shape, dtype))
  let at = 0
  return {
    tensor,
    write(values) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
      backend.wasm.HEAPU8.set(bytes, addressOf(backend, tensor.dataId) + at * ELEMENT_BYTES)
      at += values.length
      return Promise.resolve()
    },
  }
}

/** On the cpu backend a tensor is the array that it was made of. */
function inArray(what: string, shape: number[], dtype: 'float32' | 'int32'): StreamedTensor {
  const size = shape.reduce((product, extent) => product * extent, 1)
  let array: Float32Array | Int32Array
  try {
    array = dtype === 'float32' ? new Float32Array(size) : new Int32Array(size)
  } catch (cause) {
    throw new GraftError(
      'E_MEMORY',
      `${what}: there is not enough memory. Close other tabs, choose a smaller model, and try again.`,
      { tensorBytes: size * ELEMENT_BYTES },
      { cause },
    )
  }
  let at = 0
  return {
    tensor: tensorOf(array, shape, dtype),
    write(values) {
      array.set(values, at)
      at += values.length
      return Promise.resolve()
    },
  }
}
