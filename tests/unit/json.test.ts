// Tables in JSON: every layout in pieces of any size, faults with their lines, and any value kept exactly.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseMessages } from '../../src/data/messages.ts'
import { COLUMNS_LIMIT } from '../../src/formats/csv.ts'
import {
  JSON_DEPTH_LIMIT,
  JSON_ROW_CHARACTERS_LIMIT,
  JsonParser,
  looksLikeJson,
} from '../../src/formats/json.ts'
import { minified, objectFields } from '../../src/formats/jsonText.ts'
import type { Problem } from '../../src/protocol/data.ts'

function parse(text: string, { size = text.length || 1, name = 'test.json' } = {}) {
  const problems: Problem[] = []
  const parser = new JsonParser({ name, onProblem: (problem) => problems.push(problem) })
  const rows: string[][] = []
  for (let at = 0; at < text.length; at += size) rows.push(...parser.push(text.slice(at, at + size)))
  rows.push(...parser.end())
  return { columns: [...parser.columns], rows, problems, format: parser.format }
}
const objects = [
  { text: 'a "b"\n', label: 'x' },
  { text: '{[', label: null },
  { n: 1.5, text: 'é👩‍👩‍👧', on: true },
]
const expected = {
  columns: ['text', 'label', 'n', 'on'],
  rows: [
    ['a "b"\n', 'x'],
    ['{[', ''],
    ['é👩‍👩‍👧', '', '1.5', 'true'],
  ],
}

describe('layouts', () => {
  const layouts: [string, string, string][] = [
    ['lines', objects.map((row) => JSON.stringify(row)).join('\n'), 'jsonl'],
    [
      'lines with CRLF, empty lines and a byte order mark',
      `\uFEFF${objects.map((row) => JSON.stringify(row)).join('\r\n\r\n')}\r\n`,
      'jsonl',
    ],
    ['a list', JSON.stringify(objects), 'json'],
    ['a list over many lines', JSON.stringify(objects, null, 2), 'json'],
    ['a list, a line each', `[\n${objects.map((row) => JSON.stringify(row)).join(',\n')}\n]`, 'json'],
    ['data', JSON.stringify({ version: [1, { data: 2 }], data: objects, more: [{ text: 'no' }] }), 'json'],
    ['rows', JSON.stringify({ rows: objects }, null, '\t'), 'json'],
    ['train', `\n{"train" : \n[ ${objects.map((row) => JSON.stringify(row)).join()} ] }`, 'json'],
    [
      "the Hub's viewer",
      JSON.stringify({
        features: [],
        rows: objects.map((row, row_idx) => ({ row_idx, row, truncated_cells: [] })),
      }),
      'json',
    ],
    [
      'objects over many lines, one after the other',
      objects.map((row) => JSON.stringify(row, null, 2)).join('\n'),
      'json',
    ],
  ]
  test.each(layouts)('%s', (_name, text, format) => {
    expect(looksLikeJson(text, 'x')).toBe(true)
    for (const size of [1, 2, 3, 7, 64, text.length])
      expect(parse(text, { size })).toEqual({ ...expected, problems: [], format })
  })

  test('by what is in it, not by its name', () => {
    expect(looksLikeJson('text,label\na,b\n', 'table.jsonl')).toBe(false)
    expect(looksLikeJson('{"a":1}\n', 'table.csv')).toBe(true)
    expect(looksLikeJson('a;b\n{"x";1\n', 'table.csv')).toBe(false)
    expect(looksLikeJson('not this line\n{"a":1}\n', 'table.jsonl')).toBe(true)
  })

  test.each([
    ['one object', JSON.stringify({ name: 'x', dependencies: { a: 1 } }, null, 2), /single object/],
    ['one object on a line', '{"a":1}', /single object/],
    ['an empty list', '[]', /without any row/],
    ['numbers', '[1,2,3]', /line 1: This is no object/],
    ['an empty list of rows', '{"data": []}', /without any row/],
  ])('%s is no table', (_name, text, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'E_NOT_A_TABLE', message: expect.stringMatching(message) as string }),
    )
  })
  test('one line in a file of lines is a table of one row', () => {
    expect(parse('{"a":1}', { name: 'a.jsonl' }).rows).toEqual([['1']])
  })
})

