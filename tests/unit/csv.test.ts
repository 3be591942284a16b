// Tables as people save them: every encoding, line end, quote and width; the same rows for every size of pieces.
import fc from 'fast-check'
import Papa from 'papaparse'
import { describe, expect, test, vi } from 'vitest'
import { textRows, type Rows } from '../../src/protocol/byteRows.ts'
import type { Problem } from '../../src/protocol/data.ts'
import {
  CELL_CHARACTERS_LIMIT,
  COLUMNS_LIMIT,
  CsvParser,
  ROW_BYTES_LIMIT,
  type CsvOptions,
} from '../../src/formats/csv.ts'
import { TextReader } from '../../src/formats/text.ts'

interface Table {
  columns: string[]
  rows: string[][]
  problems: Problem[]
  delimiter: string
  encoding: string
}

function read(source: string | Uint8Array, options: CsvOptions = {}, pieceBytes = Infinity): Table {
  const bytes = typeof source === 'string' ? new TextEncoder().encode(source) : source
  const problems: Problem[] = []
  const reader = new TextReader('test.csv')
  const parser = new CsvParser({
    name: 'test.csv',
    onProblem: (problem) => problems.push(problem),
    ...options,
  })
  const rows: string[][] = []
  const take = (found: Rows): void => textRows(found).forEach((row) => rows.push(row))
  for (let at = 0; at < bytes.length; at += pieceBytes)
    take(parser.push(reader.push(bytes.subarray(at, Math.min(bytes.length, at + pieceBytes)))))
  take(parser.push(reader.end()))
  take(parser.end())
  const { columns, delimiter } = parser
  return { columns, rows, problems, delimiter, encoding: reader.encoding }
}
const utf16 = (text: string, bom = true): Uint8Array =>
  new Uint8Array(Buffer.from((bom ? '\uFEFF' : '') + text, 'utf16le'))

describe('what people save', () => {
  test('quotes, doubled quotes, line ends inside, empty cells', () => {
    const { columns, rows, problems } = read('text,label\n"a, ""b""\nc",x\n,y\nz,\n')
    expect(columns).toEqual(['text', 'label'])
    expect(rows).toEqual([
      ['a, "b"\nc', 'x'],
      ['', 'y'],
      ['z', ''],
    ])
    expect(problems).toEqual([])
  })
  test.each([['\n'], ['\r\n'], ['\r']])('line ends %j, with and without one at the end', (end) => {
    const text = ['a,b', '1,"x' + end + 'y"', '', '3,4'].join(end)
    expect(read(text).rows).toEqual([
      ['1', 'x\ny'],
      ['3', '4'],
    ])
    expect(read(text + end).rows).toEqual(read(text).rows)
  })
  test('mixed line ends', () => {
    expect(read('a,b\r\n1,2\n3,4\r5,6').rows).toEqual([
      ['1', '2'],
      ['3', '4'],
      ['5', '6'],
    ])
  })
  test.each([[','], ['\t'], [';'], ['|']])('delimiter %j is guessed', (delimiter) => {
    const { rows, delimiter: found } = read(`a${delimiter}b\n"x, y; z"${delimiter}2\n3${delimiter}4`)
    expect(found).toBe(delimiter)
    expect(rows).toEqual([
      ['x, y; z', '2'],
      ['3', '4'],
    ])
  })
  test('semicolons with decimal commas', () => {
    expect(read('a;b\n1,5;2,5\n3,5;4,5\n').delimiter).toBe(';')
  })
  test('one column of sentences is one column', () => {
    const { columns, rows, problems } = read('text\nHello, world\nNo comma\nOne, two, three\n')
    expect(columns).toEqual(['text'])
    expect(rows).toEqual([['Hello, world'], ['No comma'], ['One, two, three']])
    expect(problems).toEqual([])
    expect(read('text\n"Hello, world"\n').rows).toEqual([['Hello, world']])
  })
  test('a given delimiter is used; a useless one is refused', () => {
    expect(read('a;b\n1,2;3', { delimiter: ',' }).rows).toEqual([['1']])
    expect(() => read('a', { delimiter: '"' })).toThrow(expect.objectContaining({ code: 'E_ARGUMENT' }))
  })
  test('no header', () => {
    const { columns, rows, problems } = read('a,b\nc,d', { header: false })
    expect([columns, rows, problems]).toEqual([
      ['column 1', 'column 2'],
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
      [],
    ])
  })
  test('encodings: BOM, UTF-16 both ways and without BOM, windows-1252', () => {
    const text = 'näme,b\nü,日\nx,y\nx,y\nx,y\n'
    const rows = [
      ['ü', '日'],
      ['x', 'y'],
      ['x', 'y'],
      ['x', 'y'],
    ]
    expect(read('\uFEFF' + text)).toMatchObject({ columns: ['näme', 'b'], rows, encoding: 'utf-8' })
    expect(read(utf16(text))).toMatchObject({ columns: ['näme', 'b'], rows, encoding: 'utf-16le' })
    expect(read(swapped(utf16(text)))).toMatchObject({ rows, encoding: 'utf-16be' })
    expect(read(utf16('name,b\nu,v\n', false))).toMatchObject({
      columns: ['name', 'b'],
      rows: [['u', 'v']],
      encoding: 'utf-16le',
    })
    expect(read(new Uint8Array(Buffer.from('näme,b\nü,ß\n', 'latin1')))).toMatchObject({
      columns: ['näme', 'b'],
      rows: [['ü', 'ß']],
      encoding: 'windows-1252',
    })
  })
})

