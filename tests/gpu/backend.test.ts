// What only a browser shows: our own device, faults that nobody asked about, and errors inside scopes.
import * as tf from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { inErrorScopes, submitPending } from '../../src/core/backend/errorScopes.ts'
import { memoryUse, releaseFreeBuffers } from '../../src/core/backend/memory.ts'
import { startBackend } from '../../src/core/backend/register.ts'
import { run } from '../../src/core/ops/webgpu/runner.ts'
import type { GraftError } from '../../src/protocol/errors.ts'

let faults: GraftError[] = []
const options = { onFault: (fault: GraftError): void => void faults.push(fault) }

beforeEach(() => {
  faults = []
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** A kernel that does not compile. */
function broken(): tf.Tensor {
  const kernel = { name: 'broken', inputs: {}, uniforms: {}, code: 'fn main() { result[0] = nonsense; }' }
  return run({ ...kernel, workgroup: [1, 1, 1], groups: 1 }, [1])
}

test('auto takes WebGPU with the limits of the adapter', async () => {
  const started = await startBackend('auto', options)
  expect(started.name).toBe('webgpu')
  expect(started.reason).toContain('fastest')
  expect(started.adapter).not.toBe('')
  const adapter = (await navigator.gpu.requestAdapter())!
  expect(started.limits.maxBufferSize).toBe(adapter.limits.maxBufferSize)
  expect(started.limits.maxStorageBuffersPerShaderStage).toBe(adapter.limits.maxStorageBuffersPerShaderStage)
})

test('without an adapter auto says why and takes WebAssembly; WebGPU itself is refused with a code', async () => {
  vi.spyOn(navigator.gpu, 'requestAdapter').mockResolvedValue(null)
  const started = await startBackend('auto', options)
  expect(started.name).toBe('wasm')
  expect(started.reason).toContain('WebGPU was refused')
  expect(started.reason).toContain('no usable GPU')
  await expect(startBackend('webgpu', options)).rejects.toMatchObject({ code: 'E_NO_ADAPTER' })
})

test('backends change places again and again, and a stopped device is no fault', async () => {
  for (const name of ['webgpu', 'wasm', 'webgpu', 'cpu', 'webgpu', 'webgpu'] as const) {
    expect((await startBackend(name, options)).name).toBe(name)
    const sum = tf.tidy(() => tf.add(tf.tensor1d([1, 2]), tf.tensor1d([3, 4])))
    expect([...(await sum.data())]).toEqual([4, 6])
    sum.dispose()
  }
  expect(faults).toEqual([])
})

test('an invalid shader is caught by the scope around it', async () => {
  await startBackend('webgpu', options)
  await expect(
    inErrorScopes('A test', () => {
      broken().dispose()
    }),
  ).rejects.toMatchObject({ code: 'E_GPU', message: expect.stringContaining('A test') as string })
  expect(await inErrorScopes('A good one', () => 5)).toBe(5)
  expect(faults).toEqual([])
})

test('too large a buffer is reported by the scope around it', async () => {
  await startBackend('webgpu', options)
  const { device } = tf.backend() as WebGPUBackend
  const size = device.limits.maxBufferSize * 2
  await expect(
    inErrorScopes('A test', () => void device.createBuffer({ size, usage: GPUBufferUsage.STORAGE })),
  ).rejects.toMatchObject({ code: expect.stringMatching(/^E_(GPU|MEMORY)$/) as string })
})

test('an error outside every scope, and the loss of the device, are told as faults', async () => {
  await startBackend('webgpu', options)
  broken().dispose()
  const backend = tf.backend() as WebGPUBackend
  const { device } = backend
  submitPending(backend)
  await vi.waitFor(() => expect(faults.map(({ code }) => code)).toContain('E_GPU'))
  device.destroy()
  await vi.waitFor(() => expect(faults.map(({ code }) => code)).toContain('E_DEVICE_LOST'))
  await startBackend('webgpu', options)
})

test('memory counts what the device holds, the peak stays, and free buffers can be given back', async () => {
  await startBackend('webgpu', options)
  const before = memoryUse().gpuBytes
  const x = tf.tidy(() => tf.add(tf.ones([1024, 256]), 1))
  await x.data()
  const during = memoryUse()
  expect(during.gpuBytes).toBeGreaterThanOrEqual(before + 1024 * 1024)
  expect(during.tensors).toBe(1)
  x.dispose()
  releaseFreeBuffers()
  const after = memoryUse()
  expect(after.gpuBytes).toBeLessThan(during.gpuBytes - 1024 * 1024 + 1)
  expect(after.peakGpuBytes).toBeGreaterThanOrEqual(during.gpuBytes)
})
