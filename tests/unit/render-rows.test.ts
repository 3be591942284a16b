// Rows of files as a model reads them, and those of which it would learn nothing: from the import to the trained tokens.
import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { IGNORED } from '../../src/data/examples.ts'
import { loadTokenizer } from '../../src/data/tokenizer.ts'
import type { Dataset, RenderedRow, TaskConfig } from '../../src/protocol/data.ts'
import { openStore, type Store } from '../../src/store/database.ts'
import { dataCalls } from '../../workers/dataCalls.ts'
import type { ModelLibrary } from '../../workers/engine/models.ts'
import { RENDER_LIMIT, renderRows } from '../../workers/engine/renderRows.ts'
import { DatasetRows, UNLABELLED_LIMIT } from '../../workers/engine/rows.ts'
import { loadFolder } from './support/tokenizers.ts'

const tokenizer = loadTokenizer(...loadFolder('public/models/graft-7m'))
const models = {
  use: () => Promise.resolve({ tokenizer, info: { context: 1024 } }),
} as unknown as ModelLibrary
const context = { signal: new AbortController().signal, progress: () => undefined }

let store: Store
let calls: ReturnType<typeof dataCalls>
let count = 0
beforeEach(async () => {
  store = await openStore({ name: `render-test-${count++}` })
  calls = dataCalls(
    () => undefined,
    () => Promise.resolve(store),
  )
})
afterEach(() => store.close())

async function load(rows: unknown[], config?: TaskConfig): Promise<Dataset> {
  const text = rows.map((row) => JSON.stringify(row)).join('\n')
  const { id, suggestion } = await calls.importFile(
    { file: new File([text], 'data.jsonl'), options: {} },
    context,
  )
  return calls.configure({ id, config: config ?? suggestion! }, context)
}
const render = (
  dataset: Dataset,
  options: Partial<Parameters<typeof renderRows>[1]> = {},
): Promise<RenderedRow[]> =>
  renderRows({ store, models }, { dataset: dataset.id, model: 'm', offset: 0, limit: 10, ...options })
const text = (row: RenderedRow): string => row.pieces.map((piece) => piece.text).join('')
const learned = (row: RenderedRow): string =>
  row.pieces
    .filter((piece) => piece.trained)
    .map((piece) => piece.text)
    .join('')

const alpaca = [
  { instruction: 'Translate to French.', input: 'Good morning', output: 'Bonjour' },
  { instruction: 'Name a colour.', input: '', output: 'Red' },
  { instruction: 'Name a town.', input: '', output: 'Ghent' },
]
const talk = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello' },
  { role: 'user', content: 'Bye' },
  { role: 'assistant', content: 'Goodbye' },
]

