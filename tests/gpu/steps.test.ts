// One token at a time with a cache (nn/step.ts) gives the logits of the whole text read at once, for every family, adapter
// and precision; and answers are those that the sampler on the host would give.
import * as tf from '@tensorflow/tfjs-core'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { storeAdaptation } from '../../src/core/adapters/adaptation.ts'
import { baseValues } from '../../src/core/adapters/baseValues.ts'
import { initialParameters } from '../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../src/core/adapters/plan.ts'
import { startBackend } from '../../src/core/backend/register.ts'
import { inspectLogits } from '../../src/core/explain/inspect.ts'
import { decode, readTokens } from '../../src/core/generate/generate.ts'
import { GREEDY, sample } from '../../src/core/generate/sampler.ts'
import type { Transformer } from '../../src/core/models/transformer.ts'
import type { Adaptation } from '../../src/core/nn/adaptation.ts'
import { StepModel } from '../../src/core/nn/step.ts'
import { AttentionLayout } from '../../src/core/ops/layout.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { ParameterStore } from '../../src/core/optim/parameters.ts'
import { normals } from '../../src/core/rng.ts'
import { Turns } from '../../src/core/turns.ts'
import type { Precision } from '../../src/protocol/model.ts'
import type { AdapterConfig } from '../../src/protocol/run.ts'
import { defaultAdapter } from '../../src/protocol/settings.ts'
import { loadTiny } from '../golden/follow.ts'
import { relativeError, type FamilyName } from '../golden/load.ts'

/** Longer than every window of the tiny models. */
const TEXT = Array.from({ length: 22 }, (_, t) => 5 + ((t * 29) % 60))
const PROMPT = 4

interface Case {
  name: FamilyName
  precision?: Precision
  adapter?: Partial<AdapterConfig>
}

const CASES: Case[] = [
  { name: 'tiny-llama' },
  { name: 'tiny-llama-odd', adapter: {} },
  { name: 'tiny-llama3', precision: 'f16', adapter: { useRslora: true } },
  { name: 'tiny-qwen2', precision: 'int8', adapter: { useDora: true } },
  { name: 'tiny-qwen2', precision: 'nf4', adapter: { initLoraWeights: 'pissa' } },
  { name: 'tiny-qwen2', adapter: { bias: 'all', modulesToSave: ['embed_tokens', 'lm_head'] } },
  { name: 'tiny-qwen3', adapter: { targets: ['q_proj', 'down_proj'] } },
  { name: 'tiny-qwen3', adapter: { method: 'full' } },
  { name: 'tiny-gemma3', adapter: {} },
  { name: 'tiny-gpt2', precision: 'int8', adapter: {} },
]

let faults: Error[] = []

beforeAll(() => startBackend('webgpu', { onFault: (fault) => void faults.push(fault) }))
afterEach(() => {
  expect(faults).toEqual([])
  faults = []
})

/** Runs `work` with the model and an adapter whose numbers are all moved away from where they begin. */
async function withModel(
  { name, precision, adapter }: Case,
  work: (model: Transformer, adaptation: Adaptation | null) => Promise<void>,
): Promise<void> {
  const { model, source, bare } = await loadTiny(name, opsFor('webgpu'), { ...(precision && { precision }) })
  let store: ParameterStore | null = null
  try {
    if (!adapter) return await work(model, null)
    const config = defaultAdapter({ r: 3, alpha: 5, ...adapter })
    const plan = planAdapter(model.family, model.architecture, config, null, bare)
    const parameters = await initialParameters(plan, config, 7, baseValues(model, source))
    store = new ParameterStore(
      model.ops,
      parameters.map((parameter, step) => {
        const noise = normals({ seed: 3, purpose: 'noise', step }, parameter.values.length)
        return { ...parameter, values: parameter.values.map((value, i) => value + 0.05 * noise[i]!) }
      }),
    )
    await work(model, storeAdaptation(store, plan))
  } finally {
    store?.dispose()
    model.dispose()
  }
}

