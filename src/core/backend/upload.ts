// tfjs puts values on the GPU only when an op first reads them, and a buffer that the GPU had no room for reads as
// zeros. Weights go there at once instead, each inside error scopes of its own.
import { backend as currentBackend, getBackend, type Tensor } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { GraftError } from '../../protocol/errors.ts'
import { gpuFault, submitPending } from './errorScopes.ts'

const FILTERS: GPUErrorFilter[] = ['internal', 'out-of-memory', 'validation']

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
      { tensorBytes: tensor.size * 4 },
      { cause: thrown },
    )
  if (thrown !== undefined) throw thrown
}