describe('formats that people bring', () => {
  test('Alpaca: the input follows the instruction', async () => {
    const dataset = await load(alpaca)
    expect(dataset).toMatchObject({
      format: 'jsonl',
      delimiter: '',
      config: { task: 'instruct', columns: { prompt: 'instruction', input: 'input', completion: 'output' } },
    })
    const [first, second] = await render(dataset)
    expect(text(first!)).toBe(
      '<|im_start|>user\nTranslate to French.\nGood morning<|im_end|>\n<|im_start|>assistant\nBonjour<|im_end|>\n',
    )
    expect(learned(first!)).toBe('Bonjour<|im_end|>')
    expect(text(second!)).toContain('user\nName a colour.<|im_end|>')
    expect(first!.pieces.filter((piece) => piece.special).map((piece) => piece.text)).toEqual([
      '<|im_start|>',
      '<|im_end|>',
      '<|im_start|>',
      '<|im_end|>',
    ])
  })
  test('OpenAI and ShareGPT: every answer, or the last', async () => {
    const sharegpt = talk.map(({ role, content }) => ({
      from: { user: 'human', assistant: 'gpt' }[role] ?? role,
      value: content,
    }))
    for (const row of [{ messages: talk }, { id: 'x', conversations: sharegpt }]) {
      const dataset = await load([row, row])
      expect(dataset.config!.task).toBe('chat')
      const [all] = await render(dataset)
      expect(text(all!)).toBe(tokenizer.renderChat(talk, false))
      expect(learned(all!)).toBe('Hello<|im_end|>Goodbye<|im_end|>')
      const [last] = await render(dataset, { config: { ...dataset.config!, turns: 'last' } })
      expect(learned(last!)).toBe('Goodbye<|im_end|>')
      const kept = await calls.configure(
        { id: dataset.id, config: { ...dataset.config!, turns: 'last' } },
        context,
      )
      expect(kept.config!.turns).toBe('last')
      expect(await render(kept)).toEqual(await render(dataset, { config: kept.config! }))
    }
  })
  test('TRL: prompts and completions, as texts, as lists, and joined as they are', async () => {
    const pair = (i: number) => ({
      prompt: `What is ${i} + ${i}? Say it in a short sentence.`,
      completion: `It is ${2 * i}, of course.`,
    })
    const asked = await load([pair(1), pair(2), pair(3)])
    expect(asked.config).toEqual({
      task: 'instruct',
      columns: { prompt: 'prompt', completion: 'completion' },
    })

    const joined = await load([1, 2, 3].map((i) => ({ ...pair(i), completion: ` ${pair(i).completion}` })))
    expect(joined.config).toEqual({
      task: 'complete',
      columns: { prompt: 'prompt', completion: 'completion' },
      separator: '',
    })
    expect(text((await render(joined))[0]!)).toBe(`${pair(1).prompt} ${pair(1).completion}<|endoftext|>`)
    expect(learned((await render(joined))[0]!)).toBe(` ${pair(1).completion}<|endoftext|>`)

    const lists = await load([1, 2].map(() => ({ prompt: talk.slice(0, 4), completion: talk.slice(4) })))
    expect(lists.config).toEqual({ task: 'chat', columns: { prompt: 'prompt', completion: 'completion' } })
    expect(learned((await render(lists))[0]!)).toBe('Goodbye<|im_end|>')
  })
  test('a system column; labels; plain text', async () => {
    const dataset = await load(alpaca.map((row) => ({ ...row, system: 'Be brief.' })))
    expect(text((await render(dataset))[0]!)).toMatch(/^<\|im_start\|>system\nBe brief\.<\|im_end\|>/)

    const labelled = await load(
      Array.from({ length: 12 }, (_, i) => ({
        text: `This is the text of message number ${i}`,
        label: ['b', 'a'][i % 2],
      })),
    )
    expect((await render(labelled, { offset: 3, limit: 1, maxLength: 4 }))[0]).toMatchObject({
      index: 3,
      pieces: [{ text: 'This is the te', trained: false }],
      tokens: 4,
      trainedTokens: 0,
      truncated: true,
      label: 'a',
      problem: null,
    })
    const plain = await load(
      [1, 2, 3].map((i) => ({ text: `Once upon a time number ${i}, there was a text.` })),
    )
    expect(plain.config).toEqual({ task: 'complete', columns: { text: 'text' } })
    expect((await render(plain))[0]!.pieces.map(({ trained }) => trained)).toEqual([true, true])
  })
})