describe('faults', () => {
  test('bad lines are left out and named; the others stay', () => {
    const lines = ['{"a":1}', '{"a":', 'nonsense', '[1]', '', '{"a":NaN}', '{}', '{"a":null}', '{"a":"end"}']
    const { rows, problems } = parse(lines.join('\n'), { name: 'x.jsonl' })
    expect(rows).toEqual([['1'], ['end']])
    expect(problems.map(({ kind, line }) => [kind, line])).toEqual([
      ['json', 2],
      ['json', 3],
      ['json', 4],
      ['json', 6],
      ['empty', 7],
      ['empty', 8],
    ])
    expect(parse(['{"a" 1}', '{"a":2}'].join('\n')).rows).toEqual([['2']])
  })
  test('in a list: a bad element, a stray quote, an end that never comes', () => {
    const list = '[\n{"a": 1},\n{"a": 1,,},\n{"a": "x},\n{"a": 4},\n7,\n{"a": 5},\n{"a": {'
    for (const size of [1, 5, list.length]) {
      const { rows, problems } = parse(list, { size })
      expect(rows.at(0)).toEqual(['1'])
      expect(problems.map(({ line }) => line)[0]).toBe(3)
      expect(problems.at(-1)).toMatchObject({
        kind: 'json',
        message: expect.stringContaining('never ends') as string,
      })
    }
    expect(parse('[{"a":1}, 7, "x", {"a":2}]').rows).toEqual([['1'], ['2']])
    expect(parse('[{"a":1]}, {"a":2}]').rows).toEqual([['2']])
  })
  test('keys given twice, keys that are everywhere', () => {
    const { columns, rows, problems } = parse(
      '{"a":1,"a":2,"__proto__":"p","constructor":3}\n{"toString":"t","":"e","column 5":"f"}\n',
    )
    expect(columns).toEqual(['a', '__proto__', 'constructor', 'toString', 'column 5', 'column 5 (2)'])
    expect(rows).toEqual([
      ['2', 'p', '3'],
      ['', '', '', 't', 'e', 'f'],
    ])
    expect(problems).toEqual([
      { kind: 'header', line: 1, message: '"a" is given twice in this row; the last one was taken.' },
    ])
    expect(({} as Record<string, unknown>).p).toBeUndefined()
  })
  test('too many keys', () => {
    const text = Array.from({ length: COLUMNS_LIMIT + 1 }, (_, i) => `{"k${i}":1}`).join('\n')
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'E_LIMIT' }))
  })
  test('nesting: as deep as the limit, and a bomb', () => {
    const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
    const { rows, problems } = parse(
      [nested(JSON_DEPTH_LIMIT), nested(JSON_DEPTH_LIMIT + 1), nested(1_000_000), '{"a":1}'].join('\n'),
    )
    expect(rows.map(([cell]) => cell!.length)).toEqual([2 * (JSON_DEPTH_LIMIT - 1), 1])
    expect(problems.map(({ kind, line }) => [kind, line])).toEqual([
      ['limit', 2],
      ['limit', 3],
    ])
  })
  test.each([
    ['lines', '\n'],
    ['a list', ',\n'],
  ])('%s: a row that is too long is passed over', (name, between) => {
    const huge = `{"a":"${'x'.repeat(JSON_ROW_CHARACTERS_LIMIT)}"}`
    const text = ['{"a":1}', huge, '{"a":2}'].join(between)
    for (const size of [65_536, text.length]) {
      const { rows, problems } = parse(name === 'lines' ? text : `[${text}]`, { size })
      expect(rows.map(([cell]) => cell!.slice(0, 9))).toEqual(['1', '2'])
      expect(problems).toMatchObject([{ kind: 'limit', line: 2 }])
    }
  })
  test('a cell that is too long', () => {
    const { rows, problems } = parse(
      `{"a":"${'x'.repeat(1_000_001)}","b":[${'1,'.repeat(600_000)}1],"c":1}\n{"c":2}`,
    )
    expect(rows[0]!.map((cell) => cell.length)).toEqual([1_000_000, 0, 1])
    expect(problems.map(({ kind }) => kind)).toEqual(['limit', 'limit'])
  })
})

describe('values', () => {
  test('what is nested stays JSON, without its white space; numbers keep their digits', () => {
    const text =
      '{"messages": [ {"role" : "user", "content": "a  b\\n{"} ],\n "id": 12345678901234567890, "x": 1.0, "y": -0}\n{"id":1}'
    expect(parse(text.replace(',\n', ',')).rows[0]).toEqual([
      '[{"role":"user","content":"a  b\\n{"}]',
      '12345678901234567890',
      '1.0',
      '-0',
    ])
    expect(parseMessages(parse(text.replace(',\n', ',')).rows[0]![0]!)).toEqual([
      { role: 'user', content: 'a  b\n{' },
    ])
  })

  const keys = fc
    .string({ minLength: 1, maxLength: 8 })
    .filter((key) => key.trim() !== '' && key !== 'row_idx')
  const record = fc.dictionary(keys, fc.jsonValue({ maxDepth: 4 }), { minKeys: 1, maxKeys: 6 })
  test('any rows come back, in any layout and pieces of any size', () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 2, maxLength: 6 }),
        fc.constantFrom('lines', 'list', 'pretty', 'data'),
        fc.integer({ min: 1, max: 50 }),
        (records, layout, size) => {
          const filled = records.map((each, i) => ({ '#': i, ...each }))
          const text = {
            lines: filled.map((each) => JSON.stringify(each)).join('\n'),
            list: JSON.stringify(filled),
            pretty: JSON.stringify(filled, null, 1),
            data: JSON.stringify({ data: filled }),
          }[layout]
          const { columns, rows } = parse(text, { size })
          expect(rows.length).toBe(filled.length)
          rows.forEach((row, i) => {
            const given = new Map(Object.entries(filled[i]!) as [string, unknown][])
            columns.forEach((name, place) => {
              const value = given.get(name) ?? ''
              const cell = row[place] ?? ''
              if (typeof value === 'string') expect(cell).toBe(value)
              else expect(JSON.parse(cell)).toEqual(JSON.parse(JSON.stringify(value)))
            })
          })
        },
      ),
    )
  })
  test('fields and minified text of any object', () => {
    fc.assert(
      fc.property(record, fc.constantFrom<string | number>(0, 2, '\t\r\n '), (value, space) => {
        const text = JSON.stringify(value, null, space)
        expect(minified(text)).toBe(JSON.stringify(value))
        expect(objectFields(text).map(([key, part]) => [key, JSON.parse(part) as unknown])).toEqual(
          Object.entries(JSON.parse(text) as object),
        )
      }),
    )
  })
})