function swapped(bytes: Uint8Array): Uint8Array {
  return bytes.map((_, i) => bytes[i ^ 1]!)
}

describe('what is wrong is said, with its line, and does not stop', () => {
  test('ragged rows', () => {
    const { rows, problems } = read('a,b\n1\n"x\ny",2\n3,4,5\n6,7')
    expect(rows).toEqual([
      ['1', ''],
      ['x\ny', '2'],
      ['3', '4'],
      ['6', '7'],
    ])
    expect(problems).toEqual([
      {
        kind: 'ragged',
        line: 2,
        message: 'This row has 1 cell where 2 are expected; the missing ones are empty.',
      },
      {
        kind: 'ragged',
        line: 5,
        message: 'This row has 3 cells where 2 are expected; the rest was left out.',
      },
    ])
  })
  test('a quote inside, a quote never closed, a row of nothing', () => {
    const inside = read('a,b\n"x "y" z",2\n3,4\n')
    expect(inside.problems).toMatchObject([{ kind: 'quote', line: 2 }])
    expect(inside.rows.at(-1)).toEqual(['3', '4'])
    const open = read('a,b\n1,"x\n3,4\n5,6\n')
    expect(open.rows).toEqual([
      ['1', 'x'],
      ['3', '4'],
      ['5', '6'],
    ])
    expect(open.problems).toMatchObject([{ kind: 'quote', line: 2 }])
    expect(read('a,b\n , \n1,2')).toMatchObject({
      rows: [['1', '2']],
      problems: [{ kind: 'empty', line: 2 }],
    })
  })
  test('headers: empty, twice, __proto__', () => {
    const { columns, problems } = read('a,,a, b ,__proto__,a (2),constructor\n1,2,3,4,5,6,7')
    expect(columns).toEqual(['a', 'column 2', 'a (3)', 'b', '__proto__', 'a (2)', 'constructor'])
    expect(problems).toMatchObject([
      { kind: 'header', line: 1 },
      { kind: 'header', line: 1 },
    ])
  })
  test('bytes that are no UTF-8 far into the file', () => {
    const bytes = new Uint8Array(
      Buffer.concat([Buffer.from('a,b\n' + 'x,y\n'.repeat(20_000)), Buffer.from([0x71, 0xff, 0x2c, 0x72])]),
    )
    const { rows, problems } = read(bytes)
    expect(rows.at(-1)).toEqual(['q\uFFFD', 'r'])
    expect(problems).toMatchObject([{ kind: 'encoding', line: 20_002 }])
  })
  test('a cell that is too long is cut', () => {
    const { rows, problems } = read(`a,b\n${'x'.repeat(CELL_CHARACTERS_LIMIT + 5)},2\n`)
    expect(rows[0]![0]!.length).toBe(CELL_CHARACTERS_LIMIT)
    expect(problems).toMatchObject([{ kind: 'limit', line: 2 }])
  })
  test('an open quote in a large file costs one line', () => {
    const lines = Array.from({ length: 300_000 }, (_, i) => `word ${i} and more,${i}`)
    const text = `a,b\n"open,0\n${lines.join('\n')}\n`
    expect(text.length).toBeGreaterThan(ROW_BYTES_LIMIT)
    const start = performance.now()
    const { rows, problems } = read(text, {}, 65_536)
    expect(performance.now() - start).toBeLessThan(4000)
    expect(rows.length).toBe(300_001)
    expect(rows[0]).toEqual(['open', '0'])
    expect(problems).toMatchObject([{ kind: 'quote', line: 2 }])
  })
  test.each([0, 1, 2, 7])('a row that is too long costs itself alone, wherever a piece ends (%i)', (more) => {
    const head = `a,b\n1,${'x'.repeat(ROW_BYTES_LIMIT + 100_000)}\n`
    const text = `${head}2,3\n4,5\n`
    const cut = head.length - 3 + more
    const problems: Problem[] = []
    const parser = new CsvParser({ delimiter: ',', onProblem: (problem) => problems.push(problem) })
    const bytes = new TextEncoder().encode(text)
    const rows = textRows(parser.push(bytes.subarray(0, cut)))
    rows.push(...textRows(parser.push(bytes.subarray(cut))), ...textRows(parser.end()))
    expect(rows.map(([first]) => first)).toEqual(['1', '2', '4'])
    expect(rows[0]![1]!.length).toBe(CELL_CHARACTERS_LIMIT)
    expect(new Set(problems.map(({ kind, line }) => `${kind} ${line}`))).toEqual(new Set(['limit 2']))
  })
  test('quotes opened on every line are given up', () => {
    const { rows } = read(`a,b\n${'1,"x\n'.repeat(30_001)}`)
    expect(rows.length).toBeGreaterThan(10_000)
  })
})

