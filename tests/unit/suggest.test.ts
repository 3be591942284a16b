// What is guessed of columns, on tables like those people bring.
import { describe, expect, test } from 'vitest'
import { ColumnCounter, columnOf, DISTINCT_LIMIT, type ColumnProfile } from '../../src/data/columns.ts'
import { suggestTask } from '../../src/data/suggest.ts'

function profile(name: string, cells: string[]): ColumnProfile {
  const counter = new ColumnCounter(name)
  cells.forEach((cell) => counter.add(cell))
  return counter.profile()
}
const many = (make: (i: number) => string, count = 200): string[] =>
  Array.from({ length: count }, (_, i) => make(i))
const sentence = (i: number): string =>
  `This is sentence number ${i} about something that differs a little each time.`
const suggest = (table: Record<string, string[]>) =>
  suggestTask(Object.entries(table).map(([name, cells]) => profile(name, cells)))

describe('types', () => {
  test.each([
    ['number', ['1', '-2.5', '3,5', '1e-4', '', '40%']],
    ['boolean', ['true', 'False', 'yes', '']],
    ['date', ['2024-01-31', '2024-01-31T10:00:00Z', '1.2.2024']],
    ['empty', ['', '  ', '\t']],
    ['category', many((i) => ['red', 'green', 'dark blue'][i % 3]!)],
    ['text', many(sentence)],
    ['text', ['1', '2', 'three']],
  ])('%s', (type, cells) => {
    expect(profile('x', cells).type).toBe(type)
  })
  test('counts', () => {
    expect(columnOf(profile('x', ['ab', ' ab ', '', 'c', ' ']))).toEqual({
      name: 'x',
      type: 'text',
      missing: 2,
      distinct: 2,
      meanLength: 7 / 3,
    })
    expect(
      profile(
        'x',
        many((i) => `v${i}`, DISTINCT_LIMIT + 50),
      ).distinct,
    ).toBe(DISTINCT_LIMIT)
  })
})

describe('tasks', () => {
  const label = many((i) => ['a', 'b', 'c', 'd'][i % 4]!)
  const texts = many(sentence)
  const others = many((i) => `Another text, number ${i}, which follows the first one and has its own words.`)

  test('text and label', () => {
    const expected = { task: 'classify', columns: { text: 'text', label: 'category' } }
    expect(suggest({ text: texts, category: label })).toEqual(expected)
    expect(suggest({ id: many(String), category: label, text: texts })).toEqual(expected)
    expect(suggest({ review: texts, stars: many((i) => String((i % 5) + 1)) })).toEqual({
      task: 'classify',
      columns: { text: 'review', label: 'stars' },
    })
    expect(suggest({ a: texts, b: label })).toEqual({ task: 'classify', columns: { text: 'a', label: 'b' } })
    expect(suggest({ text: texts.slice(0, 3), label: ['x', 'y', 'z'] })).toEqual({
      task: 'classify',
      columns: { text: 'text', label: 'label' },
    })
    expect(suggest({ title: others, text: texts, topic: label })).toMatchObject({
      task: 'classify',
      columns: { label: 'topic' },
    })
  })
  test('questions and answers', () => {
    expect(suggest({ question: texts, answer: others })).toEqual({
      task: 'instruct',
      columns: { prompt: 'question', completion: 'answer' },
    })
    expect(suggest({ Instruction: texts, 'Output ': others })).toEqual({
      task: 'instruct',
      columns: { prompt: 'Instruction', completion: 'Output ' },
    })
    expect(suggest({ prompt: texts, completion: others })).toMatchObject({ task: 'instruct' })
    expect(suggest({ question: texts, answer: label })).toEqual({
      task: 'classify',
      columns: { text: 'question', label: 'answer' },
    })
  })
  test('two texts without a known name continue each other', () => {
    expect(suggest({ mr: texts, ref: others })).toEqual({
      task: 'complete',
      columns: { prompt: 'mr', completion: 'ref' },
      separator: '\n',
    })
    expect(suggest({ mr: texts.map((text) => `${text} `), ref: others })).toMatchObject({ separator: '' })
    // What only says which row it is, or what it is called, is no text.
    expect(suggest({ text: texts, file: others })).toEqual({ task: 'complete', columns: { text: 'text' } })
    expect(suggest({ url: others, mr: texts, ref: others })).toMatchObject({
      columns: { prompt: 'mr', completion: 'ref' },
    })
    expect(suggest({ mr: texts, ref: others, part: label })).toMatchObject({
      task: 'complete',
      columns: { prompt: 'mr' },
    })
  })
  test('the formats of instruction and chat sets', () => {
    const talk = many((i) =>
      JSON.stringify([
        { role: 'user', content: `Question ${i}` },
        { role: 'assistant', content: 'Yes' },
      ]),
    )
    const list = many((i) => JSON.stringify([{ role: 'user', content: `Question ${i}` }]))
    const shared = many((i) =>
      JSON.stringify([
        { from: 'human', value: `Question ${i}` },
        { from: 'gpt', value: 'Yes' },
      ]),
    )
    const inputs = many((i) => (i % 3 ? '' : `Input ${i}`))
    // Alpaca, with its usual `text` that holds all of it once more; the order of the columns says nothing.
    const alpaca = { instruction: texts, input: inputs, output: others, text: texts }
    const expected = {
      task: 'instruct',
      columns: { prompt: 'instruction', completion: 'output', input: 'input' },
    }
    expect(suggest(alpaca)).toEqual(expected)
    expect(suggest({ text: texts, output: others, input: texts, instruction: texts })).toEqual(expected)
    expect(suggest({ instruction: many(() => 'Translate.'), input: texts, output: others })).toEqual(expected)
    expect(suggest({ system: label, question: texts, response: others })).toEqual({
      task: 'instruct',
      columns: { prompt: 'question', completion: 'response', system: 'system' },
    })
    expect(suggest({ id: many(String), conversations: shared, source: label })).toEqual({
      task: 'chat',
      columns: { messages: 'conversations' },
    })
    expect(suggest({ talk, system: label })).toEqual({
      task: 'chat',
      columns: { messages: 'talk', system: 'system' },
    })
    expect(suggest({ prompt: list, completion: talk })).toEqual({
      task: 'chat',
      columns: { prompt: 'prompt', completion: 'completion' },
    })
    expect(suggest({ prompt: texts, rejected: talk, chosen: talk })).toEqual({
      task: 'chat',
      columns: { messages: 'chosen' },
    })
    expect(suggest({ prompt: texts, chosen: others, rejected: others })).toEqual({
      task: 'instruct',
      columns: { prompt: 'prompt', completion: 'chosen' },
    })
    expect(suggest({ prompt: texts, completion: others.map((other) => ` ${other}`) })).toEqual({
      task: 'complete',
      columns: { prompt: 'prompt', completion: 'completion' },
      separator: '',
    })
    // JSON that is no conversation is a text like any other.
    expect(
      suggest({ messages: many((i) => `{"note":"Message number ${i} of a long list of messages"}`) }),
    ).toEqual({
      task: 'complete',
      columns: { text: 'messages' },
    })
  })
  test('one text, conversations, nothing', () => {
    expect(suggest({ id: many(String), story: texts })).toEqual({
      task: 'complete',
      columns: { text: 'story' },
    })
    expect(suggest({ messages: many((i) => `[{"role":"user","content":"${i}"}]`) })).toEqual({
      task: 'chat',
      columns: { messages: 'messages' },
    })
    expect(suggest({ a: many(String), b: many(String) })).toBeNull()
    expect(suggest({})).toBeNull()
  })
})
