// The training loop on a tiny model: resuming, determinism, dropout, and stopping on numbers that are none.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, describe, expect, it } from 'vitest'
import { opsFor } from '../../../src/core/ops/index.ts'
import { initialParameters, type BaseValues } from '../../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../../src/core/adapters/plan.ts'
import { loadTransformer } from '../../../src/core/models/load.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import { memoryFile, openWeights } from '../../../src/core/models/weights.ts'
import type { Transformer } from '../../../src/core/models/transformer.ts'
import {
  Trainer,
  type TrainerHooks,
  type TrainerOptions,
  type TrainerState,
} from '../../../src/core/train/trainer.ts'
import type { Example } from '../../../src/core/train/objective.ts'
import { Turns } from '../../../src/core/turns.ts'
import { defaultAdapter, defaultTraining } from '../../../src/protocol/settings.ts'
import type { AdapterConfig, HistoryEntry, TrainingConfig } from '../../../src/protocol/run.ts'
import { modelBytes } from '../../golden/load.ts'

let model: Transformer

beforeAll(async () => {
  await tf.setBackend('cpu')
  const bytes = modelBytes('tiny-llama')
  const recognised = recogniseModel(JSON.parse(new TextDecoder().decode(bytes.get('config.json'))))
  const weights = await openWeights([memoryFile('model', bytes.get('model.safetensors')!)])
  model = await loadTransformer(recognised.family, recognised.architecture, weights, opsFor('cpu'))
})

/** Ten rows of different lengths in three classes, or as text to continue. */
const rows = (classes: boolean): Example[] =>
  Array.from({ length: 10 }, (_, i) => {
    const ids = Array.from({ length: 3 + (i % 5) }, (_, t) => 5 + ((i * 31 + t * 17) % 90))
    return classes ? { ids, label: i % 3 } : { ids, labels: [-100, ...ids.slice(1)] }
  })

/** A new plan takes nothing from the base. */
const noBase: BaseValues = {
  tensor: () => Promise.reject(new Error('No tensor of the base is trained here.')),
  rowNorms: () => Promise.reject(new Error('No norms are trained here.')),
  components: () => Promise.reject(new Error('No components are taken here.')),
}

async function trainer(
  change: Partial<TrainingConfig> = {},
  options: Partial<TrainerOptions> & { adapter?: Partial<AdapterConfig> } = {},
  hooks: Partial<TrainerHooks> = {},
) {
  const training = defaultTraining({ hidden: 32, context: 256 }, 'classify', {
    epochs: 3,
    batchSize: 2,
    accumulation: 2,
    learningRate: 1e-2,
    checkpointEvery: 1000,
    ...change,
  })
  const source = rows(options.labels !== null)
  const entries: HistoryEntry[] = []
  const states: TrainerState[] = []
  const { adapter: wanted = { r: 4, alpha: 8, dropout: 0.2 }, ...rest } = options
  const adapter = defaultAdapter(wanted)
  const labels = options.labels === undefined ? 3 : options.labels
  const plan = planAdapter(model.family, model.architecture, adapter, labels)
  const made = new Trainer({
    model,
    plan,
    initial: await initialParameters(plan, adapter, training.seed, noBase),
    dropout: adapter.dropout,
    training,
    checkpointing: 'none',
    labels,
    padId: 3,
    validation: null,
    turns: new Turns(),
    readEvery: 1,
    train: { rows: source.length, get: (places) => Promise.resolve(places.map((place) => source[place]!)) },
    hooks: {
      entries: (news) => void entries.push(...news),
      validation: () => undefined,
      checkpoint: (state) => Promise.resolve(states.push(state) > 0),
      ...hooks,
    },
    ...rest,
  })
  return { made, entries, states }
}

