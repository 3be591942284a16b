// Every kind of adapter against peft on WebGPU: first logits, gradients, and the first steps of a few.
import { beforeAll, describe } from 'vitest'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { TRAINED_VARIANTS, variantSuite } from '../golden/variants.ts'

/** One of each kind; on a software GPU every step takes its time. */
const NAMES = [
  'tiny-qwen2-dora',
  'tiny-bert-dora',
  'tiny-qwen2-pissa',
  'tiny-gpt2-bias-all',
  'tiny-bert-loraplus',
  'tiny-qwen2-embeddings',
  'tiny-gemma3-full',
  'tiny-qwen2-row-weights',
]

describe('webgpu', () => {
  beforeAll(async () => {
    await startBackend('webgpu', {
      onFault: (error) => {
        throw error
      },
    })
  })
  const variants = TRAINED_VARIANTS.filter(({ name }) => NAMES.includes(name))
  variantSuite('webgpu', () => opsFor('webgpu'), variants, 3)
})
