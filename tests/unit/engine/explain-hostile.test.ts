// Requests of the wrong kind, to every explanation: each is refused with a code and a sentence, never by a TypeError from
// somewhere inside, and leaves nothing on the device.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { GraftError } from '../../../src/protocol/errors.ts'
import { EXPLAIN_METHODS, type ExplainMethod } from '../../../src/protocol/explain.ts'
import { EXPLAINERS } from '../../../workers/engine/explain/index.ts'
import { adapterFiles, modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

const TEXT = 'the sun is warm'
const REFUSALS = ['E_ARGUMENT', 'E_NOT_FOUND', 'E_DATASET', 'E_LIMIT', 'E_MODEL']
/** No setting may be any of these. */
const NEVER = [null, NaN, {}, [null], true, -1, 'nonsense', Symbol.iterator.toString(), 1e300]

/** What each method may be told beside the text; one that is not here is asked with hostile texts and targets only. */
const SETTINGS: Partial<Record<ExplainMethod, string[]>> = {
  attention: ['compare'],
  rollout: ['from'],
  ablation: ['heads', 'fill', 'output', 'contrast'],
  saliency: ['method', 'output', 'contrast', 'samples', 'seed', 'noise', 'baseline', 'granularity'],
  lime: [
    'output',
    'contrast',
    'granularity',
    'replacement',
    'explained',
    'samples',
    'features',
    'selection',
    'kernelWidth',
    'alpha',
    'seed',
  ],
  shap: ['output', 'contrast', 'granularity', 'replacement', 'explained', 'samples', 'method', 'seed'],
  faithfulness: ['scores', 'output', 'orders', 'steps', 'seed', 'granularity', 'replacement'],
  stability: [
    'method',
    'seeds',
    'samples',
    'top',
    'seed',
    'output',
    'contrast',
    'granularity',
    'replacement',
  ],
  agreement: ['methods', 'samples', 'top', 'seed', 'output', 'contrast', 'granularity', 'replacement'],
  rules: [
    'dataset',
    'split',
    'rows',
    'seed',
    'depth',
    'leaf',
    'ngrams',
    'features',
    'precision',
    'recall',
    'count',
  ],
  importance: ['dataset', 'split', 'rows', 'seed', 'method', 'output', 'samples', 'least', 'count'],
  influence: ['output', 'rows', 'indices', 'projection', 'checkpoints', 'seed'],
  cartography: ['epochs'],
  film: ['from', 'over', 'values', 'output', 'maps'],
  mistakes: ['dataset', 'split', 'rows', 'seed'],
  anchors: [
    'precision',
    'delta',
    'tau',
    'beam',
    'batch',
    'samples',
    'size',
    'seed',
    'granularity',
    'replacement',
  ],
  counterfactual: ['flips', 'count', 'granularity', 'replacement'],
  logitLens: ['output', 'positions', 'k'],
  layers: ['output', 'contrast'],
  similarity: ['dataset', 'split', 'rows', 'pool', 'seed'],
  probe: ['dataset', 'split', 'rows', 'pool', 'seed', 'controls'],
}
/** The only one of them that means something: maps compared with themselves. */
const MEANS = new Map([['compare', '{}']])

const OF_ROWS: ExplainMethod[] = ['similarity', 'probe', 'rules', 'importance', 'mistakes', 'cartography']

let e: Engine
let model: string
let adapter: string
let dataset: string
beforeAll(async () => {
  e = await engine()
  model = (await e.models.load({ files: modelFiles('tiny-bert') }, {}, context())).id
  const files = adapterFiles('tiny-bert', 'classify')
  adapter = (await e.adapters.import(model, { files }, {}, context())).id
  const rows = Array.from({ length: 12 }, (_, i) => `the sun ${i},${i % 2}\n`)
  const task = { task: 'classify', columns: { text: 'text', label: 'label' } } as const
  dataset = (await e.dataset(`text,label\n${rows.join('')}`, task)).id
  // The adapter stays on the device from now on.
  await EXPLAINERS.heads(e.desk, { model, adapter }, { text: TEXT }, context())
}, 60_000)
afterAll(() => e.close())

/** What a request ends with: the code of a refusal, or what it was instead. */
async function ending(method: ExplainMethod, target: unknown, request: unknown): Promise<string> {
  try {
    await EXPLAINERS[method](e.desk, target as never, request as never, context())
    return 'answered'
  } catch (error) {
    return error instanceof GraftError && error.message.length > 20 ? error.code : String(error)
  }
}

const show = (value: unknown) => (typeof value === 'number' ? String(value) : JSON.stringify(value))

it.each(EXPLAIN_METHODS)(
  '%s',
  async (method) => {
    const target = { model, adapter }
    const input = OF_ROWS.includes(method) ? { dataset } : { text: TEXT }
    const sound: object = {
      ...input,
      ...(['saliency', 'stability'].includes(method) && { method: 'gradientNorm' }),
      ...(method === 'agreement' && { samples: 20 }),
      ...(method === 'faithfulness' && { scores: [1, 2, 3, 4] }),
    }
    const before = e.tensors()
    const wrong: string[] = []
    const refused = async (what: string, hostile: unknown, request: unknown) => {
      const found = await ending(method, hostile, request)
      if (!REFUSALS.includes(found)) wrong.push(`${what}: ${found}`)
    }
    for (const request of [null, undefined, 5, 'text', [], [TEXT], NaN, true])
      await refused(`request ${show(request)}`, target, request)
    for (const hostile of [
      null,
      undefined,
      5,
      'run',
      [],
      {},
      { model: null },
      { model: 5 },
      { run: {} },
      { run: 'none' },
      { model: 'none' },
      { model, adapter: 7 },
      { model, adapter: 'none' },
      { model, adapter, strength: 'half' },
      { model, adapter, strength: NaN },
      { model, adapter, strength: null },
    ])
      await refused(`target ${show(hostile)}`, hostile, sound)
    if ('text' in input)
      for (const text of [null, 5, {}, [], NaN, '', undefined])
        await refused(`text ${show(text)}`, target, { ...sound, text })
    if ('text' in input)
      for (const messages of [
        null,
        5,
        'hello',
        {},
        [null],
        [5],
        [{}],
        [{ role: 'user' }],
        [{ role: 5, content: 'a' }],
        [{ role: 'user', content: 5 }],
        [],
      ])
        await refused(`messages ${show(messages)}`, { model }, { ...sound, text: undefined, messages })
    for (const name of SETTINGS[method] ?? [])
      for (const value of NEVER) {
        if (MEANS.get(name) === show(value)) continue
        await refused(`${name} ${show(value)}`, target, { ...sound, [name]: value })
      }
    expect(wrong).toEqual([])
    expect(e.tensors()).toBe(before)
  },
  60_000,
)
