// Datasets that people know by name, recognised by their columns; and whether a first row names the columns.
import { describe, expect, test } from 'vitest'
import { ColumnCounter } from '../../src/data/columns.ts'
import { guessHeader } from '../../src/data/headerGuess.ts'
import { recogniseShape } from '../../src/data/shapes.ts'

/** The shape of a table of 40 rows, made from what stands in row i. */
function shape(columns: string[], row: (i: number) => string[]) {
  const rows = Array.from({ length: 40 }, (_, i) => row(i))
  const profiles = columns.map((name, place) => {
    const counter = new ColumnCounter(name)
    counter.addColumn(rows, place)
    return counter.profile()
  })
  return recogniseShape(profiles, rows)
}
const text = (i: number): string => `This is sentence ${i} about something that differs each time.`
const other = (i: number): string => `Another sentence, number ${i}, that answers the first one in full.`
const turns = (role: string, key: string, value: string) => (i: number) =>
  JSON.stringify([
    { [key]: role, [value]: text(i) },
    { [key]: role === 'human' ? 'gpt' : 'assistant', [value]: other(i) },
  ])

describe('shapes', () => {
  test.each<[string, string[], (i: number) => string[], object]>([
    [
      'Alpaca',
      ['instruction', 'input', 'output'],
      (i) => [text(i), i % 2 ? '' : `input ${i}`, other(i)],
      {
        name: 'alpaca',
        columns: { instruction: 'instruction', input: 'input', output: 'output' },
        trains: true,
      },
    ],
    [
      'ShareGPT',
      ['id', 'conversations'],
      (i) => [`${i}`, turns('human', 'from', 'value')(i)],
      { name: 'sharegpt', columns: { messages: 'conversations' }, trains: true },
    ],
    [
      'OpenAI messages',
      ['messages'],
      (i) => [turns('user', 'role', 'content')(i)],
      { name: 'openai', columns: { messages: 'messages' }, trains: true },
    ],
    [
      'prompt and completion',
      ['prompt', 'completion'],
      (i) => [text(i), other(i)],
      { name: 'promptCompletion', trains: true },
    ],
    [
      'preference pairs',
      ['Prompt', 'Chosen', 'Rejected'],
      (i) => [text(i), other(i), `No ${i}`],
      {
        name: 'preference',
        columns: { prompt: 'Prompt', chosen: 'Chosen', rejected: 'Rejected' },
        trains: false,
        note: expect.stringContaining('does not learn from comparisons yet') as string,
      },
    ],
    [
      'text and label',
      ['text', 'label'],
      (i) => [text(i), ['a', 'b', 'c'][i % 3]!],
      { name: 'textLabel', columns: { text: 'text', label: 'label' }, trains: true },
    ],
    [
      'several labels in a cell',
      ['text', 'labels'],
      (i) => [text(i), i % 2 ? 'joy, surprise' : 'anger'],
      { name: 'multiLabel', columns: { text: 'text', labels: 'labels' }, trains: false },
    ],
    [
      'lists of labels',
      ['text', 'tags'],
      (i) => [text(i), i % 2 ? '["a","b"]' : '["c"]'],
      { name: 'multiLabel', columns: { text: 'text', labels: 'tags' }, trains: false },
    ],
    [
      'a column of noughts and ones for each label',
      ['comment', 'toxic', 'insult', 'threat'],
      (i) => [text(i), `${i % 2}`, `${i % 3 ? 0 : 1}`, `${i % 5 ? 0 : 1}`],
      { name: 'multiLabel', trains: false },
    ],
    [
      'pairs of texts',
      ['premise', 'hypothesis', 'label'],
      (i) => [text(i), other(i), ['entailment', 'neutral'][i % 2]!],
      {
        name: 'textPair',
        columns: { first: 'premise', second: 'hypothesis', label: 'label' },
        trains: false,
      },
    ],
    ['texts', ['text'], (i) => [text(i)], { name: 'text', columns: { text: 'text' }, trains: true }],
  ])('%s', (_name, columns, row, expected) => {
    expect(shape(columns, row)).toMatchObject(expected)
  })
  test('numbers alone are no shape', () => {
    expect(shape(['x', 'y'], (i) => [`${i}`, `${i * 2.5}`])).toBeNull()
  })
})

describe('headers', () => {
  test.each<[string, string[][], boolean, boolean]>([
    [
      'names above numbers',
      [
        ['a', 'b'],
        ['1', '2'],
        ['3', '4'],
      ],
      true,
      true,
    ],
    [
      'numbers above numbers',
      [
        ['1', '2'],
        ['3', '4'],
      ],
      false,
      false,
    ],
    [
      'years above numbers',
      [
        ['2019', '2020'],
        ['3', '4'],
        ['5', '6'],
      ],
      true,
      false,
    ],
    [
      'a value that comes again',
      [
        ['good', 'x'],
        ['bad', 'y'],
        ['good', 'z'],
      ],
      false,
      false,
    ],
    [
      'short names above texts',
      [
        ['title', 'body'],
        ['One thing', 'Long text.'],
        ['Two', 'More.'],
      ],
      true,
      true,
    ],
    [
      'sentences above sentences',
      [
        ['It was good.', 'I came.'],
        ['Bad.', 'I left.'],
      ],
      true,
      false,
    ],
    ['a single row', [['a', 'b']], true, false],
  ])('%s', (_name, rows, header, sure) => {
    const guess = guessHeader(rows)
    expect([guess.header, guess.confidence >= 0.7]).toEqual([header, sure])
  })
})
