// The memory estimate beside what is taken from the GPU while the lower blocks of the embedded model train.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryUse, releaseFreeBuffers, resetPeak } from '../../src/core/backend/memory.ts'
import { startBackend } from '../../src/core/backend/register.ts'
import { loadTransformer } from '../../src/core/models/load.ts'
import { recogniseModel } from '../../src/core/models/registry.ts'
import { memoryFile, openWeights, type WeightSource } from '../../src/core/models/weights.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { estimateMemory, type MemoryRequest } from '../../src/core/train/memory.ts'
import type { Example } from '../../src/core/train/objective.ts'
import type { Precision } from '../../src/protocol/model.ts'
import { defaultAdapter } from '../../src/protocol/settings.ts'
import { train } from './training.ts'

let known: ReturnType<typeof recogniseModel>
let weights: WeightSource

beforeAll(async () => {
  await startBackend('webgpu', {
    onFault: (error) => {
      throw error
    },
  })
  const get = (name: string) => fetch(`/models/graft-7m/${name}`)
  // Its first blocks: a software GPU takes its time.
  const config: unknown = await (await get('config.json')).json()
  known = recogniseModel({ ...(config as object), num_hidden_layers: 2 })
  const bytes = new Uint8Array(await (await get('model.safetensors')).arrayBuffer())
  weights = await openWeights([memoryFile('model.safetensors', bytes)])
})
afterAll(releaseFreeBuffers)

/** Bytes at the fullest moment of two steps, the base included. */
async function measure(
  { labels, adapter, batchSize, maxLength, checkpointing }: MemoryRequest,
  precision: Precision,
) {
  const { family, architecture } = known
  releaseFreeBuffers()
  const before = memoryUse().gpuBytes
  const model = await loadTransformer(family, architecture, weights, opsFor('webgpu'), { precision })
  releaseFreeBuffers()
  resetPeak()
  const ids = Array.from({ length: maxLength }, (_, t) => t % architecture.vocab)
  const rows: Example[] = Array.from({ length: batchSize }, (_, i) =>
    labels === null ? { ids, labels: ids } : { ids, label: i % labels },
  )
  const { recorded } = await train(
    { model, source: weights, bare: false },
    {
      adapter,
      rows,
      training: { steps: 2, batchSize, maxLength, packing: false },
      options: { labels, checkpointing: checkpointing === 'none' ? 'none' : 'block', padId: 0 },
      labels,
    },
  )
  const measured = memoryUse().peakGpuBytes - before
  model.dispose()
  return { measured, recorded }
}

const request = (change: Partial<MemoryRequest>): MemoryRequest => ({
  labels: null,
  adapter: defaultAdapter(),
  batchSize: 2,
  maxLength: 64,
  checkpointing: 'block',
  ...change,
})

describe('estimate beside the buffers of the GPU', () => {
  // Recorded steps hold what the formula says; where steps are computed, tfjs's pool takes its share.
  const recorded = { least: 0.9, most: 1.1, recorded: true }
  const computed = { least: 0.7, most: 1.5, recorded: false }
  const cases: [string, MemoryRequest, Precision, typeof recorded][] = [
    ['text', request({ maxLength: 32 }), 'f32', recorded],
    ['text, everything kept', request({ maxLength: 32, checkpointing: 'none' }), 'f32', recorded],
    ['text, longer, int8', request({ maxLength: 64 }), 'int8', recorded],
    ['text, dropout', request({ maxLength: 64, adapter: defaultAdapter({ dropout: 0.1 }) }), 'nf4', recorded],
    ['classes', request({ maxLength: 32, labels: 6 }), 'f16', recorded],
    [
      'all parameters',
      request({ maxLength: 16, adapter: defaultAdapter({ method: 'full' }) }),
      'f32',
      recorded,
    ],
    [
      'DoRA, nf4',
      request({ maxLength: 16, labels: 6, adapter: defaultAdapter({ useDora: true, r: 4 }) }),
      'nf4',
      computed,
    ],
  ]
  it.each(cases)(
    '%s',
    async (_name, wanted, precision, bounds) => {
      const { measured, recorded } = await measure(wanted, precision)
      expect(recorded).toBe(bounds.recorded)
      const { family, architecture } = known
      const estimate = estimateMemory(family, architecture, wanted, precision, {
        backend: 'webgpu',
        bytes: 4e9,
      })
      expect(estimate.bytes / measured).toBeGreaterThan(bounds.least)
      expect(estimate.bytes / measured).toBeLessThan(bounds.most)
    },
    240_000,
  )
})
