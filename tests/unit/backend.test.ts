// Starting backends where there is no GPU, and what they say about it.
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { memoryUse } from '../../src/core/backend/memory.ts'
import { startBackend } from '../../src/core/backend/register.ts'

const wasmPaths = fileURLToPath(
  new URL('../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
)
const onFault = (fault: Error): void => {
  throw fault
}

test('auto passes over WebGPU and says why', async () => {
  const started = await startBackend('auto', { wasmPaths, onFault })
  expect(started.name).toBe('wasm')
  expect(started.reason).toContain('WebGPU was refused: this browser offers no WebGPU here')
  expect(started.adapter).toContain('SIMD')
})

test('WebGPU asked for by name is refused with a code', async () => {
  await expect(startBackend('webgpu', { wasmPaths, onFault })).rejects.toMatchObject({ code: 'E_NO_ADAPTER' })
})

test('a full WASM memory is an error, not an address', async () => {
  await startBackend('wasm', { wasmPaths, onFault })
  const backend = tf.backend() as unknown as { makeOutput(shape: number[], dtype: 'float32'): unknown }
  const gibibyte = [1 << 28]
  expect(() => {
    for (let i = 0; i < 5; i++) backend.makeOutput(gibibyte, 'float32')
  }).toThrow(expect.objectContaining({ code: 'E_MEMORY' }))
})

test('backends change places, and memory is counted', async () => {
  for (const name of ['cpu', 'wasm', 'cpu'] as const) {
    expect((await startBackend(name, { wasmPaths, onFault })).name).toBe(name)
    const before = memoryUse()
    const x = tf.zeros([1024])
    expect(memoryUse().gpuBytes - before.gpuBytes).toBe(4096)
    expect(memoryUse().tensors - before.tensors).toBe(1)
    x.dispose()
    expect(memoryUse().gpuBytes).toBe(before.gpuBytes)
    expect(memoryUse().peakGpuBytes).toBeGreaterThanOrEqual(before.gpuBytes + 4096)
  }
})
