// The engine against PyTorch in a real browser: on WebGPU with our kernels, and on wasm.
import { beforeAll, describe } from 'vitest'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { FAMILY_NAMES } from '../golden/load.ts'
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
    // In this browser wasm differs from Node's by its threads alone: one model shows that they agree.
    if (backend === 'wasm') goldenSuite(backend, () => opsFor(backend), ['tiny-llama-odd'])
    else goldenSuite(backend, () => opsFor(backend), FAMILY_NAMES, 'one')
  })
}
