// adapter_config.json and model cards of what Graft has trained.
import { describe, expect, it } from 'vitest'
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, peftFiles } from '../../../src/core/adapters/peft.ts'
import { planAdapter } from '../../../src/core/adapters/plan.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import { loraNames, savedName, startNames } from '../../../src/core/nn/adaptation.ts'
import { parseSafetensors, readTensor } from '../../../src/formats/safetensors.ts'
import type { AdapterConfig } from '../../../src/protocol/run.ts'
import { familyGolden, type FamilyName } from '../../golden/load.ts'
import { LORA } from './settings.ts'

interface Options {
  labels?: string[]
  forLlamaCpp?: boolean
  licence?: string
}

/** The files of an adapter whose tensors are all `fill`. */
function exported(
  model: FamilyName,
  change: Partial<AdapterConfig>,
  { labels, ...options }: Options = {},
  fill = 0.5,
) {
  const { family, architecture } = recogniseModel(familyGolden(model).config)
  const adapter = { ...LORA, ...change }
  const plan = planAdapter(family, architecture, adapter, labels?.length ?? null)
  const filled = (name: string, shape: readonly number[]) => ({
    name,
    shape: [...shape],
    data: new Float32Array(shape.reduce((product, extent) => product * extent, 1)).fill(fill),
  })
  const tensors = [
    ...plan.layers.flatMap(({ path, shape: [out, inputs], r }) => [
      filled(loraNames(path).a, [r, inputs]),
      filled(loraNames(path).b, [out, r]),
      ...(adapter.useDora ? [filled(loraNames(path).magnitude, [out])] : []),
      ...(adapter.initLoraWeights === 'pissa'
        ? [filled(startNames(path).a, [r, inputs]), filled(startNames(path).b, [out, r])]
        : []),
    ]),
    ...plan.saved.map(({ name, shape }) => filled(savedName(name), shape)),
  ]
  const files = peftFiles({
    name: 'Support\nlabels',
    family,
    architecture,
    adapter,
    plan,
    base: 'owner/base',
    revision: 'abc',
    labels: labels ?? null,
    tensors,
    facts: ['Data: rows.'],
    version: '1.2.3',
    ...options,
  })
  const text = (name: string) => new TextDecoder().decode(files.get(name))
  const weights = files.get(ADAPTER_WEIGHTS)!
  return {
    config: JSON.parse(text(ADAPTER_CONFIG)) as Record<string, unknown>,
    card: text('README.md'),
    tensors: new Map(
      [...parseSafetensors(weights).tensors].map(([name, entry]) => [
        name,
        { shape: entry.shape, data: readTensor(weights, entry) },
      ]),
    ),
  }
}

