// Quantised bases against PyTorch with our kernels on WebGPU: logits of all, training on those that have a trajectory.
import { beforeAll } from 'vitest'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { roundedSuite } from '../golden/rounded.ts'
import { TRAINED_VARIANTS, variantSuite } from '../golden/variants.ts'

beforeAll(async () => {
  await startBackend('webgpu', {
    onFault: (error) => {
      throw error
    },
  })
})
roundedSuite('quantised bases', () => opsFor('webgpu'))
variantSuite(
  'quantised bases',
  () => opsFor('webgpu'),
  TRAINED_VARIANTS.filter(({ precision }) => precision !== undefined),
)
