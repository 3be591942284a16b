// Configurations that are broken or meant to do harm are refused by name, before anything is built from them.
import { describe, expect, test } from 'vitest'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import { modelBytes } from '../../golden/load.ts'

const CONFIG = JSON.parse(new TextDecoder().decode(modelBytes('tiny-llama').get('config.json'))) as Record<
  string,
  unknown
>

/** What is thrown for the tiny model's config.json with some fields changed; it must come at once. */
function refusal(change: Record<string, unknown>): unknown {
  const started = performance.now()
  try {
    recogniseModel({ ...CONFIG, ...change })
  } catch (error) {
    expect(performance.now() - started).toBeLessThan(100)
    return error
  }
  return null
}

describe('config.json', () => {
  test.each([
    ['num_hidden_layers', 1025],
    ['num_hidden_layers', 1e9],
    ['num_attention_heads', 1025],
    ['num_key_value_heads', 2 ** 31],
    ['hidden_size', 2 ** 20 + 1],
    ['intermediate_size', Number.MAX_SAFE_INTEGER],
    ['vocab_size', 2 ** 21 + 1],
    ['vocab_size', 1.5],
    ['vocab_size', -1],
    ['hidden_size', '32'],
    ['head_dim', 8.5],
    ['head_dim', 2 ** 20],
    ['max_position_embeddings', 0],
    ['max_position_embeddings', 1e300],
    ['rms_norm_eps', 0],
    ['rope_theta', -10_000],
    ['rope_theta', [[[]]]],
    ['eos_token_id', { at: 0 }],
  ])('%s of %j is refused by name', (field, value) => {
    expect(refusal({ [field]: value })).toMatchObject({ code: 'E_MODEL_FILES', details: { field } })
  })

  test('a head size that hidden_size does not divide into is refused', () => {
    expect(refusal({ head_dim: undefined, num_attention_heads: 3, num_key_value_heads: 1 })).toMatchObject({
      code: 'E_MODEL_FILES',
      details: { field: 'head_dim' },
    })
  })

  test('a message stays short whatever the value is', () => {
    const nested: unknown = JSON.parse('['.repeat(200_000) + ']'.repeat(200_000))
    for (const value of ['x'.repeat(1e6), nested]) {
      const error = refusal({ hidden_act: value }) as Error
      expect(error).toMatchObject({ code: 'E_MODEL_UNSUPPORTED', details: { field: 'hidden_act' } })
      expect(error.message.length).toBeLessThan(300)
      expect((refusal({ model_type: value }) as Error).message.length).toBeLessThan(300)
    }
  })

  test('a longer context than is built for is cut', () => {
    const { architecture } = recogniseModel({ ...CONFIG, max_position_embeddings: 10_000_000 })
    expect(architecture.context).toBe(131_072)
    expect(recogniseModel(CONFIG).architecture.context).toBe(256)
  })

  test('windows of Qwen begin at layer 28 where the file does not say, as in transformers', () => {
    const config = { ...CONFIG, model_type: 'qwen2', num_hidden_layers: 30, use_sliding_window: true }
    const { windows } = recogniseModel({ ...config, sliding_window: 32 }).architecture.attention
    expect(windows).toEqual([...new Array<null>(28).fill(null), 32, 32])
    const early = recogniseModel({ ...config, sliding_window: 32, max_window_layers: 29 })
    expect(early.architecture.attention.windows.filter((window) => window !== null)).toEqual([32])
  })

  test('special ids outside the vocabulary are left out', () => {
    const { architecture } = recogniseModel({ ...CONFIG, pad_token_id: 320, eos_token_id: [2, 320, 319] })
    expect(architecture).toMatchObject({ padId: null, eosIds: [2, 319] })
  })
})
