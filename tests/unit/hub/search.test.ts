// Search and the curated list: what the Hub says becomes what the page shows, with the reason why something is no base.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import { countParameters } from '../../../src/core/models/tensors.ts'
import { HubClient } from '../../../workers/engine/hub/client.ts'
import { CURATED, curatedModels } from '../../../workers/engine/hub/curated.ts'
import { searchHub } from '../../../workers/engine/hub/search.ts'
import { startHub, type TestHub } from '../../support/hub.ts'

describe('the curated list', () => {
  test.each(CURATED.map((model) => [model.id, model] as const))(
    '%s has as many weights as published',
    (_id, model) => {
      const { family, architecture } = recogniseModel(model.config)
      expect(countParameters(family, architecture)).toBe(model.parameters)
    },
  )

  test('is shown whole, with the context that its architecture has', () => {
    const models = curatedModels()
    expect(new Set(models.map(({ id }) => id)).size).toBe(CURATED.length)
    const contexts = Object.fromEntries(models.map(({ id, context }) => [id, context]))
    expect(contexts).toMatchObject({
      'HuggingFaceTB/SmolLM2-135M': 8192,
      'openai-community/gpt2': 1024,
      'google-bert/bert-base-uncased': 512,
      // Two rows of its table stand before the first position.
      'FacebookAI/roberta-base': 512,
      'google/gemma-3-270m': 32768,
    })
    expect(models.find(({ id }) => id === 'google/gemma-3-270m')).toMatchObject({
      family: 'gemma3_text',
      licence: 'gemma',
      gated: true,
      curated: true,
      unsupported: null,
      estimate: null,
    })
  })

  test('files have at least two bytes a weight', () => {
    for (const { bytes, parameters } of CURATED) expect(bytes / parameters).toBeGreaterThan(1.99)
  })
})

describe('a search', () => {
  let hub: TestHub
  let client: HubClient
  beforeEach(async () => {
    hub = await startHub()
    client = new HubClient({ endpoint: hub.endpoint, wait: () => Promise.resolve() })
  })
  afterEach(() => hub.close())

  const entry = (id: string, more: object) => ({ id, gated: false, downloads: 5, tags: [], ...more })
  const only = async (more: object) => {
    hub.searchResults = [entry('a/b', more)]
    return (await searchHub('b', {}, client))[0]!
  }

  test('asks for safetensors, most downloaded first, with what is shown', async () => {
    hub.searchResults = []
    expect(await searchHub('  smol lm ', { token: hub.token }, client)).toEqual([])
    const { path, authorization } = hub.seen[0]!
    const query = new URL(path, hub.endpoint).searchParams
    expect(query.get('search')).toBe('smol lm')
    expect(query.get('filter')).toBe('safetensors')
    expect(query.get('sort')).toBe('downloads')
    expect(query.getAll('expand')).toEqual(
      expect.arrayContaining(['config', 'safetensors', 'gated', 'cardData']),
    )
    expect(authorization).toBe(`Bearer ${hub.token}`)
  })

  test('an empty query needs no network', async () => {
    expect(await searchHub(' ', {}, client)).toEqual(curatedModels())
    expect(hub.seen).toEqual([])
  })

  test('a usable model, with its weights by type', async () => {
    const model = await only({
      config: { model_type: 'llama' },
      safetensors: { parameters: { BF16: 1000, F32: 10 }, total: 1010 },
      cardData: { license: 'mit' },
      gated: 'manual',
    })
    expect(model).toEqual({
      id: 'a/b',
      name: 'b',
      family: 'llama',
      parameters: 1010,
      bytes: 2040,
      licence: 'mit',
      context: null,
      gated: true,
      downloads: 5,
      curated: false,
      unsupported: null,
      estimate: null,
    })
  })

  test('reasons why not', async () => {
    expect((await only({ config: { model_type: 'mamba' } })).unsupported).toContain('"mamba"')
    expect((await only({ config: {} })).unsupported).toContain('does not say')
    expect((await only({ library_name: 'peft', config: {} })).unsupported).toContain('adapter')
    const quantised = { model_type: 'llama', quantization_config: { quant_method: 'gptq' } }
    expect((await only({ config: quantised })).unsupported).toContain('gptq')
    const packed = { parameters: { U8: 900, BF16: 100 } }
    expect((await only({ config: { model_type: 'llama' }, safetensors: packed })).unsupported).toContain(
      'quantised',
    )
  })

  test('the licence from a tag, or by its own name', async () => {
    expect((await only({ tags: ['license:gemma'] })).licence).toBe('gemma')
    expect((await only({ cardData: { license: 'other', license_name: 'house' } })).licence).toBe('house')
    expect((await only({})).licence).toBeNull()
  })

  test('usable ones first, else in the order of the Hub; entries that are none are left out', async () => {
    hub.searchResults = [
      entry('a/1', { config: { model_type: 'mamba' } }),
      entry('a/2', { config: { model_type: 'gpt2' } }),
      null,
      entry('Qwen/Qwen3-0.6B', { config: { model_type: 'qwen3' } }),
      { no: 'id' },
    ]
    const found = await searchHub('x', {}, client)
    expect(found.map(({ id }) => id)).toEqual(['a/2', 'Qwen/Qwen3-0.6B', 'a/1'])
    expect(found[1]).toMatchObject({ curated: true, parameters: 596_049_920, context: 40960 })
  })

  test.each(['<!doctype html>', '{"error":"x"}'])('no list: %s', async (body) => {
    hub.searchResults = body
    await expect(searchHub('x', {}, client)).rejects.toMatchObject({ code: 'E_NETWORK' })
  })
})
