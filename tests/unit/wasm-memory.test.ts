// The most that tensors ever held of the WebAssembly heap is known to the byte.
import { fileURLToPath } from 'node:url'
import { tensor1d, tidy, add } from '@tensorflow/tfjs-core'
import { beforeAll, expect, test } from 'vitest'
import { memoryUse, resetPeak } from '../../src/core/backend/memory.ts'
import { startBackend } from '../../src/core/backend/register.ts'

const wasmPaths = fileURLToPath(
  new URL('../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
)

beforeAll(async () => {
  await startBackend('wasm', {
    wasmPaths,
    onFault: (error) => {
      throw error
    },
  })
})

test('a peak between two looks is seen', () => {
  const x = tensor1d(new Float32Array(1000))
  resetPeak()
  const before = memoryUse().peakGpuBytes
  // Three tensors at once at most: x, x + x, and its sum with x.
  const y = tidy(() => add(add(x, x), x))
  const { peakGpuBytes } = memoryUse()
  expect(peakGpuBytes - before).toBe(2 * 4000)
  y.dispose()
  x.dispose()
  expect(memoryUse().peakGpuBytes).toBe(peakGpuBytes)
})
