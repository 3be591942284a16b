// Adapters of other people's making that are broken, of another kind or for another base: each is refused by name.
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, peftFiles } from '../../../src/core/adapters/peft.ts'
import { planAdapter } from '../../../src/core/adapters/plan.ts'
import { readPeft } from '../../../src/core/adapters/readPeft.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import {
  parseSafetensors,
  readTensor,
  writeSafetensors,
  type TensorToWrite,
} from '../../../src/formats/safetensors.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { AdapterConfig } from '../../../src/protocol/run.ts'
import { adapterFiles, familyGolden, variantFiles, type FamilyName } from '../../golden/load.ts'
import { LORA } from './settings.ts'
import { filesOf } from './support.ts'

type Files = Map<string, Uint8Array>
let good: Files
let classifier: Files

beforeAll(async () => {
  good = await filesOf(adapterFiles('tiny-qwen2', 'causal'))
  classifier = await filesOf(adapterFiles('tiny-bert', 'classify'))
})

const read = (files: Files, model: FamilyName = 'tiny-qwen2') => {
  const { family, architecture } = recogniseModel(familyGolden(model).config)
  return readPeft(files, family, architecture)
}

function withConfig(files: Files, change: Record<string, unknown>): Files {
  const config = JSON.parse(new TextDecoder().decode(files.get(ADAPTER_CONFIG)))
  const text = JSON.stringify({ ...config, ...change })
  return new Map([...files, [ADAPTER_CONFIG, new TextEncoder().encode(text)]])
}

function tensorsOf(files: Files): TensorToWrite[] {
  const bytes = files.get(ADAPTER_WEIGHTS)!
  return [...parseSafetensors(bytes).tensors.values()].map((entry) => ({
    name: entry.name,
    shape: entry.shape,
    data: readTensor(bytes, entry),
  }))
}

const withTensors = (files: Files, change: (tensors: TensorToWrite[]) => TensorToWrite[]): Files =>
  new Map([...files, [ADAPTER_WEIGHTS, writeSafetensors(change(tensorsOf(files)))]])

const refused = (work: () => unknown, code: string, message: RegExp) =>
  expect(work).toThrowError(expect.objectContaining({ code, message: expect.stringMatching(message) }))

describe('settings that change the maths', () => {
  it.each<[string, unknown]>([
    ['use_qalora', true],
    ['lora_bias', true],
    ['alora_invocation_tokens', [1, 2]],
    ['layer_replication', [[0, 2]]],
    ['trainable_token_indices', [5]],
    ['target_parameters', ['mlp.experts']],
    ['megatron_config', { a: 1 }],
    ['kasa_config', { a: 1 }],
    ['init_lora_weights', 'pissa_niter_4'],
    ['init_lora_weights', 'olora'],
    ['task_type', 'TOKEN_CLS'],
  ])('%s', (field, value) => {
    refused(() => read(withConfig(good, { [field]: value })), 'E_MODEL_UNSUPPORTED', new RegExp(field))
  })

  it('fields that nobody here knows are told, those that change nothing are not', () => {
    const harmless = {
      peft_version: '0.21.0',
      qalora_group_size: 16,
      eva_config: { rho: 2 },
      new_feature: false,
    }
    expect(read(withConfig(good, harmless)).warnings).toEqual([])
    expect(read(withConfig(good, { use_newthing: true, new_rank: 3 })).warnings).toEqual([
      expect.stringMatching(/use_newthing, new_rank/),
    ])
    expect(read(withConfig(good, { velora_config: { a: 1 } })).warnings).toEqual([
      expect.stringMatching(/VeLoRA/),
    ])
  })

  it.each<[string, unknown]>([
    ['r', 0],
    ['lora_alpha', 'x'],
    ['lora_dropout', 1],
    ['use_dora', 'yes'],
    ['bias', 'some'],
    ['rank_pattern', { q_proj: -1 }],
    ['layers_to_transform', 'all'],
    ['target_modules', 7],
  ])('%s of the wrong kind', (field, value) => {
    refused(() => read(withConfig(good, { [field]: value })), 'E_FORMAT', new RegExp(field))
  })

  it('other methods', () =>
    refused(() => read(withConfig(good, { peft_type: 'IA3' })), 'E_MODEL_UNSUPPORTED', /IA3/))

  it('do not stop what changes nothing', () => {
    const files = withConfig(good, {
      init_lora_weights: 'eva',
      use_qalora: false,
      trainable_token_indices: null,
      loftq_config: {},
    })
    expect(read(files).plan.layers).toHaveLength(14)
  })
})

