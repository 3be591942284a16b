// A run of any method that goes on from a checkpoint ends with the very bits of one that was never cut.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, describe, expect, it } from 'vitest'
import { baseValues } from '../../../src/core/adapters/baseValues.ts'
import { continuedParameters } from '../../../src/core/adapters/continued.ts'
import { initialParameters } from '../../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../../src/core/adapters/plan.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import type { Example } from '../../../src/core/train/objective.ts'
import { Trainer, type TrainerState } from '../../../src/core/train/trainer.ts'
import { Turns } from '../../../src/core/turns.ts'
import type { Precision } from '../../../src/protocol/model.ts'
import type { AdapterConfig } from '../../../src/protocol/run.ts'
import { defaultAdapter, defaultTraining } from '../../../src/protocol/settings.ts'
import type { RunConfig } from '../../../src/protocol/run.ts'
import { loadSnapshot, packState, stateTensors } from '../../../workers/engine/checkpoint.ts'
import { loadTiny } from '../../golden/follow.ts'
import type { FamilyName } from '../../golden/load.ts'

beforeAll(() => tf.setBackend('cpu'))

const STEPS = 4
const lora = { r: 2, alpha: 4, dropout: 0.2 }

describe('resumed', () => {
  it.each<[string, FamilyName, Partial<AdapterConfig>, Precision, boolean?]>([
    [
      'DoRA, LoRA+, rsLoRA and biases',
      'tiny-gpt2',
      { ...lora, useDora: true, useRslora: true, bias: 'all', loraPlusRatio: 4 },
      'f32',
    ],
    [
      'PiSSA with dropout on NF4',
      'tiny-llama',
      { ...lora, initLoraWeights: 'pissa', loraPlusRatio: 4 },
      'nf4',
    ],
    ['a trained tied table', 'tiny-gemma3', { ...lora, modulesToSave: ['embed_tokens'] }, 'int8'],
    ['all parameters', 'tiny-gpt2', { method: 'full' }, 'f32'],
    ['the top layer', 'tiny-llama', { method: 'layers', topLayers: 1 }, 'f16'],
    ['a classifier of an encoder', 'tiny-bert', { ...lora, useDora: true }, 'f32', true],
  ])(
    '%s',
    async (_name, name, settings, precision, classify = false) => {
      const { model, source, bare } = await loadTiny(name, opsFor('cpu'), { precision })
      const adapter = defaultAdapter(settings)
      const plan = planAdapter(model.family, model.architecture, adapter, classify ? 3 : null, bare)
      const fresh = await initialParameters(plan, adapter, 1, baseValues(model, source))
      const make = (initial = fresh) => trainer(model, plan, initial, adapter, classify)

      const whole = make()
      await whole.trainer.run()
      const cut = make()
      cut.stopAt(2)
      expect(await cut.trainer.run()).toBe('stopped')

      const { state, shapes } = loadSnapshot(
        packState(cut.states.at(-1)!, cut.trainer.store.slots, {} as RunConfig),
      )
      const resumed = make(continuedParameters(plan, adapter, stateTensors(state.parameters, shapes)))
      resumed.trainer.restore(state)
      expect(resumed.trainer.step).toBe(2)
      await resumed.trainer.run()
      expect(resumed.trainer.store.slots).toEqual(whole.trainer.store.slots)
      expect(resumed.states.at(-1)!.parameters).toEqual(whole.states.at(-1)!.parameters)
      expect(whole.states.at(-1)!.parameters.values).not.toEqual(state.parameters.values)
      for (const { trainer: each } of [whole, cut, resumed]) each.dispose()
      model.dispose()
    },
    60_000,
  )
})

function trainer(
  model: Awaited<ReturnType<typeof loadTiny>>['model'],
  plan: ReturnType<typeof planAdapter>,
  initial: Awaited<ReturnType<typeof initialParameters>>,
  adapter: AdapterConfig,
  classify: boolean,
) {
  const states: TrainerState[] = []
  let stop = Infinity
  const rows = Array.from({ length: 6 }, (_, i): Example => {
    const ids = Array.from({ length: 3 + i }, (__, t) => 5 + ((i * 31 + t * 17) % 60))
    return classify ? { ids, label: i % 3 } : { ids, labels: ids }
  })
  const made: Trainer = new Trainer({
    model,
    plan,
    initial,
    dropout: adapter.dropout,
    checkpointing: 'none',
    training: defaultTraining({ hidden: 32, context: 64 }, classify ? 'classify' : 'complete', {
      steps: STEPS,
      batchSize: 2,
      accumulation: 2,
      learningRate: 1e-2,
      weightDecay: 0.1,
    }),
    labels: classify ? 3 : null,
    padId: 0,
    train: { rows: rows.length, get: (places) => Promise.resolve(places.map((place) => rows[place]!)) },
    validation: null,
    turns: new Turns(),
    readEvery: 1,
    hooks: {
      entries: (entries) => {
        if (entries.at(-1)!.step === stop) made.stop()
      },
      validation: () => undefined,
      checkpoint: (state) => Promise.resolve(states.push(state) > 0),
    },
  })
  return { trainer: made, states, stopAt: (step: number) => void (stop = step) }
}
