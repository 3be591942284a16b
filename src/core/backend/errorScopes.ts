// WebGPU reports nothing by itself: an invalid shader "runs" and leaves garbage, and memory that is not there reads
// as zeros. Work whose failure must be known at once (loading weights, the self-check) runs inside error scopes.
import { backend as currentBackend, getBackend } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { GraftError } from '../../protocol/errors.ts'

/** Innermost last: a scope catches what the ones inside it let through. */
const FILTERS: GPUErrorFilter[] = ['internal', 'out-of-memory', 'validation']

/**
 * Runs GPU work and waits until the GPU has accepted all of it. Elsewhere than on WebGPU it just runs.
 * Scopes are a stack: do not start two such calls side by side.
 * @param what the work, for the message: "Loading the weights".
 * @throws E_MEMORY where the GPU is out of memory, E_GPU where it refused the work for another reason.
 */
export async function inErrorScopes<T>(what: string, run: () => T | Promise<T>): Promise<T> {
  if (getBackend() !== 'webgpu') return run()
  const backend = currentBackend() as WebGPUBackend
  const { device } = backend
  for (const filter of FILTERS) device.pushErrorScope(filter)
  let outcome: { value: T } | { thrown: unknown }
  try {
    outcome = { value: await run() }
    submitPending(backend)
  } catch (thrown) {
    outcome = { thrown }
  }
  const caught = await Promise.all(FILTERS.map(() => device.popErrorScope()))
  const error = caught.find((candidate) => candidate !== null)
  if (error) throw gpuFault(error, what)
  if ('thrown' in outcome) throw outcome.thrown
  return outcome.value
}

/** Hands everything recorded so far to the GPU. */
export function submitPending(backend: WebGPUBackend): void {
  if (!(backend as unknown as { commandEncoder?: GPUCommandEncoder | null }).commandEncoder) return
  backend.endComputePassEncoder()
  backend.submitQueue()
}

/** A GPU error as E_MEMORY or E_GPU, with what to do about it. */
export function gpuFault(error: GPUError, what: string): GraftError {
  if (error instanceof GPUOutOfMemoryError) {
    return new GraftError(
      'E_MEMORY',
      `${what}: the GPU is out of memory. Close other tabs, choose a smaller model or a smaller batch, and try again.`,
      { gpu: error.message },
    )
  }
  return new GraftError('E_GPU', `${what}: the GPU reported an error. ${error.message}`, {
    gpu: error.message,
  })
}
