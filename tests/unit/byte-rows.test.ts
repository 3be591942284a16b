// Rows as bytes are the same rows: cut, joined, counted, and made of whatever bytes a file has.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ColumnCounter } from '../../src/data/columns.ts'
import { plainSearch, vectorSearch, WINDOW } from '../../src/formats/byteSearch.ts'
import { CsvParser } from '../../src/formats/csv.ts'
import { TextReader } from '../../src/formats/text.ts'
import { isAscii, textRows, type ByteRows } from '../../src/protocol/byteRows.ts'
import { ChunkBuilder, chunkRows } from '../../src/store/rowChunk.ts'

function bytesOf(rows: readonly (readonly string[])[], width: number): ByteRows {
  const encoder = new TextEncoder()
  const cells = rows.flat().map((cell) => encoder.encode(cell))
  let end = 0
  const ends = Uint32Array.from(cells, (cell) => (end += cell.length))
  const bytes = new Uint8Array(end)
  for (const [i, cell] of cells.entries()) bytes.set(cell, i === 0 ? 0 : ends[i - 1]!)
  return { width, bytes, ends, ascii: isAscii(bytes) }
}
const cell = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    ' a',
    'a ',
    '12',
    '1.5',
    '-3',
    '2024-05-31',
    'yes',
    '[1]',
    '{"a":1}',
    '\uFEFF',
    'é',
    '日本',
    '👍',
    '\u00a0',
  ),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.constantFrom('x', 'é').map((character) => character.repeat(300)),
)
const table = fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 40 })

test('what is copied into a chunk in parts and batches gives the same texts', () => {
  fc.assert(
    fc.property(table, fc.nat(40), fc.nat(40), (rows, a, b) => {
      const whole = bytesOf(rows, 2)
      expect(textRows(whole)).toEqual(rows)
      const [first, second] = [Math.min(a, b, rows.length), Math.min(Math.max(a, b), rows.length)]
      const chunk = new ChunkBuilder(() => undefined)
      // One batch of two parts, and one of what is left.
      if (first > 0) chunk.add(whole, 0, first)
      if (second > first) chunk.add(whole, first, second)
      expect(chunk.rows).toBe(second)
      if (second > 0) chunk.endBatch(0)
      if (rows.length > second) {
        chunk.add(whole, second, rows.length)
        chunk.endBatch(second)
      }
      const batches = chunkRows(chunk.take()!)
      expect(batches.map(({ start }) => start)).toEqual([
        ...(second > 0 ? [0] : []),
        ...(rows.length > second ? [second] : []),
      ])
      expect(batches.flatMap((batch) => textRows(batch as ByteRows))).toEqual(rows)
    }),
  )
})

test('plain bytes are told from others wherever they lie', () => {
  const ways = [isAscii, vectorSearch()!.isAscii]
  const bytes = new Uint8Array(40_000).fill(0x41)
  for (const place of [0, 1, 2, 3, 4, 7, 17_000, 39_999]) {
    bytes[place] = 0xc3
    for (const from of [0, 1, 2, 3])
      for (const to of [place, place + 1, 40_000])
        if (to >= from)
          for (const told of ways) expect(told(bytes.subarray(from, to))).toBe(place < from || place >= to)
    bytes[place] = 0x41
  }
  for (let length = 0; length < 40; length++)
    for (const told of ways) expect(told(bytes.subarray(3, 3 + length))).toBe(true)
})

describe('a column of bytes is counted like one of texts', () => {
  const profiles = (rows: [string, string][]) =>
    [0, 1].map((place) => {
      const [one, other] = [new ColumnCounter('a', 0, true), new ColumnCounter('a', 0, true)]
      for (const row of rows) one.add(row[place]!)
      const all = bytesOf(rows, 2)
      for (let at = 0; at < rows.length; at += 7)
        other.addBytes(all, place, at, Math.min(at + 7, rows.length))
      expect(other.categories(rows.length)).toEqual(one.categories(rows.length))
      return [other.profile(), one.profile()]
    })
  test('any cells', () => {
    fc.assert(
      fc.property(table, (rows) => {
        for (const [bytes, texts] of profiles(rows)) expect(bytes).toEqual(texts)
      }),
    )
  })
  test('more values than are told apart, and types that end late', () => {
    const rows = Array.from({ length: 10_500 }, (_, i): [string, string] => [
      `${i}`,
      i < 10_400 ? `${i}.5` : 'é',
    ])
    for (const [bytes, texts] of profiles(rows)) expect(bytes).toEqual(texts)
  })
})

test('marks are found alike sixteen at a time and one by one', () => {
  const [vectors, plain] = [vectorSearch()!, plainSearch()]
  const byte = fc.constantFrom(0x2c, 0x22, 0x0a, 0x0d, 0x3b, 0x41, 0x00, 0xff, 0xac, 0x8d)
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.array(byte, { maxLength: 100 }))
  fc.assert(
    fc.property(bytes, fc.nat(40), fc.nat(20), byte, byte, (given, from, less, delimiter, quote) => {
      const all = Uint8Array.from(given)
      const start = Math.min(from, all.length)
      const end = Math.max(start, all.length - less)
      const found = [vectors, plain].map((search) => [
        ...search.places.slice(0, search.marks(all, start, end, delimiter, quote)),
      ])
      expect(found[0]).toEqual(found[1])
      const marks = [delimiter, quote, 0x0a, 0x0d]
      expect(found[1]).toEqual(
        [...all.keys()].filter((at) => at >= start && at < end && marks.includes(all[at]!)),
      )
    }),
    { numRuns: 300 },
  )
  // A full window, every byte of it a mark.
  const full = new Uint8Array(WINDOW + 5).fill(0x0a)
  expect(vectors.marks(full, 5, WINDOW + 5, 0x2c, 0x22)).toBe(WINDOW)
  expect([vectors.places[0], vectors.places[WINDOW - 1]]).toEqual([5, WINDOW + 4])
})

test('bytes that are no UTF-8 give the same rows however they are cut', () => {
  const junk = fc.array(
    fc.constantFrom(0x41, 0x2c, 0x0a, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x91, 0x8d, 0xff, 0xe0, 0x80),
    {
      minLength: 1,
      maxLength: 60,
    },
  )
  const head = `a,b\n${'x,y\n'.repeat(20_000)}`
  fc.assert(
    fc.property(junk, fc.integer({ min: 1, max: 5 }), (tail, pieceBytes) => {
      const start = new TextEncoder().encode(head)
      const bytes = new Uint8Array([...start, ...tail])
      const expected = new TextDecoder().decode(Uint8Array.from(tail))
      const reader = new TextReader('test.csv', 'utf-8')
      const pieces = [reader.push(start)]
      for (let at = start.length; at < bytes.length; at += pieceBytes)
        pieces.push(reader.push(bytes.subarray(at, at + pieceBytes)))
      pieces.push(reader.end())
      expect(
        pieces
          .slice(1)
          .map((piece) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(piece))
          .join(''),
      ).toBe(expected)
      const read = (given: Uint8Array[]): string[][] => {
        const parser = new CsvParser({ delimiter: ',' })
        return [...given.flatMap((piece) => textRows(parser.push(piece))), ...textRows(parser.end())]
      }
      expect(read(pieces).slice(20_000)).toEqual(
        read([new TextEncoder().encode(head + expected)]).slice(20_000),
      )
    }),
    { numRuns: 20 },
  )
})
