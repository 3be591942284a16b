// Reading a large tensor. tfjs would copy all of it into a buffer of its own size and keep that in its pool, and the numbers
// as an array beside the tensor; here they pass through a small buffer, piece by piece.
import { backend as currentBackend, getBackend, type Tensor } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { submitPending } from './errorScopes.ts'

/** Bytes of that buffer. */
export const PIECE_BYTES = 4 * 1024 * 1024

/** The numbers of a float32 tensor as they are now; no kernel may write it until the promise has resolved. */
export async function download(tensor: Tensor): Promise<Float32Array> {
  if (getBackend() !== 'webgpu') return (await tensor.data()) as Float32Array
  const backend = currentBackend() as WebGPUBackend
  const { device, bufferManager } = backend
  backend.uploadToGPU(tensor.dataId)
  submitPending(backend)
  const source = backend.tensorMap.get(tensor.dataId).resource as GPUBuffer
  const values = new Float32Array(tensor.size)
  const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ
  const staging = bufferManager.acquireBuffer(Math.min(source.size, PIECE_BYTES), usage, false, false)
  try {
    for (let begin = 0; begin < source.size; begin += PIECE_BYTES) {
      const bytes = Math.min(PIECE_BYTES, source.size - begin)
      const encoder = device.createCommandEncoder()
      encoder.copyBufferToBuffer(source, begin, staging, 0, bytes)
      device.queue.submit([encoder.finish()])
      await staging.mapAsync(GPUMapMode.READ, 0, bytes)
      values.set(new Float32Array(staging.getMappedRange(0, bytes)), begin / Float32Array.BYTES_PER_ELEMENT)
      staging.unmap()
    }
  } finally {
    bufferManager.releaseBuffer(staging, false)
  }
  return values
}
