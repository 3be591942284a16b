// What leaves the built site comes back with equal logits: adapters of every kind in PEFT's layout, and whole models with the
// adapter merged in.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright'
import { parseSafetensors } from '../../src/formats/safetensors.ts'
import type { AdapterConfig } from '../../src/protocol/run.ts'
import { decode, familyGolden, relativeError, type FamilyName } from '../golden/load.ts'
import { exported, imported, textRows, trained, zipped } from './support/adapters.ts'
import { expectRefusal, loadBase, loadBytes, logitsOf, openBases, peftBytes } from './support/bases.ts'
import type { Site } from './support/site.ts'

const ONE_STEP = 1e-4
/** Largest relative rounding of one weight, and how much of it a few layers make of their logits. */
const ROUNDING = { f32: 1e-5, f16: 2 ** -11 * 8, bf16: 2 ** -8 * 8 } as const

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

describe('what changed the base itself leaves as a whole model', () => {
  it.each([
    ['full', 'tiny-gpt2', {}],
    ['layers', 'tiny-qwen2', { topLayers: 1 }],
    ['full', 'tiny-gemma3', {}],
  ] as const)('%s of %s', async (method, name, more) => {
    const { id: model } = await loadBase(page, name, 'f32')
    const dataset = await textRows(page)
    const run = await trained(page, { model, dataset, adapter: { method, ...more } }, { steps: 3 })
    const { ids } = familyGolden(name).causal!.sequence
    const ours = await logitsOf(page, { run: run.id }, ids)
    expect(relativeError(ours, await logitsOf(page, { model }, ids))).toBeGreaterThan(1e-3)
    const refused = await page.evaluate((id) => window.attempt(window.graft.export.adapter(id)), run.id)
    expectRefusal(refused, /^E_ARGUMENT$/, /merged/)
    const merged = await loadBytes(page, await exported(page, { run: run.id }, 'f32'), 'f32')
    expect(relativeError(await logitsOf(page, { model: merged.id }, ids), ours)).toBeLessThan(1e-5)
  })

  it('a base alone has nothing to export, and there is no type of another name', async () => {
    const { id: model } = await loadBase(page, 'tiny-qwen2')
    const { id: adapter } = await imported(page, model, await peftBytes('tiny-qwen2', 'causal'))
    const [bare, whole, odd] = await page.evaluate(
      async ([model, adapter]) => {
        const { export: out } = window.graft
        return [
          await window.attempt(out.adapter({ model })),
          await window.attempt(out.merged({ model })),
          await window.attempt(out.merged({ model, adapter }, { dtype: 'f8' as 'f16' })),
        ]
      },
      [model, adapter] as const,
    )
    expectRefusal(bare!, /^E_ARGUMENT$/, /nothing to export/)
    expectRefusal(whole!, /^E_ARGUMENT$/, /nothing to export/)
    expectRefusal(odd!, /^E_ARGUMENT$/, /dtype.*f32, f16, bf16/)
  })
})

it.each(['tiny-bert', 'tiny-distilbert', 'tiny-roberta', 'tiny-qwen3'] as const)(
  'a classifier on %s leaves as adapter and as a whole model with its labels',
  async (name) => {
    const { id: model } = await loadBase(page, name)
    const labels = ['one', 'two', 'three']
    const { id: adapter } = await imported(page, model, await peftBytes(name, 'classify'), { labels })
    const { ids } = familyGolden(name).classify.batch
    const ours = await logitsOf(page, { model, adapter }, ids[0]!)
    const back = await imported(page, model, zipped(await exported(page, { model, adapter })), { labels })
    expect(await logitsOf(page, { model, adapter: back.id }, ids[0]!)).toEqual(ours)
    const files = await exported(page, { model, adapter }, 'f32')
    const config = JSON.parse(new TextDecoder().decode(files.get('config.json')))
    expect(config.id2label).toEqual({ 0: 'one', 1: 'two', 2: 'three' })
    expect(config.architectures[0]).toMatch(/ForSequenceClassification$/)
    // As a base it reads as the adapted model did; its label head is for transformers.
    const { id: whole } = await loadBytes(page, files, 'f32')
    const seen = await page.evaluate(
      ([targets, text]) =>
        Promise.all(
          targets.map(async (target) => {
            const { weights } = await window.graft.explain.attention(target, { text })
            return Array.from(weights)
          }),
        ),
      [
        [{ model }, { model, adapter }, { model: whole }],
        familyGolden(name).tokenizer.texts[0]!.text,
      ] as const,
    )
    expect(relativeError(seen[2]!, seen[1]!)).toBeLessThan(1e-5)
    expect(relativeError(seen[2]!, seen[0]!)).toBeGreaterThan(1e-4)
    const asked = await page.evaluate(
      (model) =>
        window.attempt(
          window.graft.logits({ model }, { ids: [5, 6, 7] }).then(({ logits }) => logits.length),
        ),
      whole,
    )
    if (name === 'tiny-qwen3') expect(asked.value).toBe(3 * Number(familyGolden(name).config['vocab_size']))
    else expectRefusal(asked, /^E_MODEL_UNSUPPORTED$/, /no head over its vocabulary.*classify/)
  },
)

it('reported no error and no policy violation', () => {
  expect(site.errors).toEqual([])
})
