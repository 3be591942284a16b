// Pure parts of the screens for bases and adapters: memory as a bar, precisions and methods in words, typed lists, ids
// of the Hub, dropped files.
import { zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { MemoryEstimate, Precision } from '../../../src/protocol/model.ts'
import { defaultAdapter } from '../../../src/protocol/settings.ts'
import { kindOf, nameOf } from '../../../src/state/dropped.ts'
import { parseHubId } from '../../../src/state/hub.svelte.ts'
import { hashOf, parseHash } from '../../../src/state/router.svelte.ts'
import { adapterBytes, mergedBytes } from '../../../src/views/export/formats.ts'
import { loadingCode } from '../../../src/views/export/loading.ts'
import { methodWords, originWords, tagsOf, targetWords } from '../../../src/views/parts/adapterWords.ts'
import { inPrecision, memoryScene, recommendedOf } from '../../../src/views/parts/memory.ts'
import { costWords } from '../../../src/views/parts/precision.ts'
import { atStrength, targetKey, targetStamp } from '../../../src/views/parts/target.ts'
import { asksForToken } from '../../../src/views/parts/token.ts'
import { readLayers, readNames, writeLayers } from '../../../src/views/train/lists.ts'

const parts = { weights: 400, trainable: 100, inputs: 50, block: 30, head: 15, slack: 5 }
const byPrecision = Object.fromEntries(
  (
    [
      ['f32', 600, 'tooLarge'],
      ['f16', 400, 'tight'],
      ['int8', 302, 'fits'],
      ['nf4', 252, 'fits'],
    ] as const
  ).map(([precision, bytes, fit]) => [precision, { bytes, fit }]),
) as Record<Precision, { bytes: number; fit: MemoryEstimate['fit'] }>
const estimate: MemoryEstimate = {
  precision: 'f32',
  checkpointing: 'block',
  bytes: 600,
  parts,
  trainableParameters: 6,
  budget: 500,
  fit: 'tooLarge',
  byPrecision,
  sentence: '',
}

describe('memory as a bar', () => {
  it('puts parts end to end, and the budget on the same scale', () => {
    const { segments, budget, bytes } = memoryScene(estimate)
    expect(bytes).toBe(600)
    expect(segments.map(({ part }) => part)).toEqual(Object.keys(parts))
    for (const [index, { start, width }] of segments.entries())
      expect(segments[index + 1]?.start ?? start + width).toBeCloseTo(start + width, 12)
    const end = segments.at(-1)!.start + segments.at(-1)!.width
    expect(end / budget).toBeCloseTo(600 / 500, 12)
    expect(end).toBeLessThan(1)
  })

  it('shows a budget that is far away, and one that is nothing', () => {
    expect(memoryScene({ parts, budget: 6000 }).budget).toBeLessThan(1)
    expect(memoryScene({ parts, budget: 0 }).budget).toBe(0)
  })

  it('recommends the most exact precision that fits', () => {
    expect(recommendedOf(estimate)).toBe('int8')
    const fit = (...fits: MemoryEstimate['fit'][]) => ({
      byPrecision: Object.fromEntries(
        (['f32', 'f16', 'int8', 'nf4'] as const).map((precision, i) => [
          precision,
          { bytes: 1, fit: fits[i]! },
        ]),
      ) as MemoryEstimate['byPrecision'],
    })
    expect(recommendedOf(fit('tight', 'fits', 'fits', 'fits'))).toBe('f16')
    expect(recommendedOf(fit('tooLarge', 'tooLarge', 'tight', 'tight'))).toBe('int8')
    expect(recommendedOf(fit('tooLarge', 'tooLarge', 'tooLarge', 'tooLarge'))).toBe('nf4')
  })

  it('changes only the weights with the precision', () => {
    const f16 = inPrecision(estimate, 'f16')
    expect(f16).toMatchObject({ precision: 'f16', bytes: 400, fit: 'tight' })
    expect(f16.parts).toEqual({ ...parts, weights: 200 })
    expect(memoryScene(f16).bytes).toBe(400)
  })
})

describe('words', () => {
  it('says what a precision costs', () => {
    const report = {
      precision: 'int8' as const,
      logitError: { relative: 0.0123, rms: 0.04 },
      perplexity: 12.6,
      perplexityF32: 12,
      tokens: 1024,
    }
    const { perplexity, logits } = costWords(report)
    expect(perplexity).toBe(
      'In int8 the base foresees text 5.0% worse than in f32: perplexity 12.6 in place of 12, on 1,024 tokens of sample text.',
    )
    expect(logits).toContain('1.23% of the largest score')
    expect(costWords({ ...report, perplexity: 11.4 }).perplexity).toContain('5.0% better')
    expect(costWords({ ...report, perplexity: 12.001 }).perplexity).toContain('as well as in f32')
  })

  it('names methods, variants, layers and origins', () => {
    const lora = defaultAdapter({ r: 8, useDora: true, initLoraWeights: 'pissa', loraPlusRatio: 16 })
    expect(methodWords(lora)).toBe('LoRA, rank 8, alpha 32')
    expect(tagsOf(lora)).toEqual(['DoRA', 'LoRA+ 16', 'PiSSA'])
    expect(tagsOf(defaultAdapter())).toEqual([])
    expect(methodWords(defaultAdapter({ method: 'layers', topLayers: 2 }))).toBe('Top 2 blocks')
    expect(methodWords(defaultAdapter({ method: 'layers', topLayers: 1 }))).toBe('Top block')
    expect(targetWords('all-linear')).toBe('all linear')
    expect(targetWords('.*q_proj')).toContain('.*q_proj')
    expect(targetWords(['q_proj', 'v_proj'])).toBe('q_proj, v_proj')
    expect(targetWords(['a.0.q_proj', 'a.1.q_proj', 'a.1.v_proj'])).toBe('q_proj, v_proj (3 layers)')
    expect(originWords({ source: { hub: 'a/b', revision: '0123456789' } })).toBe('a/b@0123456')
    expect(originWords({ source: { files: ['a.zip'] } })).toBe('a.zip')
    expect(originWords({ source: { files: ['a', 'b'] } })).toBe('2 files')
  })

  it('asks for a token where the Hub wants to know who asks', () => {
    const failed = (details: Record<string, unknown>) => new GraftError('E_NETWORK', 'x', details)
    expect(asksForToken(failed({ status: 401 }))).toBe(true)
    expect(asksForToken(failed({ status: 403 }))).toBe(true)
    expect(asksForToken(failed({ gated: true }))).toBe(true)
    expect(asksForToken(failed({ status: 404, gated: false }))).toBe(false)
    expect(asksForToken(new GraftError('E_HASH', 'x', { status: 401 }))).toBe(false)
  })
})

describe('targets', () => {
  it('keeps apart what is asked and how strongly', () => {
    const target = { model: 'm', adapter: 'a' }
    expect(targetKey(target)).not.toBe(targetKey({ model: 'm' }))
    const half = atStrength(target, 0.5)
    expect(half).toEqual({ model: 'm', adapter: 'a', strength: 0.5 })
    expect(targetKey(half)).toBe(targetKey(target))
    expect(targetStamp(half)).not.toBe(targetStamp(target))
    expect(atStrength(half, 1)).toEqual(target)
    expect(atStrength({ run: 'r' }, 0)).toEqual({ run: 'r', strength: 0 })
  })
})

describe('typed lists', () => {
  it('reads block numbers and ranges, and writes them back', () => {
    expect(readLayers('7, 0-3 2', 8)).toEqual({ value: [0, 1, 2, 3, 7], problem: null })
    expect(readLayers('  ', 8)).toEqual({ value: null, problem: null })
    expect(writeLayers([0, 1, 2, 3, 7])).toBe('0-3, 7')
    expect(writeLayers(null)).toBe('')
    for (let bits = 1; bits < 256; bits++) {
      const layers = [0, 1, 2, 3, 4, 5, 6, 7].filter((layer) => bits & (1 << layer))
      expect(readLayers(writeLayers(layers), 8)).toEqual({ value: layers, problem: null })
    }
  })

  it('says what cannot be read', () => {
    expect(readLayers('3-1', 8).problem).toContain('ends before it begins')
    expect(readLayers('8', 8).problem).toContain('blocks 0 to 7')
    expect(readLayers('one', 8).problem).toContain('"one"')
  })

  it('reads names', () => {
    expect(readNames('lm_head, embed_tokens  lm_head')).toEqual(['lm_head', 'embed_tokens'])
    expect(readNames(' , ')).toBeUndefined()
  })
})

describe('addresses', () => {
  it('takes the id of a base with and without a revision, and its page', () => {
    expect(parseHubId(' HuggingFaceTB/SmolLM2-135M ')).toEqual({ hub: 'HuggingFaceTB/SmolLM2-135M' })
    expect(parseHubId('a/b@v1.0')).toEqual({ hub: 'a/b', revision: 'v1.0' })
    expect(parseHubId('https://huggingface.co/a/b/tree/refs/pr/3')).toEqual({
      hub: 'a/b',
      revision: 'refs/pr/3',
    })
    for (const text of ['gpt2', 'a/b/c', 'a b/c', '', '/b', 'a/b@']) expect(parseHubId(text), text).toBeNull()
  })

  it('leads to a row of a dataset', () => {
    expect(hashOf('data', 'set 1', 12)).toBe('#/data/set%201/12')
    expect(parseHash('#/data/set%201/12')).toEqual({ view: 'data', id: 'set 1', row: 12 })
    expect(parseHash('#/data/set/x')).toEqual({ view: 'data', id: 'set' })
    expect(parseHash(hashOf('train', 'run-1'))).toEqual({ view: 'train', id: 'run-1' })
  })
})

describe('dropped files', () => {
  const named = (...names: string[]) => names.map((name) => new File(['{}'], name))
  const zipped = (name: string, ...entries: string[]) => {
    const bytes = zipSync(Object.fromEntries(entries.map((entry) => [entry, new Uint8Array(300_000)])))
    return [new File([bytes], name)]
  }

  it('tells adapters, models and data apart', async () => {
    expect(await kindOf(named('adapter_config.json', 'adapter_model.safetensors'))).toBe('adapter')
    expect(await kindOf(named('config.json', 'model.safetensors'))).toBe('model')
    expect(await kindOf(named('reviews.csv'))).toBe('data')
    expect(await kindOf(named('a.csv', 'b.zip'))).toBe('data')
  })

  it('calls files after their folder or their zip', () => {
    const [file] = named('adapter_config.json')
    Object.defineProperty(file, 'webkitRelativePath', { value: 'pirate/adapter_config.json' })
    expect(nameOf([file!])).toBe('pirate')
    expect(nameOf(named('voice.v2.zip'))).toBe('voice.v2')
    expect(nameOf(named('adapter_config.json', 'adapter_model.safetensors'))).toBeNull()
    expect(nameOf(named('adapter_config.json'))).toBeNull()
  })

  it('reads the names at the end of a zip', async () => {
    const adapter = ['my/adapter_model.safetensors', 'my/adapter_config.json']
    expect(await kindOf(zipped('a.ZIP', ...adapter))).toBe('adapter')
    expect(await kindOf(zipped('a.zip', 'config.json', 'model.safetensors'))).toBe('model')
    expect(await kindOf(zipped('a.zip', 'rows.csv'))).toBe('data')
    expect(await kindOf(named('empty.zip'))).toBe('data')
  })
})

describe('exports', () => {
  it('tells sizes', () => {
    expect(adapterBytes(1000)).toBe(4000)
    expect(mergedBytes(1000, 'f32')).toBe(4000)
    expect(mergedBytes(1000, 'bf16')).toBe(2000)
  })

  it('shows how to load each form, for labels and for text', () => {
    const labels = { classify: true, labels: ['a "b"', 'c'], baseName: 'Base', task: 'classify' as const }
    const text = { classify: false, labels: null, baseName: 'Base', task: 'instruct' as const }
    expect(loadingCode(labels, 'adapter')).toContain('labels = ["a \\"b\\"", "c"]')
    expect(loadingCode(labels, 'adapter')).toContain('PeftModel')
    expect(loadingCode(labels, 'merged')).not.toContain('Peft')
    expect(loadingCode(text, 'merged')).toContain('apply_chat_template')
    expect(loadingCode({ ...text, task: null }, 'adapter')).not.toContain('apply_chat_template')
  })
})
