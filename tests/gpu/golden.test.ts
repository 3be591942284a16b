// The engine against PyTorch in a real browser: on WebGPU with our kernels, and on wasm.
import { beforeAll, describe } from 'vitest'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { goldenSuite } from '../golden/suite.ts'

for (const backend of ['webgpu', 'wasm'] as const) {
  describe(backend, () => {
    beforeAll(async () => {
      await startBackend(backend, {
        onFault: (error) => {
          throw error
        },
      })
    })
    goldenSuite(backend, () => opsFor(backend))
  })
}
