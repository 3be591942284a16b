// A device may refuse any single op, for want of memory: whatever was under way then leaves no tensor behind.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { baseValues } from '../../../src/core/adapters/baseValues.ts'
import { initialParameters } from '../../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../../src/core/adapters/plan.ts'
import { tensorsAtStrength } from '../../../src/core/adapters/strength.ts'
import { inputGradient } from '../../../src/core/explain/gradient.ts'
import { inspectAttention, inspectLogits } from '../../../src/core/explain/inspect.ts'
import { decode } from '../../../src/core/generate/generate.ts'
import { GREEDY } from '../../../src/core/generate/sampler.ts'
import { loadTransformer } from '../../../src/core/models/load.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import type { Transformer } from '../../../src/core/models/transformer.ts'
import { memoryFile, openWeights, type WeightSource } from '../../../src/core/models/weights.ts'
import { savedName } from '../../../src/core/nn/adaptation.ts'
import { ParameterStore } from '../../../src/core/optim/parameters.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import type { Ops } from '../../../src/core/ops/ops.ts'
import { evaluateExamples } from '../../../src/core/train/evaluate.ts'
import { nextTokens, precisionCost, residentReference } from '../../../src/core/train/precision.ts'
import { Trainer } from '../../../src/core/train/trainer.ts'
import { Turns } from '../../../src/core/turns.ts'
import type { Checkpointing } from '../../../src/protocol/run.ts'
import { defaultAdapter, defaultTraining } from '../../../src/protocol/settings.ts'
import { modelBytes } from '../../golden/load.ts'

/** Calls of ops that still succeed; Infinity: all. */
let left = Infinity

/** Ops of which one call fails. */
function breakable(ops: Ops): Ops {
  return new Proxy(ops, {
    get(target, name) {
      const op = target[name as keyof Ops]
      if (typeof op !== 'function') return op
      return (...args: unknown[]) => {
        if (left-- === 0) throw new Error('out of memory')
        return (op as (...args: unknown[]) => unknown).apply(target, args)
      }
    },
  })
}

let source: WeightSource
let model: Transformer
const ids = [12, 40, 7, 55, 31]
const trainable = { adaptation: null, classify: false }

beforeAll(async () => {
  await tf.setBackend('cpu')
  const bytes = modelBytes('tiny-llama')
  const { family, architecture } = recogniseModel(
    JSON.parse(new TextDecoder().decode(bytes.get('config.json'))),
  )
  source = await openWeights([memoryFile('model', bytes.get('model.safetensors')!)])
  model = await loadTransformer(family, architecture, source, breakable(opsFor('cpu')))
})
afterEach(() => void (left = Infinity))

describe('what fails leaves nothing behind', () => {
  it('a checkpoint that cannot be read when tensors are mixed with it', async () => {
    const adapter = defaultAdapter({ method: 'full' })
    const plan = planAdapter(model.family, model.architecture, adapter, null)
    const trained = new Map(
      plan.saved.map(({ name, shape }) => [savedName(name), tf.zeros(shape as number[])] as const),
    )
    const before = tf.memory().numTensors
    let reads = 0
    const damaged: WeightSource = {
      ...source,
      read: (name) => (++reads === 3 ? Promise.reject(new Error('damaged')) : source.read(name)),
    }
    await expect(tensorsAtStrength(model.family, damaged, plan, trained, 0.5)).rejects.toThrow('damaged')
    expect(tf.memory().numTensors).toBe(before)
    tf.dispose([...trained.values()])
  })

  it('more weights to train than a buffer of the device can hold', () => {
    const parameters = [{ name: 'w', shape: [100], values: new Float32Array(100), decay: true, rate: 1 }]
    const before = tf.memory().numTensors
    const make = (limit: number) => new ParameterStore(opsFor('cpu'), parameters, limit)
    expect(() => make(1000)).toThrowError(
      expect.objectContaining({ code: 'E_MEMORY', details: { bytes: 1536, limit: 1000 } }),
    )
    expect(tf.memory().numTensors).toBe(before)
    make(1536).dispose()
  })

  it.each<[string, () => Promise<unknown>, stride?: number]>([
    ['logits', () => inspectLogits(model, ids, trainable, 3)],
    ['attention', () => inspectAttention(model, ids, trainable, 3)],
    [
      'the gradient of a logit',
      () =>
        inputGradient(
          model,
          new Float32Array(5 * 32).fill(0.1),
          { index: 9, contrast: null, position: 4 },
          trainable,
        ),
    ],
    ['an evaluation', () => evaluation()],
    ['an answer', () => answer()],
    ['a comparison of precisions', () => comparison()],
    ['a run', () => run('block'), 37],
    ['a run that keeps what its blocks make', () => run('none'), 37],
  ])('%s', async (_name, work, stride = 1) => {
    // Constants that ops keep are made by the first pass.
    await work()
    const before = tf.memory().numTensors
    let failures = 0
    for (let at = 0; ; at += stride) {
      left = at
      const failed = await work().then(
        () => false,
        (error: Error) => error.message === 'out of memory',
      )
      expect(tf.memory().numTensors, `after op ${at}`).toBe(before)
      if (!failed) break
      failures++
    }
    expect(failures).toBeGreaterThan(10)
  })
})

function evaluation() {
  return evaluateExamples({
    model,
    padId: 3,
    turns: new Turns(),
    source: { rows: 1, get: () => Promise.resolve([{ ids, labels: ids }]) },
    places: [0],
    trainable: () => trainable,
    batchSize: 1,
  })
}

function answer() {
  return decode({
    model,
    adaptation: () => null,
    turns: new Turns(),
    prompt: ids,
    maxTokens: 2,
    endIds: new Set(),
    sampling: GREEDY,
    onToken: () => false,
  })
}

async function run(checkpointing: Checkpointing) {
  const adapter = defaultAdapter({ r: 2, alpha: 2, useDora: true, dropout: 0.1 })
  const plan = planAdapter(model.family, model.architecture, adapter, null)
  const trainer = new Trainer({
    model,
    plan,
    initial: await initialParameters(plan, adapter, 1, baseValues(model, source)),
    dropout: adapter.dropout,
    training: defaultTraining({ hidden: 32, context: 256 }, 'complete', {
      steps: 1,
      batchSize: 1,
      accumulation: 2,
    }),
    checkpointing,
    labels: null,
    padId: 3,
    train: { rows: 2, get: () => Promise.resolve([{ ids, labels: ids }]) },
    validation: null,
    turns: new Turns(),
    readEvery: 1,
    hooks: {
      entries: () => undefined,
      validation: () => undefined,
      checkpoint: () => Promise.resolve(true),
    },
  })
  try {
    return await trainer.run()
  } finally {
    trainer.dispose()
  }
}

function comparison() {
  return precisionCost({
    model,
    precision: 'f32',
    reference: residentReference(model),
    texts: [nextTokens(ids), nextTokens(ids.slice(1))],
  })
}