describe('files', () => {
  it('missing, pickled or twice', () => {
    refused(() => read(new Map([...good].slice(0, 1))), 'E_FORMAT', /adapter_/)
    const pickled: Files = new Map([
      [ADAPTER_CONFIG, good.get(ADAPTER_CONFIG)!],
      ['adapter_model.bin', new Uint8Array(4)],
    ])
    refused(() => read(pickled), 'E_FORMAT', /adapter_model\.bin.*safe_serialization/)
    refused(
      () => read(new Map([...good, [`other/${ADAPTER_CONFIG}`, new Uint8Array(2)]])),
      'E_FORMAT',
      /2 files/,
    )
    refused(() => read(new Map([...good, [ADAPTER_CONFIG, new Uint8Array([0x7b])]])), 'E_FORMAT', /not JSON/)
    expect(
      read(new Map([...good].map(([name, bytes]) => [`a folder/${name}`, bytes]))).plan.layers,
    ).toHaveLength(14)
  })

  it('that were damaged are refused with a code, whatever the damage', () => {
    const bytes = good.get(ADAPTER_WEIGHTS)!
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, value, cut) => {
        const damaged = cut ? bytes.slice(0, at) : bytes.slice()
        if (!cut) damaged[at] = value
        try {
          read(new Map([...good, [ADAPTER_WEIGHTS, damaged]]))
        } catch (error) {
          expect(error).toBeInstanceOf(GraftError)
          expect((error as GraftError).code).not.toBe('E_INTERNAL')
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('tensors', () => {
  it('of another base', () => {
    refused(() => read(good, 'tiny-llama3'), 'E_MODEL_FILES', /shape/)
    refused(() => read(good, 'tiny-gpt2'), 'E_MODEL_FILES', /q_proj|down_proj/)
    refused(() => read(good, 'tiny-bert'), 'E_MODEL_FILES', /language model/)
    refused(() => read(classifier), 'E_MODEL_FILES', /does not fit/)
  })

  it('that are missing, alone, extra, or no numbers', () => {
    const b = (name: string) => name.endsWith('1.self_attn.q_proj.lora_B.weight')
    refused(
      () => read(withTensors(good, (all) => all.filter(({ name }) => !b(name)))),
      'E_MODEL_FILES',
      /q_proj\.lora_B/,
    )
    const layer = (name: string) => name.includes('layers.0.mlp.up_proj')
    refused(
      () => read(withTensors(good, (all) => all.filter(({ name }) => !layer(name)))),
      'E_MODEL_FILES',
      /layers\.0\.mlp\.up_proj/,
    )
    const extra = { name: 'base_model.model.model.vision.weight', shape: [1], data: new Float32Array(1) }
    refused(() => read(withTensors(good, (all) => [...all, extra])), 'E_MODEL_FILES', /vision/)
    const nan = (all: TensorToWrite[]) =>
      all.map((each, i) => (i === 3 ? { ...each, data: each.data.fill(NaN) } : each))
    refused(() => read(withTensors(good, nan)), 'E_FORMAT', /no numbers/)
    const table = {
      name: 'base_model.model.model.embed_tokens.lora_embedding_A',
      shape: [1],
      data: new Float32Array(1),
    }
    refused(() => read(withTensors(good, (all) => [...all, table])), 'E_MODEL_UNSUPPORTED', /token table/)
    const bias = {
      name: 'base_model.model.model.layers.0.mlp.up_proj.lora_B.bias',
      shape: [1],
      data: new Float32Array(1),
    }
    refused(() => read(withTensors(good, (all) => [...all, bias])), 'E_MODEL_UNSUPPORTED', /lora_bias/)
  })

  it('of a rank that the settings do not say', () =>
    refused(
      () => read(withConfig(good, { rank_pattern: { q_proj: 2 } })),
      'E_MODEL_FILES',
      /\[3, 24\].*\[2, 24\]/,
    ))

  it('are found with the name of the adapter in theirs, and without the prefix', () => {
    const named = withTensors(good, (all) =>
      all.map((each) => ({ ...each, name: each.name.replace(/lora_([AB])\./, 'lora_$1.default.') })),
    )
    expect(read(named).tensors).toEqual(read(good).tensors)
    const bare = withTensors(classifier, (all) =>
      all.map((each) => ({
        ...each,
        name: each.name.replace('base_model.model.bert.', 'base_model.model.'),
      })),
    )
    expect(read(bare, 'tiny-bert').tensors).toEqual(read(classifier, 'tiny-bert').tensors)
  })
})

describe('settings in other words', () => {
  it('exclude_modules', () => {
    const kept = withTensors(good, (all) => all.filter(({ name }) => !name.includes('q_proj')))
    const { config, plan } = read(withConfig(kept, { exclude_modules: ['q_proj'] }))
    expect(plan.layers).toHaveLength(12)
    expect(config.targets).not.toContain('model.layers.0.self_attn.q_proj')
  })

  it('a table that was saved beside the adapter without being named', () => {
    const table = {
      name: 'base_model.model.model.embed_tokens.weight',
      shape: [70, 24],
      data: new Float32Array(70 * 24),
    }
    const { plan, warnings } = read(withTensors(good, (all) => [...all, table]))
    expect(plan.saved.map(({ name }) => name)).toEqual(['model.embed_tokens.weight'])
    expect(warnings[0]).toMatch(/embed_tokens/)
    const resized = { ...table, shape: [71, 24], data: new Float32Array(71 * 24) }
    refused(() => read(withTensors(good, (all) => [...all, resized])), 'E_MODEL_FILES', /\[71, 24\]/)
  })

  it('a tied table that was trained apart from its head', async () => {
    const tied = await filesOf(adapterFiles('tiny-llama3', 'causal'))
    const table = {
      name: 'base_model.model.model.embed_tokens.weight',
      shape: [72, 24],
      data: new Float32Array(72 * 24),
    }
    const files = withConfig(
      withTensors(tied, (all) => [...all, table]),
      { modules_to_save: ['embed_tokens'] },
    )
    refused(() => read(files, 'tiny-llama3'), 'E_MODEL_UNSUPPORTED', /ensure_weight_tying/)
    const { plan } = read(withConfig(files, { ensure_weight_tying: true }), 'tiny-llama3')
    expect(plan.saved.map(({ name }) => name)).toEqual(['model.embed_tokens.weight'])
    // Under the head's name it is the same tensor, and not lost.
    const head = { ...table, name: 'base_model.model.lm_head.weight', data: table.data.map((_, i) => i) }
    const named = { modules_to_save: ['lm_head'], ensure_weight_tying: true }
    const { tensors } = read(
      withConfig(
        withTensors(tied, (all) => [...all, head]),
        named,
      ),
      'tiny-llama3',
    )
    expect(tensors.find(({ name }) => name === table.name)?.data).toEqual(head.data)
  })
})

describe('exports that have no format', () => {
  function exported(
    model: FamilyName,
    change: Partial<AdapterConfig>,
    forLlamaCpp = false,
    labels: string[] | null = null,
  ) {
    const { family, architecture } = recogniseModel(familyGolden(model).config)
    const adapter = { ...LORA, ...change }
    const plan = planAdapter(family, architecture, adapter, labels?.length ?? null)
    const spec = {
      name: 'x',
      family,
      architecture,
      adapter,
      plan,
      base: 'b',
      revision: null,
      labels,
      facts: [],
      version: '0',
    }
    return () => peftFiles({ ...spec, tensors: [], forLlamaCpp })
  }

  it.each<[string, () => unknown, RegExp]>([
    ['all weights', exported('tiny-gpt2', { method: 'full' }), /full.*merged/],
    [
      'a tied table without the name that PEFT knows',
      exported('tiny-gpt2', { modulesToSave: ['wte'] }),
      /merged/,
    ],
    ['DoRA for llama.cpp', exported('tiny-qwen2', { useDora: true }, true), /magnitudes.*merged/],
    ['a classifier for llama.cpp', exported('tiny-qwen2', {}, true, ['a', 'b']), /classifier/],
    ['whole tensors for llama.cpp', exported('tiny-qwen2', { modulesToSave: ['lm_head'] }, true), /lm_head/],
  ])('%s', (_, work, message) => refused(work, 'E_ARGUMENT', message))

  it('patterns that peft itself wrote keep their names', async () => {
    const { config } = read(await filesOf(variantFiles('tiny-qwen2-patterns')))
    expect(config.rankPattern).toEqual({
      q_proj: 5,
      'layers.1.mlp.down_proj': 2,
      'model\\.layers\\.0\\.self_attn\\.[kv]_proj': 1,
    })
  })
})
