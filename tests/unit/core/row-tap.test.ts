// What a run says of its rows: the probabilities that a separate pass over the same weights gives, and not one bit of the
// training changed by asking.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, expect, it } from 'vitest'
import { baseValues } from '../../../src/core/adapters/baseValues.ts'
import { initialParameters } from '../../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../../src/core/adapters/plan.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { evaluateBatch, exampleBatch, type Example } from '../../../src/core/train/objective.ts'
import { rowResults } from '../../../src/core/train/rowResults.ts'
import { RowTap, type SeenRows } from '../../../src/core/train/rowTap.ts'
import { Trainer, type TrainerState } from '../../../src/core/train/trainer.ts'
import { Turns } from '../../../src/core/turns.ts'
import type { TrainingConfig } from '../../../src/protocol/run.ts'
import { defaultAdapter, defaultTraining } from '../../../src/protocol/settings.ts'
import { loadTiny } from '../../golden/follow.ts'

beforeAll(() => tf.setBackend('cpu'))

const ROWS = 7

async function follow(classify: boolean, settings: Partial<TrainingConfig>, weighted = false) {
  const { model, source } = await loadTiny('tiny-llama', opsFor('cpu'))
  const adapter = defaultAdapter({ r: 2, alpha: 4 })
  const plan = planAdapter(model.family, model.architecture, adapter, classify ? 3 : null)
  const initial = await initialParameters(plan, adapter, 1, baseValues(model, source))
  const rows = Array.from({ length: ROWS }, (_, i): Example => {
    const ids = Array.from({ length: 3 + i }, (__, t) => 5 + ((i * 31 + t * 17) % 60))
    const weight = weighted ? { weight: 0.5 + i } : {}
    if (classify) return { ids, label: i % 3, ...weight }
    return { ids, labels: ids.map((id, t) => (t < 2 ? -100 : id)), ...weight }
  })
  const training = defaultTraining({ hidden: 32, context: 64 }, classify ? 'classify' : 'complete', {
    epochs: 2,
    batchSize: 2,
    accumulation: 2,
    learningRate: 1e-2,
    ...settings,
  })
  const seen: SeenRows[] = []
  const states: TrainerState[] = []
  const losses: number[] = []
  let before: number[] = []
  const trainer = new Trainer({
    model,
    plan,
    initial,
    dropout: 0,
    checkpointing: 'none',
    training,
    labels: classify ? 3 : null,
    padId: 0,
    train: { rows: ROWS, get: (places) => Promise.resolve(places.map((place) => rows[place]!)) },
    validation: null,
    turns: new Turns(),
    readEvery: 2,
    hooks: {
      entries: (entries) => void losses.push(...entries.map(({ loss }) => loss)),
      validation: () => undefined,
      checkpoint: async (state) => {
        if (state.step === 0)
          before = await Promise.all(
            rows.map(async (row) => {
              const batch = exampleBatch([row], 0, 64)
              const { loss, logits } = evaluateBatch(model, batch, trainer.trainable(), 1)
              batch.dispose()
              logits?.dispose()
              const [sum] = await loss.data()
              return Math.exp(-sum! / batch.labelCount)
            }),
          )
        return states.push(state) > 0
      },
      rows: (found) => void seen.push(...found),
    },
  })
  await trainer.run()
  trainer.dispose()
  return { seen, before, losses, end: states.at(-1)!.parameters }
}

it.each<[string, boolean, Partial<TrainingConfig>, boolean?]>([
  ['classes', true, {}],
  ['classes with smoothed labels and weights', true, { labelSmoothing: 0.1 }, true],
  ['texts', false, {}],
  ['texts that are packed, with weights', false, { packing: true }, true],
])(
  '%s',
  async (_name, classify, settings, weighted) => {
    const on = await follow(classify, settings, weighted)
    const off = await follow(classify, { ...settings, recordRows: false }, weighted)
    expect(off.seen).toEqual([])
    expect(on.losses).toEqual(off.losses)
    expect(on.end).toEqual(off.end)
    // Every row once an epoch.
    for (const epoch of [0, 1]) {
      const steps = on.seen.filter(({ step }) => Math.ceil(step / 2) === epoch + 1)
      expect(steps.flatMap(({ places }) => places).sort()).toEqual(Array.from({ length: ROWS }, (_, i) => i))
    }
    // The first step sees the weights that it began with.
    const first = on.seen.filter(({ step }) => step === 1)
    const rows = first.flatMap(({ places, gold }) => places.map((place, i) => [place, gold[i]!] as const))
    expect(rows).toHaveLength(4)
    for (const [place, gold] of rows) expect(gold).toBeCloseTo(on.before[place]!, 5)
    const predicted = first.flatMap((each) => each.predicted)
    expect(predicted.every((c) => (classify ? c >= 0 && c < 3 : c === -1))).toBe(true)
  },
  20_000,
)

it('a class from softmax - target; the mean over the labels of a text', () => {
  // Probabilities 0.2, 0.7, 0.1 of label 0, target smoothed by 0.3, times 0.5 x weight 2.
  const difference = [0.2 - 0.8, 0.7 - 0.1, 0.1 - 0.1]
  const rows = {
    rows: Int32Array.of(0, 1),
    labels: Int32Array.of(0, -100),
    weights: Float32Array.of(2, 1),
  }
  const [only, ...none] = rowResults({ examples: [], rows, factor: 0.5, classes: 3, smoothing: 0.3 }, [
    ...difference,
    ...[0, 0, 0],
  ])
  expect(none).toEqual([])
  expect(only).toMatchObject({ index: 0, predicted: 1 })
  expect(only!.gold).toBeCloseTo(0.2, 12)

  const examples = [
    { ids: [1, 2, 3], labels: [1, 2, 3] },
    { ids: [4], labels: [4] },
    { ids: [5, 6], labels: [-100, 6] },
  ]
  const four = { rows: new Int32Array(4), labels: Int32Array.of(2, 3, 6, -100), weights: null }
  const texts = rowResults({ examples, rows: four, factor: 0.25, classes: null, smoothing: 0 }, [
    ...[0.25, 0.75, 0.5, 0],
  ])
  expect(texts.map(({ index }) => index)).toEqual([0, 2])
  expect(texts[0]!.gold).toBeCloseTo(Math.exp(-2), 12)
  expect(texts[1]!.gold).toBeCloseTo(Math.exp(-2), 12)
})

it('is not there where it could not tell', () => {
  const ops = {} as never
  expect(RowTap.of({ ops, classes: null, smoothing: 0.1, capacity: 8 })).toBeNull()
  expect(RowTap.of({ ops, classes: 3, smoothing: 0.1, capacity: 1 << 30 })).toBeNull()
  expect(RowTap.of({ ops, classes: 3, smoothing: 0.1, capacity: 8 })).not.toBeNull()
})