describe.each(CASES)('$name $precision $adapter', (given) => {
  it('logits of every position', () =>
    withModel(given, async (model, adaptation) => {
      const { shape, logits } = await inspectLogits(model, TEXT, { adaptation, classify: false }, 0)
      // A store keeps what it is asked for: ask before counting.
      for (const { path } of model.linears('causal')) {
        const factors = adaptation?.factors(path)
        expect([factors?.a.rank, factors?.b.rank]).toEqual(factors ? [2, 2] : [undefined, undefined])
      }
      const tensors = tf.memory().numTensors
      const caches = model.emptyCaches(TEXT.length)
      const step = new StepModel(
        { ...model.ops, step: model.ops.step! },
        { ...model.parts, head: model.head },
        adaptation,
      )
      const layout = new AttentionLayout({
        batch: 1,
        queryPositions: new Int32Array(1),
        querySegments: new Int32Array(1),
      })
      const row = (t: number) => logits.subarray(t * shape[1], (t + 1) * shape[1])
      const first = readTokens(model, TEXT.slice(0, PROMPT), 0, caches, adaptation)
      expect(relativeError(await first.data(), row(PROMPT - 1))).toBeLessThan(1e-4)
      first.dispose()
      for (let t = PROMPT; t < TEXT.length; t++) {
        const [token, position] = [tf.tensor1d([TEXT[t]!], 'int32'), tf.tensor1d([t], 'int32')]
        const pass = model.pass({ layout, positions: position }, adaptation)
        for (const cache of caches) cache.reserve(1)
        const made = tf.tidy(() => step.logits(model.embed(token, pass), position, caches))
        expect(made.shape).toEqual([1, shape[1]])
        expect(relativeError(await made.data(), row(t)), `position ${t}`).toBeLessThan(1e-4)
        tf.dispose([made, token, position])
        for (const cache of caches) cache.length++
      }
      for (const cache of caches) cache.dispose()
      step.dispose()
      layout.dispose()
      expect(tf.memory().numTensors, 'tensors left behind').toBe(tensors)
    }))
})

it('an answer that is longer than a cache is at first', () =>
  withModel({ name: 'tiny-llama', adapter: {} }, async (model, adaptation) => {
    const settings = { ...GREEDY, temperature: 1, topP: 0.9, seed: 2 }
    const prompt = TEXT.slice(0, 3)
    const maxTokens = 80
    const { ids } = await decode({
      model,
      adaptation: () => adaptation,
      turns: new Turns(),
      prompt,
      maxTokens,
      endIds: new Set(),
      sampling: settings,
      onToken: () => false,
    })
    expect(ids).toHaveLength(Math.min(maxTokens, model.architecture.context - prompt.length + 1))
    const whole = [...prompt, ...ids].slice(0, model.architecture.context)
    const { shape, logits } = await inspectLogits(model, whole, { adaptation, classify: false }, 0)
    for (const [t, id] of ids.entries()) {
      const at = (prompt.length + t - 1) * shape[1]
      expect(id, `token ${t}`).toBe(sample(logits.slice(at, at + shape[1]), settings, t, []))
    }
  }))

describe.each([
  {},
  { repetitionPenalty: 1.8 },
  { temperature: 1.2, topK: 9, topP: 0.9, minP: 0.02, repetitionPenalty: 1.3, seed: 5 },
  { temperature: 2, seed: 11 },
])('an answer with %o', (change) => {
  it('is the one that the sampler on the host gives', () =>
    withModel({ name: 'tiny-llama' }, async (model) => {
      const settings = { ...GREEDY, ...change }
      const tensors = tf.memory().numTensors
      const prompt = TEXT.slice(0, 9)
      const answer = (endIds: Set<number>) =>
        decode({
          model,
          adaptation: () => null,
          turns: new Turns(),
          prompt,
          maxTokens: 12,
          endIds,
          sampling: settings,
          onToken: () => false,
        })
      const { ids, stopReason } = await answer(new Set())
      expect(stopReason).toBe('length')
      expect(ids).toHaveLength(12)
      const whole = [...prompt, ...ids]
      const { shape, logits } = await inspectLogits(model, whole, { adaptation: null, classify: false }, 0)
      for (const [t, id] of ids.entries()) {
        const at = (prompt.length + t - 1) * shape[1]
        const text = whole.slice(0, prompt.length + t)
        expect(id, `token ${t}`).toBe(sample(logits.slice(at, at + shape[1]), settings, t, text))
      }
      // Ends where an end token comes, whatever was computed behind it.
      const end = ids[4]!
      const cut = await answer(new Set([end]))
      expect(cut).toEqual({ ids: ids.slice(0, ids.indexOf(end)), stopReason: 'end' })
      expect(tf.memory().numTensors, 'tensors left behind').toBe(tensors)
    }))
})

it('one seed gives one text on every backend', async () => {
  const texts: Record<string, number[]> = {}
  for (const backend of ['cpu', 'wasm', 'webgpu'] as const) {
    await startBackend(backend, { onFault: (fault) => void faults.push(fault) })
    const { model } = await loadTiny('tiny-qwen2', opsFor(backend))
    const { ids } = await decode({
      model,
      adaptation: () => null,
      turns: new Turns(),
      prompt: TEXT.slice(0, 9),
      maxTokens: 16,
      endIds: new Set(),
      sampling: { ...GREEDY, temperature: 1.5, topK: 60, topP: 0.98, repetitionPenalty: 1.2, seed: 4 },
      onToken: () => false,
    })
    texts[backend] = ids
    model.dispose()
  }
  expect(texts.cpu).toHaveLength(16)
  expect(new Set(texts.cpu).size).toBeGreaterThan(4)
  expect(texts.wasm).toEqual(texts.cpu)
  expect(texts.webgpu).toEqual(texts.cpu)
})
