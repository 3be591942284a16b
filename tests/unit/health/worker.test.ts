// The health report of stored datasets: after a recipe too, with remedies that name raw rows, and a base's tokenizer.
import 'fake-indexeddb/auto'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Dataset } from '../../../src/protocol/data.ts'
import type { HealthOptions, HealthReport } from '../../../src/protocol/health.ts'
import type { RecipeStep } from '../../../src/protocol/recipe.ts'
import type { ModelInfo } from '../../../src/protocol/model.ts'
import { loadTokenizer } from '../../../src/data/tokenizer.ts'
import { openStore, type Store } from '../../../src/store/database.ts'
import { putModel, writeModelFile } from '../../../src/store/models.ts'
import { dataCalls } from '../../../workers/dataCalls.ts'
import { loadFolder } from '../support/tokenizers.ts'

let store: Store
let calls: ReturnType<typeof dataCalls>
let count = 0
beforeEach(async () => {
  store = await openStore({ name: `health-test-${count++}` })
  calls = dataCalls(
    () => undefined,
    () => Promise.resolve(store),
  )
})
afterEach(() => store.close())

const context = () => ({ signal: new AbortController().signal, progress: () => undefined })
const health = async (id: string, options: HealthOptions = {}): Promise<HealthReport> =>
  calls.health({ id, options }, context())
const mend = async (id: string, steps: RecipeStep[]): Promise<Dataset> => {
  const { recipe } = await calls.recipe({ id }, context())
  return calls.applyRecipe({ id, recipe: [...recipe.steps, ...steps] }, context())
}
async function load(rows: string[]): Promise<string> {
  const file = new File([['text,label', ...rows].join('\n')], 'rows.csv')
  const { id } = await calls.importFile({ file, options: {} }, context())
  await calls.configure(
    { id, config: { task: 'classify', columns: { text: 'text', label: 'label' } } },
    context(),
  )
  return id
}
const sentences = Array.from(
  { length: 40 },
  (_, i) =>
    `please look at the ${['red', 'green', 'blue', 'grey'][i % 4]!} matter with number n${i} of mine,${i % 2 ? 'a' : 'b'}`,
)

test('a report of the stored rows, and its rows by index', async () => {
  const id = await load([...sentences, sentences[7]!])
  const report = await health(id)
  expect(report).toMatchObject({ dataset: id, rows: 41, columns: ['text'], label: 'label' })
  const copies = report.findings.find(({ kind }) => kind === 'exactDuplicates')!
  expect(copies.rows).toEqual([{ row: 40, note: 'copy of row 8' }])
  const [row] = await calls.rowsAt({ id, indices: [40] }, context())
  expect(row).toMatchObject({ index: 40, cells: { text: sentences[7]!.split(',')[0] } })
})

test('remedies mend, and name raw rows after earlier steps', async () => {
  const id = await load([
    sentences[0]!,
    ...sentences.slice(0, 30),
    'see www.example.org for it all,a',
    ...sentences.slice(30),
  ])
  const [copies] = (await health(id)).findings.filter(({ kind }) => kind === 'exactDuplicates')
  expect(copies!.count).toBe(1)
  expect((await mend(id, copies!.remedies[0]!.steps)).rows).toBe(41)

  const [urls] = (await health(id)).findings.filter(({ kind }) => kind === 'urls')
  // Row 31 of what is left is raw row 31, because raw row 1 went.
  expect(urls!.rows.map(({ row }) => row)).toEqual([30])
  expect(urls!.remedies[0]!.steps).toEqual([{ kind: 'dropRows', rows: [31] }])
  expect((await mend(id, urls!.remedies[0]!.steps)).rows).toBe(40)
  const clean = await health(id)
  expect(clean.clean).toEqual(expect.arrayContaining(['urls', 'exactDuplicates']))
})

test('classes that are unequal can be weighed in one click, once', async () => {
  const id = await load(sentences.map((row, i) => row.replace(/,.$/, i % 10 ? ',a' : ',b')))
  const [before] = (await health(id)).findings.filter(({ kind }) => kind === 'imbalance')
  const weigh = before!.remedies.find(({ steps }) => steps[0]!.kind === 'weigh')!
  expect(weigh.steps).toEqual([{ kind: 'weigh', column: 'label', by: 'balanced' }])
  const mended = await mend(id, weigh.steps)
  expect(mended.rows).toBe(40)
  // 29 of one and 3 of the other are for training.
  expect(mended.version!.weights!.most / mended.version!.weights!.least).toBeCloseTo(29 / 3, 9)
  const [after] = (await health(id)).findings.filter(({ kind }) => kind === 'imbalance')
  expect([before!.severity, after!.severity]).toEqual(['fix', 'know'])
  expect(after!.remedies.flatMap(({ steps }) => steps.map(({ kind }) => kind))).not.toContain('weigh')
})

