// A recorded step is the same step: every kind of training gives the same bits replayed as computed call by call.
import { beforeAll, describe, expect, it } from 'vitest'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { loadTiny, type TinyModel } from '../golden/follow.ts'
import type { FamilyName } from '../golden/load.ts'
import type { Precision } from '../../src/protocol/model.ts'
import { numbersOf, train, type Training } from './training.ts'

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
    ['packed rows, micro-batches, decay', 'tiny-llama', { training: { accumulation: 2, weightDecay: 0.1 } }],
    ['everything kept, LoRA+', 'tiny-llama', { options: { checkpointing: 'none' }, adapter: { loraPlusRatio: 4 } }],
    ['biases, nf4', 'tiny-qwen2', {}, 'nf4'],
    ['norms on heads, int8, dropout', 'tiny-qwen3', { adapter: { dropout: 0.3 } }, 'int8'],
    ['scaled embeddings and windows, f16', 'tiny-gemma3', {}, 'f16'],
    ['learned positions', 'tiny-gpt2', {}],
    ['a classifier', 'tiny-llama', { classify: true, adapter: { dropout: 0.2 } }],
    ['a classifier with positions from 2 on', 'tiny-roberta', { classify: true }],
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
      expect(replayed.entries).toHaveLength(6)
      expect(replayed.final.parameters).toEqual(computed.final.parameters)
    })
  })
})
