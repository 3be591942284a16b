// The configurations of every family: what they are read as, and what is refused by name because it would change the maths.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FAMILIES, recogniseModel } from '../../../src/core/models/registry.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import { FAMILY_NAMES, familyGolden, type FamilyName } from '../../golden/load.ts'

const read = (name: FamilyName, change: Record<string, unknown> = {}) =>
  recogniseModel({ ...familyGolden(name).config, ...change }).architecture

test('every family has a golden model', () => {
  const covered = FAMILY_NAMES.map((name) => recogniseModel(familyGolden(name).config).family.modelType)
  expect([...new Set(covered)].sort()).toEqual(FAMILIES.map(({ modelType }) => modelType).sort())
})

describe('a field that changes the maths', () => {
  test.each<[FamilyName, Record<string, unknown>, string]>([
    ['tiny-llama', { hidden_act: 'gelu' }, 'hidden_act'],
    ['tiny-llama', { rope_scaling: { rope_type: 'yarn', factor: 4 } }, 'rope_type'],
    ['tiny-llama', { rope_scaling: { type: 'dynamic', factor: 2 } }, 'type'],
    ['tiny-llama', { rope_parameters: { rope_type: 'longrope', rope_theta: 1e4 } }, 'rope_type'],
    [
      'tiny-llama',
      { rope_parameters: { rope_theta: 1e4, partial_rotary_factor: 0.5 } },
      'partial_rotary_factor',
    ],
    ['tiny-llama', { quantization_config: { quant_method: 'gptq' } }, 'quantization_config'],
    ['tiny-qwen2', { hidden_act: 'relu' }, 'hidden_act'],
    ['tiny-qwen3', { layer_types: ['full_attention', 'linear_attention'] }, 'layer_types'],
    ['tiny-gemma3', { hidden_activation: 'gelu' }, 'hidden_activation'],
    ['tiny-gemma3', { final_logit_softcapping: 30 }, 'final_logit_softcapping'],
    ['tiny-gemma3', { attn_logit_softcapping: 50 }, 'attn_logit_softcapping'],
    ['tiny-gemma3', { use_bidirectional_attention: true }, 'use_bidirectional_attention'],
    ['tiny-gpt2', { scale_attn_by_inverse_layer_idx: true }, 'scale_attn_by_inverse_layer_idx'],
    ['tiny-gpt2', { scale_attn_weights: false }, 'scale_attn_weights'],
    ['tiny-gpt2', { add_cross_attention: true }, 'add_cross_attention'],
    ['tiny-gpt2', { activation_function: 'tanh' }, 'activation_function'],
    ['tiny-bert', { position_embedding_type: 'relative_key' }, 'position_embedding_type'],
    ['tiny-bert', { is_decoder: true }, 'is_decoder'],
    ['tiny-distilbert', { activation: 'swish' }, 'activation'],
    ['tiny-roberta', { position_embedding_type: 'relative_key_query' }, 'position_embedding_type'],
  ])('%s: %j is refused', (name, change, field) => {
    const attempt = () => read(name, change)
    expect(attempt).toThrow(GraftError)
    expect(attempt).toThrow(field)
    try {
      attempt()
    } catch (error) {
      expect(error).toMatchObject({ code: 'E_MODEL_UNSUPPORTED', details: { field } })
    }
  })

  test('an unknown type is refused, with those that are known', () => {
    expect(() => read('tiny-llama', { model_type: 'mamba' })).toThrow(/mamba.*llama.*roberta/)
  })
})

test('older and newer spellings of rotary positions are read alike', () => {
  const scaling = { factor: 4, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 }
  const older = read('tiny-llama', {
    rope_parameters: undefined,
    rope_theta: 5e5,
    rope_scaling: { ...scaling, rope_type: 'llama3' },
  })
  const newer = read('tiny-llama', {
    rope_theta: undefined,
    rope_scaling: undefined,
    rope_parameters: { ...scaling, rope_type: 'llama3', rope_theta: 5e5 },
  })
  expect(older.positions).toEqual(newer.positions)
})

test("Gemma's windows follow the list of layer types, or the pattern where there is none", () => {
  const change = { num_hidden_layers: 7, layer_types: undefined, sliding_window: 9 }
  const { attention, positions } = read('tiny-gemma3', { ...change, sliding_window_pattern: 3 })
  expect(attention.windows).toEqual([9, 9, null, 9, 9, null, 9])
  expect(positions).toMatchObject({ byLayer: [1, 1, 0, 1, 1, 0, 1] })
  expect(read('tiny-gemma3', change).attention.windows).toEqual([9, 9, 9, 9, 9, null, 9])
})

test("Qwen's windows need use_sliding_window, and begin at max_window_layers", () => {
  const change = { num_hidden_layers: 4, layer_types: undefined, sliding_window: 5, max_window_layers: 2 }
  expect(read('tiny-qwen2', { ...change, use_sliding_window: false }).attention.windows).toEqual([
    null,
    null,
    null,
    null,
  ])
  const none = { ...change, use_sliding_window: true, sliding_window: null }
  expect(read('tiny-qwen2', none).attention.windows).toEqual([null, null, null, null])
  expect(read('tiny-qwen2', { ...change, use_sliding_window: true }).attention.windows).toEqual([
    null,
    null,
    5,
    5,
  ])
})

test('whatever a field holds, a configuration is read or refused with a code', () => {
  const values = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom(-1, 0, 0.5, 1e300, 2 ** 53, 'llama3', [], {}, true, false, [null]),
  )
  fc.assert(
    fc.property(fc.constantFrom(...FAMILY_NAMES), fc.nat(), values, (name, place, value) => {
      const config = familyGolden(name).config
      const fields = Object.keys(config).filter((field) => field !== 'model_type')
      const field = fields[place % fields.length]!
      try {
        const { architecture } = recogniseModel({ ...config, [field]: value })
        expect(Number.isInteger(architecture.headSize)).toBe(true)
        expect(architecture.context).toBeGreaterThan(0)
        expect(architecture.attention.windows).toHaveLength(architecture.layers)
      } catch (error) {
        expect(error).toBeInstanceOf(GraftError)
        expect((error as GraftError).message.length).toBeLessThan(300)
      }
    }),
    { numRuns: 2000 },
  )
})