test('rows that a step added go without the rows that they were made from', async () => {
  const id = await load([...sentences, 'see www.example.org for all of it,a'])
  await calls.split({ id, config: { train: 1, validation: 0, test: 0, stratify: '' } }, context())
  await mend(id, [
    { kind: 'augment', method: 'typo', column: 'text', where: '[text] contains "www"', copies: 2 },
    { kind: 'addRows', columns: ['text', 'label'], rows: [['go to www.example.org now,b', 'b']] },
  ])
  const [urls] = (await health(id)).findings.filter(({ kind }) => kind === 'urls')
  const [step] = urls!.remedies[0]!.steps
  if (step?.kind !== 'dropRows') throw new Error('no rows to drop')
  expect(step.rows).toEqual([40])
  const { rows, version } = await calls.getDataset({ id }, context())
  expect(step.made).toHaveLength(version!.synthetic)
  // The added rows alone go, or all of them.
  expect((await mend(id, [{ ...step, rows: [] }])).rows).toBe(41)
  await calls.undoRecipe({ id }, context())
  expect((await mend(id, [step])).rows).toBe(rows - urls!.count)
})

test('a remedy takes all rows of a finding, also those that are not listed', async () => {
  const many = Array.from({ length: 5100 }, (_, i) => `see www.example.org/${i} for number ${i},a`)
  const id = await load([...sentences, ...many])
  const [urls] = (await health(id)).findings.filter(({ kind }) => kind === 'urls')
  expect([urls!.rows.length, urls!.count]).toEqual([5000, 5100])
  expect(urls!.remedies[0]!.label).toBe('Drop all 5,100 rows')
  expect((await mend(id, urls!.remedies[0]!.steps)).rows).toBe(40)
})

test('tokens are counted by a stored base, in a task of texts as well', async () => {
  const folder = 'public/models/graft-7m'
  const files = await Promise.all(
    ['tokenizer.json', 'tokenizer_config.json'].map((name) =>
      writeModelFile(store, 'm', name, [new Uint8Array(readFileSync(`${folder}/${name}`))]),
    ),
  )
  const { vocab_size: vocab } = JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')) as {
    vocab_size: number
  }
  const info = { id: 'm', name: 'Graft-7M', vocab, context: 1024 } as ModelInfo
  await putModel(store, { id: 'm', createdAt: 1, info, files })
  const tokenizer = loadTokenizer(...loadFolder(folder))
  const long = 'what do I do with all of these letters '.repeat(4).trim()
  const tokens = tokenizer.encode(long, { special: false }).length

  const id = await load([...sentences, `${long},a`])
  const [cut] = (await health(id, { model: 'm', maxLength: tokens - 1 })).findings.filter(
    ({ kind }) => kind === 'truncation',
  )
  const exact = tokens + tokenizer.prefixIds.length + tokenizer.suffixIds.length
  expect(cut!.rows).toEqual([{ row: 40, note: `${exact} tokens` }])
  expect(cut!.explanation).toContain('Counted with the tokenizer of Graft-7M.')
  expect((await health(id, { model: 'm', maxLength: exact })).clean).toContain('truncation')

  const config = { task: 'complete', columns: { prompt: 'text', completion: 'label' } } as const
  const [nothing] = (await health(id, { model: 'm', config, maxLength: tokens - 1 })).findings.filter(
    ({ kind }) => kind === 'unlearnable',
  )
  expect(nothing!.rows.map(({ row }) => row)).toEqual([40])
  expect(nothing!.rows[0]!.note).toContain('The prompt alone is longer than')
})

test('a base that is not there, and a dataset that is not there', async () => {
  const id = await load(sentences)
  await expect(health(id, { model: 'none' })).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
  await expect(health('none')).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
  await expect(
    calls.rowsAt({ id, indices: Array.from({ length: 1001 }, () => 0) }, context()),
  ).rejects.toMatchObject({
    code: 'E_ARGUMENT',
  })
})
