// The Data view's own logic: what a task asks for, and how a rendered row is drawn.
import { describe, expect, test } from 'vitest'
import type { Dataset, RenderedRow } from '../../../src/protocol/data.ts'
import { lengths, lines, stretches } from '../../../src/views/data/preview.ts'
import {
  columnsFor,
  finishConfig,
  inTwoColumns,
  rolesOf,
  startConfig,
} from '../../../src/views/data/tasks.ts'

describe('a rendered row', () => {
  test('stretches of equal treatment; tokens that write nothing are not drawn', () => {
    expect(
      stretches([
        { text: '<s>', trained: false, special: true },
        { text: 'Hi\n', trained: false },
        { text: '', trained: false },
        { text: 'Yes', trained: true },
        { text: '</s>', trained: true, special: true },
        { text: '\n', trained: false },
      ]),
    ).toEqual([
      {
        trained: false,
        parts: [
          { text: '<s>', special: true },
          { text: 'Hi\n', special: false },
        ],
      },
      {
        trained: true,
        parts: [
          { text: 'Yes', special: false },
          { text: '</s>', special: true },
        ],
      },
      { trained: false, parts: [{ text: '\n', special: false }] },
    ])
    expect(stretches([])).toEqual([])
    expect(lines('a\n\nb\n')).toEqual(['a', '', 'b', ''])
  })
  test('lengths: a classifier learns no token of its text', () => {
    const row: RenderedRow = {
      index: 0,
      pieces: [],
      tokens: 1234,
      trainedTokens: 12,
      truncated: false,
      label: null,
      problem: null,
    }
    expect(lengths(row)).toBe('1,234 tokens, 12 of them learnt')
    expect(lengths({ ...row, tokens: 1, trainedTokens: 0, label: 'a' })).toBe('1 token')
    expect(lengths({ ...row, weight: 1 / 3 })).toBe('1,234 tokens, 12 of them learnt, weight 0.333')
  })
})

describe('what a task asks for', () => {
  const keys = (config: Parameters<typeof rolesOf>[0]) => rolesOf(config).map(({ key }) => key)
  test('a chat in one column or in two', () => {
    expect(keys({ task: 'chat', columns: { messages: 'm' } })).toEqual(['messages', 'system'])
    expect(keys({ task: 'chat', columns: {} })).toEqual(['messages', 'system'])
    expect(keys({ task: 'chat', columns: { prompt: 'p', completion: '' } })).toEqual([
      'prompt',
      'completion',
      'system',
    ])
    expect(inTwoColumns({ task: 'instruct', columns: { prompt: 'p', completion: 'c' } })).toBe(false)
    expect(keys({ task: 'instruct', columns: {} })).toEqual(['prompt', 'completion', 'input', 'system'])
  })
  test('a suggestion passes through the form unchanged', () => {
    for (const suggestion of [
      { task: 'chat', columns: { messages: 'm' }, turns: 'last' },
      { task: 'chat', columns: { prompt: 'p', completion: 'c', system: 's' } },
      { task: 'instruct', columns: { prompt: 'p', completion: 'c', input: 'i' } },
      { task: 'complete', columns: { text: 't' } },
      { task: 'complete', columns: { prompt: 'p', completion: 'c' }, separator: '\n' },
      { task: 'classify', columns: { text: 't', label: 'l' } },
    ] as const)
      expect(finishConfig(startConfig({ config: null, suggestion } as unknown as Dataset))).toEqual(
        suggestion,
      )
  })
  test('another task keeps the columns that serve it', () => {
    const columns = ['a', 'b', 'c'].map((name) => ({
      name,
      type: 'text' as const,
      missing: 0,
      distinct: 3,
      meanLength: 9,
    }))
    const old = { prompt: 'a', completion: 'b', input: 'c', system: 's' }
    expect(columnsFor('instruct', old, columns)).toEqual(old)
    expect(columnsFor('chat', old, columns)).toEqual({ messages: 'a', system: 's' })
    expect(columnsFor('classify', old, columns)).toEqual({ text: 'a', label: 'b' })
  })
})
