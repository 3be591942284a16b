// The memory estimate beside what tfjs's pool takes from the GPU while the lower blocks of the embedded model train.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { baseValues } from '../../src/core/adapters/baseValues.ts'
import { initialParameters } from '../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../src/core/adapters/plan.ts'
import { storeAdaptation } from '../../src/core/adapters/adaptation.ts'
import { memoryUse, releaseFreeBuffers, resetPeak } from '../../src/core/backend/memory.ts'
import { startBackend } from '../../src/core/backend/register.ts'
import { loadTransformer } from '../../src/core/models/load.ts'
import { recogniseModel } from '../../src/core/models/registry.ts'
import { memoryFile, openWeights, type WeightSource } from '../../src/core/models/weights.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { ParameterStore } from '../../src/core/optim/parameters.ts'
import { estimateMemory, type MemoryRequest } from '../../src/core/train/memory.ts'
import { exampleBatch, lossAndGradients, readScalars, type Example } from '../../src/core/train/objective.ts'
import type { Precision } from '../../src/protocol/model.ts'
import { defaultAdapter } from '../../src/protocol/settings.ts'

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

const hyper = { learningRate: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clip: 1, step: 1 }

/** Bytes at the fullest moment of a step, the base included. */
async function measure(
  { labels, adapter, batchSize, maxLength, checkpointing }: MemoryRequest,
  precision: Precision,
) {
  const kept = checkpointing === 'none' ? 'none' : 'block'
  const { family, architecture } = known
  releaseFreeBuffers()
  resetPeak()
  const before = memoryUse().gpuBytes
  const model = await loadTransformer(family, architecture, weights, opsFor('webgpu'), { precision })
  const plan = planAdapter(family, architecture, adapter, labels)
  const initial = await initialParameters(plan, adapter, 1, baseValues(model, weights))
  const store = new ParameterStore(model.ops, initial)
  const ids = Array.from({ length: maxLength }, (_, t) => t % architecture.vocab)
  const examples: Example[] = Array.from({ length: batchSize }, (_, i) =>
    labels === null ? { ids, labels: ids } : { ids, label: i % labels },
  )
  const batch = exampleBatch(examples, 0, architecture.context, family.classifier.row)
  const trainable = { adaptation: storeAdaptation(store, plan), classify: labels !== null }
  const { loss, energy } = lossAndGradients(model, batch, trainable, 1, store.gradients, kept)
  await readScalars([loss, energy, store.step(hyper)])
  const measured = memoryUse().peakGpuBytes - before
  batch.dispose()
  store.dispose()
  model.dispose()
  return measured
}

const request = (change: Partial<MemoryRequest>): MemoryRequest => ({
  labels: null,
  adapter: defaultAdapter(),
  batchSize: 2,
  maxLength: 64,
  checkpointing: 'block',
  ...change,
})

describe('estimate beside the pool of GPU buffers', () => {
  const cases: [string, MemoryRequest, Precision][] = [
    ['text', request({ maxLength: 32 }), 'f32'],
    ['text, everything kept', request({ maxLength: 32, checkpointing: 'none' }), 'f32'],
    [
      'DoRA, nf4',
      request({ maxLength: 16, labels: 6, adapter: defaultAdapter({ useDora: true, r: 4 }) }),
      'nf4',
    ],
  ]
  it.each(cases)(
    '%s',
    async (_name, wanted, precision) => {
      const measured = await measure(wanted, precision)
      const { family, architecture } = known
      const estimate = estimateMemory(family, architecture, wanted, precision, {
        backend: 'webgpu',
        bytes: 4e9,
      })
      expect(estimate.bytes / measured).toBeGreaterThan(0.7)
      expect(estimate.bytes / measured).toBeLessThan(1.5)
    },
    240_000,
  )
})
