// Tables as files: what is written is read back the same, by our own readers and by hyparquet, and no cell becomes a formula.
import fc from 'fast-check'
import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import Papa from 'papaparse'
import { describe, expect, test } from 'vitest'
import { textRows } from '../../src/protocol/byteRows.ts'
import { CsvParser } from '../../src/formats/csv.ts'
import { guarded, unguarded, writeCsv } from '../../src/formats/csvWrite.ts'
import { writeJsonl } from '../../src/formats/jsonlWrite.ts'
import { JsonParser } from '../../src/formats/json.ts'
import { writeParquet } from '../../src/formats/parquetWrite.ts'
import { blobOf, type ByteChunks, type TableSource } from '../../src/formats/tableSource.ts'

interface Plain {
  columns: string[]
  rows: string[][]
}
const source = ({ columns, rows }: Plain, batch = 3): TableSource => ({
  columns,
  async *batches() {
    for (let at = 0; at < rows.length; at += batch) yield { rows: rows.slice(at, at + batch) }
  },
})
const bytesOf = async (chunks: ByteChunks): Promise<ArrayBuffer> => (await blobOf(chunks, '')).arrayBuffer()
const textOf = async (chunks: ByteChunks): Promise<string> =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(await bytesOf(chunks))

const cell = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', ' ', '\t', 'a', '=', "'", '\uFEFF', 'é') }),
)
/** A table as an import makes it: names are trimmed and different, and no row is all white space. */
const table = (cells = cell): fc.Arbitrary<Plain> =>
  fc
    .uniqueArray(
      fc
        .string({ unit: 'binary', minLength: 1 })
        .filter((name) => name.trim() === name && !/[\r\uFEFF]/.test(name)),
      { minLength: 1, maxLength: 4 },
    )
    .chain((columns) =>
      fc
        .array(
          fc
            .array(cells, { minLength: columns.length, maxLength: columns.length })
            .filter((row) => row.some((text) => text.trim() !== '')),
          { minLength: 1, maxLength: 8 },
        )
        .map((rows) => ({ columns, rows })),
    )

describe('CSV', () => {
  test('cells are quoted where they must be', async () => {
    const text = await textOf(
      writeCsv(
        source({
          columns: ['a', 'b, c'],
          rows: [
            ['1', 'say "x"'],
            ['two\nlines', ' padded '],
          ],
        }),
      ),
    )
    expect(text).toBe('a,"b, c"\n1,"say ""x"""\n"two\nlines"," padded "\n')
  })
  test('no cell begins like a formula, column names included', async () => {
    const cells = ['=cmd|x', '+1', '-1', '@a', '\tx', '\rx', 'plain', "'=a", "'plain", '＝x']
    const text = await textOf(writeCsv(source({ columns: ['=h'], rows: cells.map((one) => [one]) })))
    const { data } = Papa.parse<string[]>(text, { newline: '\n' })
    expect(data.flat()).toEqual([
      "'=h",
      "'=cmd|x",
      "'+1",
      "'-1",
      "'@a",
      "'\tx",
      "'\rx",
      'plain',
      "''=a",
      "'plain",
      "'＝x",
      '',
    ])
    expect(await textOf(writeCsv(source({ columns: ['a'], rows: [['=1']] }), { guard: false }))).toBe(
      'a\n=1\n',
    )
  })
  test('taking the guard off gives every cell back', () => {
    fc.assert(fc.property(cell, (text) => unguarded(guarded(text)) === text))
  })
  test('any table survives', async () => {
    await fc.assert(
      fc.asyncProperty(table(), fc.constantFrom(',', ';', '\t', '|'), async (given, delimiter) => {
        const text = await textOf(writeCsv(source(given), { guard: false, delimiter }))
        const parser = new CsvParser({ delimiter })
        const rows = [...textRows(parser.push(new TextEncoder().encode(text))), ...textRows(parser.end())]
        expect({ columns: parser.columns, rows }).toEqual(given)
      }),
    )
  })
  test.each([['""'], ["'"], [''], ['\n'], ['ab']])('%j is no delimiter', async (delimiter) => {
    await expect(textOf(writeCsv(source({ columns: [], rows: [] }), { delimiter }))).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
  })
})

describe('JSON Lines', () => {
  test('kinds of columns', async () => {
    const text = await textOf(
      writeJsonl(
        source({
          columns: ['t', 'n', 'b', 'j'],
          rows: [
            ['a\nb', '1.50', 'TRUE', '[1,\n 2]'],
            ['', '', '', ''],
            ['1', '007', 'yes', '{broken'],
          ],
        }),
        { types: { n: 'number', b: 'boolean', j: 'json' } },
      ),
    )
    expect(text).toBe(
      '{"t":"a\\nb","n":1.50,"b":true,"j":[1,2]}\n{"t":"","n":null,"b":null,"j":null}\n{"t":"1","n":"007","b":"yes","j":"{broken"}\n',
    )
  })
  test('any table survives', async () => {
    await fc.assert(
      fc.asyncProperty(table(), async (given) => {
        const parser = new JsonParser({ name: 'x.jsonl' })
        const text = await textOf(writeJsonl(source(given)))
        expect({ rows: [...parser.push(text), ...parser.end()], columns: parser.columns }).toEqual(given)
      }),
    )
  })
})

describe('Parquet', () => {
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  const parsers = { stringFromBytes: (bytes: Uint8Array) => utf8.decode(bytes) }

  test('any table survives, over several row groups', async () => {
    await fc.assert(
      fc.asyncProperty(table(), fc.integer({ min: 1, max: 4 }), async (given, groupRows) => {
        const file = await bytesOf(writeParquet(source(given), {}, groupRows))
        const metadata = await parquetMetadataAsync(file)
        expect(metadata.row_groups).toHaveLength(Math.ceil(given.rows.length / groupRows))
        const objects = await parquetReadObjects({ file, parsers })
        expect(objects.map((row) => given.columns.map((name) => row[name] as string))).toEqual(given.rows)
      }),
      { numRuns: 50 },
    )
  })
  test('types, with null for what is empty or does not fit', async () => {
    const rows = [
      ['1.5', '-12', 'yes', 'x'],
      ['', 'many', '?', ''],
    ]
    const types = { d: 'DOUBLE', i: 'INT64', b: 'BOOLEAN' } as const
    const file = await bytesOf(writeParquet(source({ columns: ['d', 'i', 'b', 's'], rows }), types))
    expect(await parquetReadObjects({ file })).toEqual([
      { d: 1.5, i: -12n, b: true, s: 'x' },
      { d: null, i: null, b: null, s: '' },
    ])
  })
})
