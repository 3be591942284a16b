// What leaves the built site comes back with equal logits: adapters of every kind in PEFT's layout, and whole models with the
// adapter merged in.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright'
import { parseSafetensors } from '../../src/formats/safetensors.ts'
import type { AdapterConfig } from '../../src/protocol/run.ts'
import { decode, familyGolden, relativeError, type FamilyName } from '../golden/load.ts'
import { exported, imported, textRows, trained, zipped } from './support/adapters.ts'
import { loadBase, loadBytes, logitsOf, openBases, peftBytes } from './support/bases.ts'
import type { Site } from './support/site.ts'

const ONE_STEP = 1e-4
/** Largest relative rounding of one weight, and how much of it a few layers make of their logits. */
const ROUNDING = { f32: 1e-5, f16: 2 ** -11 * 16, bf16: 2 ** -8 * 16 } as const

let site: Site
let page: Page
beforeAll(async () => {
  site = await openBases()
  page = site.page
})
afterAll(async () => {
  await site?.close()
})

describe('every kind of adapter comes back from its export', () => {
  const base = { r: 4, lora_alpha: 8, target_modules: 'all-linear' }
  const kinds: [string, FamilyName, Record<string, unknown>][] = [
    ['LoRA', 'tiny-qwen2', base],
    ['rsLoRA', 'tiny-gpt2', { ...base, use_rslora: true }],
    ['DoRA', 'tiny-gemma3', { ...base, use_dora: true }],
    ['DoRA with rsLoRA', 'tiny-qwen3', { ...base, use_dora: true, use_rslora: true }],
    ['PiSSA', 'tiny-qwen2', { ...base, init_lora_weights: 'pissa' }],
    ['LoRA+, Gaussian', 'tiny-llama3', { ...base, loraplus_lr_ratio: 16, init_lora_weights: 'gaussian' }],
    [
      'patterns, chosen layers, biases, a whole head',
      'tiny-qwen2',
      {
        r: 4,
        lora_alpha: 8,
        target_modules: '.*\\.(q|v|up)_proj',
        rank_pattern: { q_proj: 2 },
        alpha_pattern: { up_proj: 16 },
        layers_to_transform: [1],
        bias: 'lora_only',
        modules_to_save: ['lm_head'],
      },
    ],
  ]
  it.each(kinds)('%s', async (_, name, settings) => {
    const { id: model } = await loadBase(page, name)
    const adapter = settings as Partial<AdapterConfig>
    const run = await trained(page, { model, dataset: await textRows(page), adapter }, { steps: 3 })
    const { ids } = familyGolden(name).causal!.sequence
    const base = await logitsOf(page, { model }, ids)
    const ours = await logitsOf(page, { run: run.id }, ids)
    expect(relativeError(ours, base)).toBeGreaterThan(1e-3)
    expect(relativeError(await logitsOf(page, { run: run.id, strength: 0 }, ids), base)).toBeLessThan(1e-6)

    const files = await exported(page, { run: run.id })
    expect([...files.keys()].sort()).toEqual([
      'README.md',
      'adapter_config.json',
      'adapter_model.safetensors',
    ])
    const config = JSON.parse(new TextDecoder().decode(files.get('adapter_config.json')))
    expect(config).toMatchObject({
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      use_dora: settings['use_dora'] ?? false,
      use_rslora: settings['use_rslora'] ?? false,
      bias: settings['bias'] ?? 'none',
    })
    const back = await imported(page, model, zipped(files))
    const theirs = await logitsOf(page, { model, adapter: back.id }, ids)
    expect(relativeError(theirs, ours)).toBeLessThan(1e-5)

    const whole = await exported(page, { run: run.id }, 'f32')
    const merged = await loadBytes(page, whole)
    expect(relativeError(await logitsOf(page, { model: merged.id }, ids), ours)).toBeLessThan(ONE_STEP)
  })

  it.each(['f32', 'f16', 'bf16'] as const)('merged as %s, a base of its own', async (dtype) => {
    const { id: model } = await loadBase(page, 'tiny-qwen2')
    const { id: adapter } = await imported(page, model, await peftBytes('tiny-qwen2', 'causal'))
    const { ids, logits } = familyGolden('tiny-qwen2').causal!.sequence
    const files = await exported(page, { model, adapter }, dtype)
    for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'README.md'])
      expect([...files.keys()]).toContain(name)
    const types = [...files]
      .filter(([name]) => name.endsWith('.safetensors'))
      .flatMap(([, bytes]) => [...parseSafetensors(bytes).tensors.values()])
    expect(new Set(types.map((tensor) => tensor.dtype))).toEqual(new Set([dtype.toUpperCase()]))
    const { id } = await loadBytes(page, files, 'f32')
    const error = relativeError(await logitsOf(page, { model: id }, ids), decode(logits))
    expect(error).toBeLessThan(ROUNDING[dtype])
    // The rounding is there: the file has the type it says.
    if (dtype !== 'f32') expect(error).toBeGreaterThan(ROUNDING[dtype] / 1000)
    const half = await exported(page, { model, adapter, strength: 0.5 }, dtype)
    const weak = await loadBytes(page, half, 'f32')
    const ours = await logitsOf(page, { model, adapter, strength: 0.5 }, ids)
    expect(relativeError(await logitsOf(page, { model: weak.id }, ids), ours)).toBeLessThan(
      ROUNDING[dtype] * 2,
    )
  })
})

it('reported no error and no policy violation', () => {
  expect(site.errors).toEqual([])
})
