// Trying out on this adapter, whatever it is: a run rehearses, chooses, and gives the same bits again from what was
// remembered. The times are printed; those of an adapter made of software say nothing of any GPU.
import * as tf from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { beforeAll, expect, test } from 'vitest'
import { baseValues } from '../../src/core/adapters/baseValues.ts'
import { initialParameters } from '../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../src/core/adapters/plan.ts'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { abilitiesOf } from '../../src/core/ops/webgpu/tuning/start.ts'
import { setTuner, Tuner, type TuningMemory } from '../../src/core/ops/webgpu/tuning/tuner.ts'
import { Trainer, type TrainerState } from '../../src/core/train/trainer.ts'
import { Turns } from '../../src/core/turns.ts'
import { defaultAdapter, defaultTraining } from '../../src/protocol/settings.ts'
import { loadTiny, type TinyModel } from '../golden/follow.ts'

let device: GPUDevice
let tiny: TinyModel

beforeAll(async () => {
  await startBackend('webgpu', {
    onFault(fault) {
      throw fault
    },
  })
  device = (tf.backend() as WebGPUBackend).device
  tiny = await loadTiny('tiny-qwen2', opsFor('webgpu'), { precision: 'f16' })
})

/** A tuner that tries out on software too, and what it remembers as the database would: copies. */
async function tunerWith(memory: TuningMemory | null, active = true): Promise<Tuner> {
  const facts = { info: device.adapterInfo, features: [...device.features], limits: device.limits }
  // An adapter made of software takes its time.
  const budget = { class: 5_000, session: 300_000 }
  const tuner = new Tuner({ adapter: 'test', abilities: abilitiesOf(facts), active, memory, budget })
  await tuner.load()
  setTuner(device, tuner)
  return tuner
}

/** Three steps of two shapes, validation included. */
async function train() {
  const { model, source } = tiny
  const adapter = defaultAdapter({ r: 4, alpha: 8 })
  const plan = planAdapter(model.family, model.architecture, adapter, null)
  const rows = [5, 9, 6, 40, 7, 8].map((length) => {
    const ids = Array.from({ length }, (_, i) => 1 + ((i * 7 + length) % 50))
    return { ids, labels: ids }
  })
  const part = { rows: rows.length, get: (at: readonly number[]) => Promise.resolve(at.map((i) => rows[i]!)) }
  const losses: number[] = []
  let last: TrainerState | null = null
  const trainer = new Trainer({
    model,
    plan,
    initial: await initialParameters(plan, adapter, 1, baseValues(model, source)),
    dropout: 0,
    training: defaultTraining({ hidden: 32, context: 256 }, 'complete', {
      steps: 3,
      batchSize: 2,
      epochs: 1,
    }),
    checkpointing: 'block',
    labels: null,
    padId: 0,
    train: part,
    validation: part,
    turns: new Turns(),
    readEvery: 1,
    hooks: {
      entries: (news) => void losses.push(...news.map(({ loss }) => loss)),
      validation: (_, { validationLoss }) => void losses.push(validationLoss),
      checkpoint: (state) => {
        last = state
        return Promise.resolve(true)
      },
    },
  })
  try {
    await trainer.run()
    return { losses, parameters: last!.parameters }
  } finally {
    trainer.dispose()
  }
}

test('the choices of one session are those of the next, bit for bit', async () => {
  let saved: Record<string, string> = {}
  const memory: TuningMemory = {
    load: () => Promise.resolve({ ...saved }),
    save: (_, choices) => Promise.resolve(void (saved = choices)),
  }
  await tunerWith(null, false)
  const plain = await train()
  const { numTensors } = tf.memory()

  const first = await tunerWith(memory)
  const chosen = await train()
  const words = (times: Record<string, number | null>) =>
    Object.entries(times).map(([name, ms]) => `${name} ${ms === null ? 'refused' : `${ms.toFixed(3)} ms`}`)
  for (const [key, { setting, times }] of first.outcomes)
    console.info(`${key}: ${setting} of ${words(times).join(', ')}`)
  expect(first.outcomes.size).toBeGreaterThan(5)
  for (const [key, { setting, times }] of first.outcomes) {
    expect(saved[key]).toBe(setting)
    expect(times['default'], key).toBeGreaterThan(0)
  }

  const second = await tunerWith(memory)
  const again = await train()
  expect(second.outcomes.size, 'nothing was tried again').toBe(0)
  expect(again.losses).toEqual(chosen.losses)
  expect(again.parameters).toEqual(chosen.parameters)

  expect(tf.memory().numTensors, 'tensors that the runs left behind').toBe(numTensors)

  // Any choice learns the same, up to rounding.
  chosen.losses.forEach((loss, i) => expect(loss).toBeCloseTo(plain.losses[i]!, 4))
}, 600_000)