describe('what is shown', () => {
  test('is what training reads: the same ids, cut at the same place', async () => {
    const dataset = await load(
      Array.from({ length: 30 }, (_, i) => ({
        messages: [
          { role: 'user', content: `Say ${i} 你好` },
          { role: 'assistant', content: `I say ${i} 你好 👋🏽` },
        ],
      })),
    )
    for (const maxLength of [8, 20, 25, 1024]) {
      const reading = { dataset, taskConfig: dataset.config!, labels: null, tokenizer, maxLength }
      const rows = await DatasetRows.open(store, reading, 'validation')
      const shown = await render(dataset, { limit: 30, maxLength })
      const indices = (
        await calls.rows({ id: dataset.id, query: { offset: 0, limit: 30, split: 'validation' } }, context)
      ).map(({ index }) => index)
      const examples = await rows.examples(indices.map((_, i) => i))
      expect(examples.length).toBeGreaterThan(0)
      examples.forEach((example, i) => {
        const row = shown[indices[i]!]!
        expect(text(row)).toBe(tokenizer.decode(example.ids, { special: true, exact: true }))
        expect(row.tokens).toBe(example.ids.length)
        expect(row.trainedTokens).toBe(
          'labels' in example ? example.labels.filter((label) => label !== IGNORED).length : -1,
        )
        expect(row.truncated).toBe(example.truncated)
        expect(row.problem).toBe(example.problem ?? null)
      })
    }
  })
  test('the weights of training rows, where the recipe gives any', async () => {
    const dataset = await load(
      Array.from({ length: 20 }, (_, i) => ({ text: `row ${i} it is`, label: i % 4 ? 'often' : 'rare' })),
      { task: 'classify', columns: { text: 'text', label: 'label' } },
    )
    expect((await render(dataset)).every((row) => !('weight' in row))).toBe(true)
    await calls.applyRecipe(
      { id: dataset.id, recipe: [{ kind: 'weigh', column: 'label', by: 'value', weights: [['rare', 2.5]] }] },
      context,
    )
    const all = await calls.rows({ id: dataset.id, query: { offset: 0, limit: 20 } }, context)
    for (const row of await render(dataset, { limit: 20 }))
      expect(row.weight).toBe(all[row.index]!.split !== 'train' ? undefined : row.label === 'rare' ? 2.5 : 1)
  })

  test('pages, and numbers out of range', async () => {
    const dataset = await load(
      Array.from({ length: RENDER_LIMIT + 20 }, (_, i) => ({ ...alpaca[0], output: `Answer ${i}` })),
    )
    expect((await render(dataset, { limit: 1000 })).length).toBe(RENDER_LIMIT)
    expect(
      (await render(dataset, { offset: RENDER_LIMIT + 18, limit: 10 })).map(({ index }) => index),
    ).toEqual([RENDER_LIMIT + 18, RENDER_LIMIT + 19])
    for (const options of [{ offset: -1 }, { limit: 1.5 }, { maxLength: 0 }])
      await expect(render(dataset, options)).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    await expect(render({ ...dataset, id: 'x' })).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    await expect(
      render(dataset, { config: { task: 'complete', columns: { text: 'x' } } }),
    ).rejects.toMatchObject({
      code: 'E_DATASET',
    })
  })
})

describe('rows with nothing to learn', () => {
  const open = (dataset: Dataset, maxLength = 1024) =>
    DatasetRows.open(
      store,
      { dataset, taskConfig: dataset.config!, labels: null, tokenizer, maxLength },
      'train',
    )
  const all = async (rows: unknown[], config?: TaskConfig): Promise<Dataset> => {
    const { id } = await load(rows, config)
    return calls.split({ id, config: { train: 1, validation: 0, test: 0, seed: 1 } }, context)
  }

  test('are counted and named, with the most frequent reason', async () => {
    const good = { messages: talk }
    const unanswered = { messages: talk.slice(0, 2) }
    const dataset = await all(
      [good, unanswered, good, { messages: 'no JSON' }, unanswered, { messages: '', other: 1 }],
      {
        task: 'chat',
        columns: { messages: 'messages' },
      },
    )
    const rows = await open(dataset)
    expect(await rows.unlabelled()).toEqual({
      count: 4,
      rows: [1, 3, 4, 5],
      reason: expect.stringMatching(/is an answer/) as string,
      checked: 6,
    })
    expect(await rows.teaches()).toBe(true)
  })
  test('none; all of them, because the prompts fill the length', async () => {
    const dataset = await all(alpaca)
    expect(await (await open(dataset)).unlabelled()).toEqual({ count: 0, rows: [], reason: null, checked: 3 })
    const short = await open(dataset, 8)
    expect(await short.unlabelled()).toMatchObject({
      count: 3,
      rows: [0, 1, 2],
      reason: expect.stringMatching(/longer than 8/) as string,
    })
    expect(await short.teaches()).toBe(false)
  })
  test('only the first are named, and looking can be cancelled', async () => {
    const dataset = await all(
      Array.from({ length: 400 }, (_, i) => ({ messages: i % 2 ? talk : talk.slice(0, 2) })),
    )
    const rows = await open(dataset)
    const found = await rows.unlabelled()
    expect(found).toMatchObject({ count: 200, checked: 400 })
    expect(found.rows).toEqual(Array.from({ length: UNLABELLED_LIMIT }, (_, i) => 2 * i))
    await expect(rows.unlabelled(AbortSignal.abort())).rejects.toMatchObject({ code: 'E_ABORTED' })
  })
})
