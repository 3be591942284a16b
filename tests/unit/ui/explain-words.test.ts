// What the Words tab asks and tells: the settings of each method in the request and in the address, what is left open beside the
// numbers, and what of a text a classifier does not read.
import { expect, it } from 'vitest'
import type { GraftApi } from '../../../src/protocol/api.ts'
import type { Question } from '../../../src/state/explaining.svelte.ts'
import { queryOf, searchOf } from '../../../src/state/query.ts'
import { cutOf } from '../../../src/views/explain/asking.ts'
import {
  askWords,
  settingsFor,
  settingsFromQuery,
  settingsToQuery,
  WORD_METHODS,
  type WordSettings,
} from '../../../src/views/explain/wordMethods.ts'

const ALL: WordSettings = { samples: 40, seed: 7, baseline: 'zero', replacement: 'remove' }
const READS: Record<string, (keyof WordSettings)[]> = {
  gradientXInput: [],
  gradientNorm: [],
  smoothGrad: ['samples', 'seed'],
  integratedGradients: ['samples', 'baseline'],
  partition: ['samples', 'replacement'],
  kernel: ['samples', 'seed', 'replacement'],
  permutation: ['samples', 'seed', 'replacement'],
  lime: ['samples', 'seed', 'replacement'],
}
const method = (name: string) => WORD_METHODS.find(({ value }) => value === name)!

it('each method is asked with the settings that it reads, and with no others', async () => {
  const one = new Float64Array([0.5])
  const answer = { tokens: ['a'], units: [{ text: 'a', from: 0, to: 1 }], output: {}, seed: 7 }
  for (const { value } of WORD_METHODS) {
    const heard: object[] = []
    const hear = (more: object) => (_target: unknown, request: object) => {
      heard.push(request)
      return Promise.resolve({ ...answer, ...more })
    }
    const explain = {
      saliency: hear({ unitScores: one }),
      lime: hear({ weights: one, standardErrors: one, score: 1, evaluations: 40 }),
      shap: hear({ values: one, base: 0, value: 1, evaluations: 40, residual: 0, exact: true }),
    }
    const question = { target: { run: 'r' }, input: { text: 'a' }, choice: {} } as unknown as Question
    const api = { explain } as unknown as GraftApi
    const found = await askWords(api, question, method(value), 'word', {}, ALL)
    expect([value, Object.keys(found.settings)]).toEqual([value, READS[value]])
    expect(heard[0]).toMatchObject(found.settings)
    for (const name of Object.keys(ALL))
      if (!READS[value]!.includes(name as keyof WordSettings)) expect(heard[0]).not.toHaveProperty(name)
  }
})

it('what is left open stands beside the numbers', async () => {
  const told = async (name: string, shap: object) => {
    const answer = { tokens: [], units: [], values: [], output: {}, base: 0, value: 1, residual: 0, ...shap }
    const api = { explain: { shap: () => Promise.resolve(answer) } } as unknown as GraftApi
    const question = { input: {}, choice: {} } as unknown as Question
    const { facts } = await askWords(api, question, method(name), 'word', {})
    return Object.fromEntries(facts.map(([fact, value]) => [fact, value]))
  }
  expect(await told('partition', { unresolved: 0.25, exact: false })).toMatchObject({
    'not yet shared out': 0.25,
  })
  const sampled = { exact: false, standardErrors: new Float64Array([0.1, 0.4]) }
  expect(await told('kernel', sampled)).toMatchObject({ 'largest standard error': 0.4 })
  expect(await told('kernel', { exact: true })).toMatchObject({ 'largest standard error': 0 })
  // One order alone says nothing about how much others would differ.
  expect(await told('permutation', { exact: false })).not.toHaveProperty('largest standard error')
})

it('settings go into the address and come back', () => {
  for (const settings of [ALL, {}, { seed: 0 }, { baseline: 'mask' }] as WordSettings[])
    expect(settingsFromQuery(queryOf(searchOf(settingsToQuery(settings))))).toEqual(settings)
  expect(settingsFromQuery({ samples: '-3', seed: 'x', baseline: 'none', instead: '' })).toEqual({})
  expect(settingsFor(method('lime'), ALL)).toEqual({ samples: 40, seed: 7, replacement: 'remove' })
})

it('says what of a text a classifier leaves out', async () => {
  const api = {
    tokenize: (_: string, text: string) => Promise.resolve({ ids: Array.from(text, () => 1), tokens: [] }),
  }
  const run = { info: { config: { training: { maxLength: 5 } } } }
  const of = (classify: boolean) => ({ classify, baseId: 'b', run }) as unknown as Parameters<typeof cutOf>[1]
  expect(await cutOf(api, of(true), '12345678')).toEqual({ cut: { read: 5, of: 8 } })
  expect(await cutOf(api, of(true), '12345')).toEqual({})
  expect(await cutOf(api, of(false), '12345678')).toEqual({})
})