describe('adapter_config.json', () => {
  it('has every field that PEFT reads', () => {
    expect(exported('tiny-llama', { dropout: 0.1 }).config).toEqual({
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: 'owner/base',
      revision: 'abc',
      r: 4,
      lora_alpha: 8,
      lora_dropout: 0.1,
      bias: 'none',
      target_modules: ['down_proj', 'gate_proj', 'k_proj', 'o_proj', 'q_proj', 'up_proj', 'v_proj'],
      layers_to_transform: null,
      layers_pattern: null,
      fan_in_fan_out: false,
      use_rslora: false,
      use_dora: false,
      modules_to_save: null,
      rank_pattern: {},
      alpha_pattern: {},
      init_lora_weights: true,
      inference_mode: true,
      auto_mapping: null,
    })
  })

  it('names targets so that PEFT finds the same layers', () => {
    const targets = (...args: Parameters<typeof exported>) => exported(...args).config['target_modules']
    expect(targets('tiny-gpt2', {})).toEqual(['c_attn', 'c_fc', 'c_proj'])
    expect(targets('tiny-gpt2', { targets: ['attn.c_proj'] })).toEqual(['attn.c_proj'])
    expect(targets('tiny-qwen2', { targets: '.*q_proj' })).toBe('.*q_proj')
    // PEFT takes no list of layers beside an expression: names with the list, or whole paths where those mean more.
    const some = (targets: string, layersToTransform: number[]) =>
      exported('tiny-qwen2', { targets, layersToTransform }).config
    expect(some('.*q_proj', [1])).toMatchObject({ target_modules: ['q_proj'], layers_to_transform: [1] })
    expect(some('.*(0\\.self_attn\\.q|1\\.self_attn\\.k)_proj', [0, 1])).toMatchObject({
      target_modules: ['model.layers.0.self_attn.q_proj', 'model.layers.1.self_attn.k_proj'],
      layers_to_transform: null,
    })
    const { config } = exported('tiny-qwen2', { layersToTransform: [1] })
    expect(config).toMatchObject({ layers_to_transform: [1] })
    expect(config['target_modules']).toContain('q_proj')
  })

  it('names the modules of every classifier', () => {
    const modules = (model: FamilyName, change = {}) =>
      exported(model, change, { labels: ['a', 'b'] }).config['modules_to_save']
    expect(modules('tiny-llama')).toEqual(['classifier', 'score'])
    expect(modules('tiny-roberta')).toEqual(['classifier', 'score'])
    expect(modules('tiny-distilbert')).toEqual(['classifier', 'score', 'pre_classifier'])
    expect(modules('tiny-bert', { modulesToSave: ['word_embeddings'] })).toEqual([
      'classifier',
      'score',
      'word_embeddings',
    ])
    expect(exported('tiny-llama3', { modulesToSave: ['embed_tokens'] }).config).toMatchObject({
      modules_to_save: ['embed_tokens'],
      ensure_weight_tying: true,
    })
  })

  it("doubles PiSSA's ranks and keeps its scales", () => {
    const pissa = {
      initLoraWeights: 'pissa' as const,
      rankPattern: { q_proj: 3 },
      alphaPattern: { v_proj: 5 },
    }
    const plain = exported('tiny-qwen2', pissa)
    expect(plain.config).toMatchObject({
      r: 8,
      lora_alpha: 16,
      rank_pattern: { q_proj: 6 },
      alpha_pattern: { v_proj: 10 },
    })
    const b = plain.tensors.get(loraNames('model.layers.0.self_attn.q_proj').b)!
    expect(b.shape).toEqual([24, 6])
    expect([...b.data.slice(0, 6)]).toEqual([0.5, 0.5, 0.5, -0.5, -0.5, -0.5])
    expect([...plain.tensors.keys()].some((name) => name.startsWith('start.'))).toBe(false)
    const { config } = exported('tiny-qwen2', { ...pissa, useRslora: true })
    expect(config['lora_alpha']).toBeCloseTo(8 * Math.SQRT2, 12)
    expect(config['alpha_pattern']).toEqual({ v_proj: 5 * Math.SQRT2 })
  })

  it('says rsLoRA and patterns in words that llama.cpp reads: one alpha, the rest in B', () => {
    const change = { useRslora: true, rankPattern: { q_proj: 9 }, alphaPattern: { v_proj: 4 } }
    const { config, tensors } = exported('tiny-qwen2', change, { forLlamaCpp: true })
    const alpha = config['lora_alpha'] as number
    expect(config).toMatchObject({ use_rslora: false, alpha_pattern: {} })
    // llama.cpp scales by lora_alpha / rank.
    for (const [name, r, scale] of [
      ['q_proj', 9, 8 / 3],
      ['v_proj', 4, 4 / 2],
      ['k_proj', 4, 8 / 2],
    ] as const) {
      const { data } = tensors.get(loraNames(`model.layers.1.self_attn.${name}`).b)!
      expect((alpha / r) * data[0]!, name).toBeCloseTo(scale * 0.5, 5)
    }
    expect(exported('tiny-qwen2', { useRslora: true }, { forLlamaCpp: true }).config['lora_alpha']).toBe(
      8 * Math.sqrt(4),
    )
  })
})

describe('model card', () => {
  it('has what the Hub reads', () => {
    const { card } = exported(
      'tiny-gpt2',
      { useDora: true },
      { labels: ['a "b"', 'c'], licence: 'apache-2.0' },
    )
    expect(card).toMatch(/^---\nlibrary_name: peft\nbase_model: "owner\/base"\n/)
    for (const part of [
      'pipeline_tag: text-classification',
      '"base_model:adapter:owner/base"',
      '"lora"',
      'license: "apache-2.0"',
      '# Support labels\n',
      'A DoRA adapter',
      '- Data: rows.',
      'id2label={0: "a \\"b\\"", 1: "c"}',
      'base.config.pad_token_id = tokenizer.pad_token_id',
      'AutoModelForSequenceClassification',
    ])
      expect(card).toContain(part)
    expect(exported('tiny-llama', {}).card).not.toContain('license:')
  })
})
