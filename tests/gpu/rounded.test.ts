// Quantised bases against PyTorch with our kernels on WebGPU.
import { beforeAll } from 'vitest'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { roundedSuite } from '../golden/rounded.ts'

beforeAll(async () => {
  await startBackend('webgpu', {
    onFault: (error) => {
      throw error
    },
  })
})
roundedSuite('quantised bases', () => opsFor('webgpu'))
