// The memory estimate beside what tfjs counts while a step is computed: on the embedded model and on tiny ones of every
// kind, on wasm, and the tiny ones on cpu too.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, describe, expect, it } from 'vitest'
import { baseValues } from '../../../src/core/adapters/baseValues.ts'
import { storeAdaptation } from '../../../src/core/adapters/adaptation.ts'
import { initialParameters } from '../../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../../src/core/adapters/plan.ts'
import { memoryBudget } from '../../../src/core/backend/budget.ts'
import { registerWasm } from '../../../src/core/backend/wasm.ts'
import { loadTransformer } from '../../../src/core/models/load.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import { memoryFile, openWeights } from '../../../src/core/models/weights.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { ParameterStore } from '../../../src/core/optim/parameters.ts'
import { estimateMemory, type MemoryRequest } from '../../../src/core/train/memory.ts'
import {
  exampleBatch,
  lossAndGradients,
  readScalars,
  type Example,
} from '../../../src/core/train/objective.ts'
import { type Precision } from '../../../src/protocol/model.ts'
import { defaultAdapter } from '../../../src/protocol/settings.ts'
import { modelBytes } from '../../golden/load.ts'

const wasmPaths = fileURLToPath(
  new URL('../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
)

type Files = Map<string, Uint8Array>

function embedded(): Files {
  const folder = new URL('../../../public/models/graft-7m/', import.meta.url)
  return new Map(
    ['config.json', 'model.safetensors'].map((name) => [name, readFileSync(new URL(name, folder))]),
  )
}

/** Bytes at the fullest moment of a training step, the base included, less what was there before. */
async function measure(
  backend: 'cpu' | 'wasm',
  files: Files,
  request: MemoryRequest,
  precision: Precision,
): Promise<{ measured: number; estimate: ReturnType<typeof estimateMemory> }> {
  await tf.setBackend(backend)
  const before = tf.memory().numBytes
  const { family, architecture } = recogniseModel(
    JSON.parse(new TextDecoder().decode(files.get('config.json'))),
  )
  const shards = [...files].filter(([name]) => name.endsWith('.safetensors'))
  const weights = await openWeights(shards.map(([name, bytes]) => memoryFile(name, bytes)))
  const model = await loadTransformer(family, architecture, weights, opsFor(backend), { precision })
  const { labels, adapter, batchSize, maxLength, checkpointing } = request
  const kept = checkpointing === 'none' ? 'none' : 'block'
  const plan = planAdapter(family, architecture, adapter, labels)
  const initial = await initialParameters(plan, adapter, 1, baseValues(model, weights))
  const store = new ParameterStore(model.ops, initial)
  const ids = Array.from({ length: maxLength }, (_, t) => t % architecture.vocab)
  const examples: Example[] = Array.from({ length: batchSize }, (_, i) =>
    labels === null ? { ids, labels: ids } : { ids, label: i % labels },
  )
  const batch = exampleBatch(examples, 0, architecture.context, family.classifier.row)
  const { peakBytes } = await tf.profile(async () => {
    const trainable = { adaptation: storeAdaptation(store, plan), classify: labels !== null }
    const { loss, energy } = lossAndGradients(model, batch, trainable, 1, store.gradients, kept)
    const norm = store.step({
      learningRate: 0,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      clip: 1,
      step: 1,
    })
    await readScalars([loss, energy, norm])
  })
  const measured = peakBytes - before
  batch.dispose()
  store.dispose()
  model.dispose()
  const estimate = estimateMemory(family, architecture, request, precision, {
    backend,
    bytes: memoryBudget(backend, {}),
  })
  return { measured, estimate }
}

const request = (change: Partial<MemoryRequest>): MemoryRequest => ({
  labels: null,
  adapter: defaultAdapter(),
  batchSize: 2,
  maxLength: 64,
  checkpointing: 'block',
  ...change,
})

/** How far an estimate may be off: it stands for buffers of every size. */
const LOW = 0.7
const HIGH = 1.5

describe.each(['cpu', 'wasm'] as const)('estimate beside measurement on %s', (backend) => {
  beforeAll(async () => {
    if (backend === 'wasm') await registerWasm({ paths: wasmPaths })
  })

  const cases: [string, () => Files, Partial<MemoryRequest>, Precision][] = [
    ['the embedded model, text', embedded, { batchSize: 4, maxLength: 64 }, 'f32'],
    ['the embedded model, text, long', embedded, { batchSize: 1, maxLength: 256 }, 'f32'],
    ['the embedded model, classes', embedded, { batchSize: 8, labels: 6 }, 'f32'],
    ['the embedded model, nf4', embedded, { batchSize: 2, labels: 6 }, 'nf4'],
    [
      'the embedded model, DoRA',
      embedded,
      { batchSize: 4, labels: 6, adapter: defaultAdapter({ useDora: true }) },
      'f32',
    ],
    [
      'the embedded model, dropout',
      embedded,
      { batchSize: 4, labels: 6, adapter: defaultAdapter({ dropout: 0.1 }) },
      'f32',
    ],
    [
      'the embedded model, head only',
      embedded,
      { batchSize: 8, labels: 6, adapter: defaultAdapter({ method: 'head' }) },
      'f32',
    ],
    [
      'the embedded model, all weights',
      embedded,
      { batchSize: 1, labels: 6, adapter: defaultAdapter({ method: 'full' }) },
      'f32',
    ],
    [
      'the embedded model, all weights, text',
      embedded,
      { batchSize: 2, adapter: defaultAdapter({ method: 'full' }) },
      'f32',
    ],
    ['the embedded model, everything kept', embedded, { batchSize: 4, checkpointing: 'none' }, 'f32'],
    [
      'the embedded model, DoRA, everything kept',
      embedded,
      { batchSize: 4, labels: 6, adapter: defaultAdapter({ useDora: true }), checkpointing: 'none' },
      'f32',
    ],
    [
      'GPT-2, everything kept',
      () => modelBytes('tiny-gpt2'),
      { checkpointing: 'none', maxLength: 24 },
      'f32',
    ],
    ['GPT-2', () => modelBytes('tiny-gpt2'), { batchSize: 8, maxLength: 24 }, 'f32'],
    ['BERT', () => modelBytes('tiny-bert'), { batchSize: 8, maxLength: 32, labels: 3 }, 'f32'],
    ['Gemma 3', () => modelBytes('tiny-gemma3'), { batchSize: 8, maxLength: 32 }, 'int8'],
    ['Qwen 3', () => modelBytes('tiny-qwen3'), { batchSize: 8, maxLength: 32 }, 'f16'],
  ]
  it.each(cases.filter(([, files]) => backend === 'wasm' || files !== embedded))(
    '%s',
    async (_name, files, change, precision) => {
      const { measured, estimate } = await measure(backend, files(), request(change), precision)
      expect(estimate.bytes / measured).toBeGreaterThan(LOW)
      expect(estimate.bytes / measured).toBeLessThan(HIGH)
    },
    120_000,
  )
})

describe('the estimate', () => {
  const config = {
    model_type: 'llama',
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    vocab_size: 49152,
    max_position_embeddings: 8192,
    tie_word_embeddings: true,
  }
  const { family, architecture } = recogniseModel(config)
  const of = (bytes: number, precision?: Precision) =>
    estimateMemory(family, architecture, request({ maxLength: 512 }), precision, { backend: 'webgpu', bytes })

  it('counts the weights of a SmolLM2-135M in every precision', () => {
    const weights = (precision: Precision) => of(1e12, precision).parts.weights
    const ropes = 8192 * 64 * 4
    expect(weights('f32') - ropes).toBe(134_515_008 * 4)
    expect((weights('f16') - ropes) / 134_515_008).toBeCloseTo(2, 2)
    expect((weights('int8') - ropes) / 134_515_008).toBeCloseTo(1, 1)
    // 106 million in the blocks at 4.127 bits, 28 million in the table at 16.
    expect((weights('nf4') - ropes) / (106_168_320 * 0.516 + 28_311_552 * 2)).toBeCloseTo(1, 2)
  })

  it('takes the best precision that fits, and says what to change where none does', () => {
    const f32 = of(1e12, 'f32').bytes
    expect(of(1e12)).toMatchObject({ precision: 'f32', fit: 'fits' })
    expect(of(f32 * 1.2)).toMatchObject({ precision: 'f16', fit: 'fits' })
    expect(of(f32 * 1.2, 'f32')).toMatchObject({ precision: 'f32', fit: 'tight' })
    expect(of(f32 * 1.2, 'f32').sentence).toContain('half precision (f16)')
    expect(of(1e8)).toMatchObject({ precision: 'nf4', fit: 'tooLarge' })
    expect(of(1e8).sentence).toContain('choose a smaller model')
  })

  it('knows that values and moments of everything trained need one buffer', () => {
    const adapter = defaultAdapter({ method: 'full' })
    const full = (largest: number) =>
      estimateMemory(family, architecture, request({ adapter }), 'f32', {
        backend: 'webgpu',
        bytes: 1e12,
        largest,
      })
    expect(full(134_515_008 * 12)).toMatchObject({ fit: 'fits' })
    expect(full(134_515_008 * 12 - 1)).toMatchObject({ fit: 'tooLarge' })
    expect(full(1e9).sentence).toContain('1.0 GB')
  })

  it('keeps everything only where that takes less than half of what there is', () => {
    const auto = (bytes: number) =>
      estimateMemory(family, architecture, request({ checkpointing: 'auto' }), 'f16', {
        backend: 'webgpu',
        bytes,
      })
    const everything = auto(1e12)
    expect(everything.checkpointing).toBe('none')
    expect(auto(2.01 * everything.bytes)).toMatchObject({ checkpointing: 'none', bytes: everything.bytes })
    const tighter = auto(1.99 * everything.bytes)
    expect(tighter.checkpointing).toBe('block')
    expect(tighter.bytes).toBeLessThan(0.8 * everything.bytes)
  })

  it('grows with batch and length', () => {
    const bytes = (change: Partial<MemoryRequest>) =>
      estimateMemory(family, architecture, request(change), 'f16', { backend: 'wasm', bytes: 4e9 }).bytes
    expect(bytes({ batchSize: 4 })).toBeGreaterThan(bytes({ batchSize: 2 }))
    expect(bytes({ maxLength: 512 })).toBeGreaterThan(bytes({ maxLength: 256 }))
    expect(bytes({ adapter: defaultAdapter({ r: 64 }) })).toBeGreaterThan(bytes({}))
  })
})