describe('training loop', () => {
  it('gives the same bits for the same seed, and others for another', async () => {
    const run = async (seed: number) => {
      const { made, entries, states } = await trainer({ seed })
      await made.run()
      made.dispose()
      return { losses: entries.map((entry) => entry.loss), final: states.at(-1)! }
    }
    const [first, second, other] = [await run(1), await run(1), await run(2)]
    expect(second.losses).toEqual(first.losses)
    expect(second.final.parameters).toEqual(first.final.parameters)
    expect(other.losses).not.toEqual(first.losses)
  })

  it('resumed from a checkpoint equals an uninterrupted run, to the bit', async () => {
    const whole = await trainer()
    await whole.made.run()
    const cut = await trainer(
      { checkpointEvery: 4 },
      {},
      {
        checkpoint: (state) => {
          if (state.step === 4) {
            cut.states.push(state)
            cut.made.stop()
          }
          return Promise.resolve(true)
        },
      },
    )
    expect(await cut.made.run()).toBe('stopped')
    const resumed = await trainer()
    resumed.made.restore(cut.states[0]!)
    expect(await resumed.made.run()).toBe('done')
    expect(resumed.entries.map(({ step, loss }) => [step, loss])).toEqual(
      whole.entries.slice(4).map(({ step, loss }) => [step, loss]),
    )
    expect(resumed.states.at(-1)!.parameters).toEqual(whole.states.at(-1)!.parameters)
    for (const { made } of [whole, cut, resumed]) made.dispose()
  })

  it('gives the same history whether it reads every step or every four', async () => {
    const each = await trainer()
    const fourth = await trainer({}, { readEvery: 4 })
    await each.made.run()
    await fourth.made.run()
    expect(fourth.entries.map((entry) => entry.loss)).toEqual(each.entries.map((entry) => entry.loss))
    for (const { made } of [each, fourth]) made.dispose()
  })

  it('accumulation equals a larger batch: the mean is over all labels of the step', async () => {
    const adapter = { r: 4, alpha: 8, dropout: 0 }
    const small = await trainer({ batchSize: 1, accumulation: 4, shuffle: false }, { labels: null, adapter })
    const large = await trainer({ batchSize: 4, accumulation: 1, shuffle: false }, { labels: null, adapter })
    await small.made.run()
    await large.made.run()
    expect(small.entries.length).toBe(large.entries.length)
    small.entries.forEach((entry, i) => expect(entry.loss).toBeCloseTo(large.entries[i]!.loss, 5))
    for (const { made } of [small, large]) made.dispose()
  })

  it('learns the same, to the bit, whether blocks keep what they made or compute it again', async () => {
    const kept = await trainer({}, { checkpointing: 'none' })
    const again = await trainer({}, { checkpointing: 'block' })
    await kept.made.run()
    await again.made.run()
    expect(again.states.at(-1)!.parameters).toEqual(kept.states.at(-1)!.parameters)
    for (const { made } of [kept, again]) made.dispose()
  })

  it.each([3, null])('learns the same from packed rows (%s classes)', async (labels) => {
    const adapter = { r: 4, alpha: 8, dropout: 0 }
    const packed = await trainer({ batchSize: 5, packing: true }, { labels, adapter })
    const alone = await trainer({ batchSize: 5, packing: false }, { labels, adapter })
    await packed.made.run()
    await alone.made.run()
    expect(packed.entries.length).toBe(alone.entries.length)
    packed.entries.forEach(({ loss, gradNorm }, i) => {
      expect(loss).toBeCloseTo(alone.entries[i]!.loss, 4)
      expect(gradNorm).toBeCloseTo(alone.entries[i]!.gradNorm, 3)
    })
    for (const { made } of [packed, alone]) made.dispose()
  })

  it.each(['none', 'block'] as const)(
    'holds no more after any number of steps (%s)',
    async (checkpointing) => {
      const held: [number, number][] = []
      const look = () => {
        const { numTensors, numBytes } = tf.memory()
        held.push([numTensors, numBytes])
      }
      const { made } = await trainer({ steps: 60 }, { checkpointing, labels: null }, { entries: look })
      await made.run()
      made.dispose()
      expect(held).toHaveLength(60)
      for (const each of held) expect(each).toEqual(held[0])
    },
  )

  it('stops at a loss that is no number and keeps the checkpoints before it', async () => {
    const { made, states } = await trainer({ learningRate: 1e25, clip: 0, warmup: 0, epochs: 50 })
    await expect(made.run()).rejects.toMatchObject({
      code: 'E_NON_FINITE',
      details: { step: expect.any(Number) },
    })
    expect(states.length).toBeGreaterThan(0)
    for (const state of states)
      for (const values of Object.values(state.parameters.values))
        expect(values.every(Number.isFinite)).toBe(true)
    made.dispose()
  })

  it('stops where activations overflow, though the loss still looks sound', async () => {
    // Squares above float32's range make RMSNorm return zeros: a loss of exactly ln 3, a gradient of 0.
    const { made } = await trainer({ learningRate: 1e10, warmup: 0, epochs: 20 })
    await expect(made.run()).rejects.toMatchObject({ code: 'E_NON_FINITE' })
    made.dispose()
  })

  it('pauses before the next step and goes on', async () => {
    const { made, entries } = await trainer({}, {}, {})
    const ended = made.run()
    await made.pause()
    const seen = entries.length
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(entries.length).toBe(seen)
    made.resume()
    expect(await ended).toBe('done')
    expect(entries.length).toBe(made.steps)
    made.dispose()
  })

  it('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors
    const { made } = await trainer(
      {},
      {
        validation: { rows: 10, get: (places) => Promise.resolve(places.map((place) => rows(true)[place]!)) },
      },
    )
    await made.run()
    made.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })
})