describe('what is no table is refused with a sentence', () => {
  const refused: [string, string | Uint8Array, RegExp][] = [
    ['nothing', '', /is empty/],
    ['white space', ' \n\n ', /is empty/],
    ['xlsx', Uint8Array.of(0x50, 0x4b, 3, 4, 20, 0), /save it as CSV/],
    ['PNG', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10), /PNG picture/],
    ['PDF', '%PDF-1.7\n', /a PDF/],
    ['zero bytes', Uint8Array.of(65, 44, 0, 0, 66, 10), /binary/],
    ['control bytes', Uint8Array.from({ length: 100 }, (_, i) => (i % 20) + 1), /binary/],
    ['JSON', '[{"a": 1}]', /JSON/],
    ['JSON lines', '{"a": 1}\n{"a": 2}\n', /JSON/],
    ['a web page', '<!DOCTYPE html>\n<html></html>', /web page/],
  ]
  test.each(refused)('%s', (_name, source, message) => {
    expect(() => read(source)).toThrow(
      expect.objectContaining({ code: 'E_NOT_A_TABLE', message: expect.stringMatching(message) as string }),
    )
  })
  test('too many columns name the limit', () => {
    expect(() => read('a,'.repeat(COLUMNS_LIMIT + 1) + '\n')).toThrow(
      expect.objectContaining({
        code: 'E_LIMIT',
        details: { columns: COLUMNS_LIMIT + 2, limit: COLUMNS_LIMIT },
      }),
    )
  })
})

describe('properties', () => {
  const cell = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc
      .array(fc.constantFrom('a', ' ', '"', ',', '\n', '\r\n', '\r', 'é', '日', '👍', '__proto__', '\t'), {
        maxLength: 8,
      })
      .map((parts) => parts.join('')),
  )
  const usable = (row: string[]): boolean => row.some((value) => value.trim() !== '')
  const clean = (value: string): string =>
    [...value]
      .filter((character) => character >= ' ' || '\t\r\n'.includes(character))
      .join('')
      .replace(/\r\n?/g, '\n')

  test('what was written comes back, whatever the pieces', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }).chain((width) =>
          fc.array(fc.array(cell.map(clean), { minLength: width, maxLength: width }).filter(usable), {
            minLength: 1,
            maxLength: 8,
          }),
        ),
        fc.integer({ min: 1, max: 64 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        (rows, pieceBytes, newline, bom) => {
          const header = rows[0]!.map((_, i) => `column ${'abcd'[i]}`)
          const text = (bom ? '\uFEFF' : '') + Papa.unparse([header, ...rows], { newline })
          const whole = read(text, { delimiter: ',' })
          expect(whole.rows).toEqual(rows)
          expect(whole.problems.filter(({ kind }) => kind !== 'encoding')).toEqual([])
          expect(read(text, { delimiter: ',' }, pieceBytes)).toEqual(whole)
          expect(read(text, {}, pieceBytes)).toEqual(read(text))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('without WebAssembly the rows are the same', async () => {
    const table = Array.from(
      { length: 3000 },
      (_, i) => `${i},"a ""b"", é${i % 7 === 0 ? '\n' : ''}",${'x'.repeat(i % 50)}`,
    )
    const bytes = new TextEncoder().encode(`a,b,c\n${table.join('\n')}`)
    vi.resetModules()
    vi.stubGlobal('WebAssembly', undefined)
    const csv = await import('../../src/formats/csv.ts')
    const text = await import('../../src/formats/text.ts')
    const reader = new text.TextReader('test.csv')
    const parser = new csv.CsvParser()
    const rows: string[][] = []
    for (const utf8 of [reader.push(bytes), reader.end()]) rows.push(...textRows(parser.push(utf8)))
    rows.push(...textRows(parser.end()))
    vi.unstubAllGlobals()
    expect(rows).toEqual(read(bytes).rows)
    expect(rows.length).toBe(3000)
  })

  test('text made to hurt gives the same rows and problems for every piece size', () => {
    const piece = fc.constantFrom(
      'a',
      'b ',
      '"',
      '""',
      ',',
      ',',
      '\n',
      '\n',
      '\r\n',
      '\r',
      ';',
      'é',
      '日本',
      '👍',
      ' ',
    )
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 64 }),
        (parts, pieceBytes) => {
          const text = `h1,h2\n${parts.join('')}`
          const whole = read(text, { delimiter: ',' })
          expect(read(text, { delimiter: ',' }, pieceBytes)).toEqual(whole)
          for (const row of whole.rows) expect(row.length).toBe(2)
        },
      ),
      { numRuns: 1000 },
    )
  })
})
