// A recorded step is the same step: every kind of training gives the same bits replayed as computed call by call.
import { beforeAll, describe, expect, it } from 'vitest'
import { inspectLogits } from '../../src/core/explain/inspect.ts'
import { memoryUse } from '../../src/core/backend/memory.ts'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { loadTiny, type TinyModel } from '../golden/follow.ts'
import type { FamilyName } from '../golden/load.ts'
import type { SeenRows } from '../../src/core/train/rowTap.ts'
import type { Precision } from '../../src/protocol/model.ts'
import { mixedRows, numbersOf, train, trainerOn, weighted, type Training } from './training.ts'

beforeAll(async () => {
  await startBackend('webgpu', {
    onFault: (error) => {
      throw error
    },
  })
})

async function using(name: FamilyName, precision: Precision, work: (tiny: TinyModel) => Promise<void>) {
  const tiny = await loadTiny(name, opsFor('webgpu'), { precision })
  try {
    await work(tiny)
  } finally {
    tiny.model.dispose()
  }
}

describe('replayed and computed', () => {
  type Case = [title: string, family: FamilyName, given: Training, precision?: Precision, recorded?: boolean]
  const cases: Case[] = [
    [
      'packed rows, micro-batches, decay, smoothed labels',
      'tiny-llama',
      { training: { accumulation: 2, weightDecay: 0.1, labelSmoothing: 0.1 } },
    ],
    [
      'everything kept, LoRA+, rows with weights',
      'tiny-llama',
      {
        options: { checkpointing: 'none' },
        adapter: { loraPlusRatio: 4 },
        rows: weighted(mixedRows(10, false)),
      },
    ],
    ['biases, nf4', 'tiny-qwen2', {}, 'nf4'],
    ['norms on heads, int8, dropout', 'tiny-qwen3', { adapter: { dropout: 0.3 } }, 'int8'],
    ['scaled embeddings and windows, f16', 'tiny-gemma3', {}, 'f16'],
    ['learned positions', 'tiny-gpt2', {}],
    ['a classifier', 'tiny-llama', { classify: true, adapter: { dropout: 0.2 } }],
    [
      'a classifier with positions from 2 on, rows with weights',
      'tiny-roberta',
      { classify: true, rows: weighted(mixedRows(10, true)) },
    ],
    ['all parameters', 'tiny-llama', { adapter: { method: 'full' }, training: { learningRate: 1e-3 } }],
    ['PiSSA', 'tiny-llama', { adapter: { initLoraWeights: 'pissa' } }],
    ['DoRA, which is not recorded', 'tiny-llama', { adapter: { useDora: true } }, 'f32', false],
  ]
  it.each(cases)('%s: the same bits', async (_, family, given, precision = 'f32', recorded = true) => {
    await using(family, precision, async (tiny) => {
      const replayed = await train(tiny, given)
      const computed = await train(tiny, { ...given, options: { ...given.options, recorded: false } })
      expect(replayed.recorded).toBe(recorded)
      expect(computed.recorded).toBe(false)
      expect(numbersOf(replayed)).toEqual(numbersOf(computed))
      expect(replayed.entries).toHaveLength(5)
      expect(replayed.final.parameters).toEqual(computed.final.parameters)
    })
  })
})

describe('a run of replayed steps', () => {
  const training = { steps: 8, accumulation: 2 }

  it('gives the same bits twice', () =>
    using('tiny-llama', 'int8', async (tiny) => {
      const given: Training = { training, adapter: { dropout: 0.1 } }
      const [first, second] = [await train(tiny, given), await train(tiny, given)]
      expect(numbersOf(second)).toEqual(numbersOf(first))
      expect(second.final.parameters).toEqual(first.final.parameters)
      expect(first.recorded).toBe(true)
    }))

  it.each([
    ['texts', {}],
    ['a classifier, rows with weights', { classify: true, rows: weighted(mixedRows(10, true)) }],
  ] satisfies [string, Training][])(
    'tells of its rows what computed steps tell, and not a bit changes: %s',
    (_, given) =>
      using('tiny-llama', 'f32', async (tiny) => {
        const told = async (recorded: boolean) => {
          const seen: SeenRows[] = []
          const hooks = () => ({ rows: (rows: SeenRows[]) => void seen.push(...rows) })
          const run = await train(tiny, {
            ...given,
            training: { steps: 5 },
            options: { recorded },
            hooks,
          })
          return { ...run, seen }
        }
        const [replayed, computed] = [await told(true), await told(false)]
        const silent = await train(tiny, { ...given, training: { steps: 5 } })
        expect(replayed.seen).toEqual(computed.seen)
        expect(replayed.seen.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5])
        expect(replayed.seen.every(({ gold }) => gold.every((p) => p > 0 && p < 1))).toBe(true)
        expect(replayed.final.parameters).toEqual(silent.final.parameters)
        expect(numbersOf(replayed)).toEqual(numbersOf(silent))
      }),
  )

  it('goes on from a checkpoint as if it had not stopped', () =>
    using('tiny-llama', 'f32', async (tiny) => {
      const whole = await train(tiny, { training: { ...training, checkpointEvery: 4 } })
      const middle = whole.states.find(({ step }) => step === 4)!
      const { trainer, entries, states } = await trainerOn(tiny, { training })
      trainer.restore(middle)
      await trainer.run()
      trainer.dispose()
      expect(numbersOf({ entries })).toEqual(numbersOf(whole).slice(4))
      expect(states.at(-1)!.parameters).toEqual(whole.final.parameters)
    }))

  it('is the same with questions to the live model, a pause and looks at validation rows in between', () =>
    using('tiny-llama', 'f32', async (tiny) => {
      const quiet = await train(tiny, { training })
      const answers: number[][] = []
      let paused = 0
      const rows = mixedRows(5, false)
      const disturbed = await train(tiny, {
        training: { ...training, validateEvery: 3, checkpointEvery: 2 },
        options: {
          validation: { rows: rows.length, get: (places) => Promise.resolve(places.map((at) => rows[at]!)) },
        },
        hooks: (trainer) => ({
          async entries() {
            const { logits } = await inspectLogits(tiny.model, [5, 6, 7, 8, 9], trainer().trainable(), 3)
            answers.push([...logits])
          },
          validation: () => {
            void trainer()
              .pause()
              .then(() => {
                paused++
                trainer().resume()
              })
          },
        }),
      })
      expect(paused).toBeGreaterThan(0)
      expect(answers.length).toBeGreaterThan(1)
      // The live model has learnt between the questions.
      expect(answers.at(-1)).not.toEqual(answers[0])
      expect(disturbed.final.parameters).toEqual(quiet.final.parameters)
      expect(disturbed.recorded).toBe(true)
    }))

  it('holds as much memory after each pass over the lengths as after the first', () =>
    using('tiny-llama', 'f32', async (tiny) => {
      const rows = mixedRows(9, false, 30)
      const seen: { bytes: number; tensors: number }[] = []
      await train(tiny, {
        rows,
        training: { steps: 36, batchSize: 1, shuffle: false, packing: false },
        options: { readEvery: 1 },
        hooks: (trainer) => ({
          entries() {
            const { gpuBytes, tensors } = memoryUse()
            if (trainer().step % rows.length === 0) seen.push({ bytes: gpuBytes, tensors })
          },
        }),
      })
      expect(seen.length).toBeGreaterThanOrEqual(2)
      for (const later of seen.slice(1)) expect(later).toEqual(seen[0])
    }))
})
