// Every kind of tokenizer file on 2,000 texts: ids and decoded texts as the `tokenizers` package makes them
// (tools/golden/tokenizer_files.py).
import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Pipeline } from '../../src/data/tokenizer/pipeline.ts'
import { loadTokenizer } from '../../src/data/tokenizer.ts'

const folder = 'tests/golden/tokenizers'
const read = (name: string): unknown => JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'))
interface Golden {
  size: number
  ids: string
  plain: string
  whole: string
}
const texts = read('strings') as string[]
const goldens = read('golden') as Record<string, Golden>

/** Rows of LEB128 numbers, each after its length. */
function rowsOf(base64: string): number[][] {
  const bytes = Buffer.from(base64, 'base64')
  let at = 0
  const next = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const rows: number[][] = []
  while (at < bytes.length) rows.push(Array.from({ length: next() }, next))
  return rows
}

/** Texts whose checksums are not these. */
function different(found: string[], checksums: string): string[] {
  const expected = Buffer.from(checksums, 'base64')
  expect(expected.length).toBe(found.length * 4)
  return found.filter((text, i) => crc32(text) !== expected.readUInt32LE(i * 4))
}

test('there is something to compare', () => {
  expect(texts.length).toBe(2000)
  expect(new Set(texts).size).toBe(2000)
  expect(Object.keys(goldens).length).toBe(16)
})

describe.each(Object.entries(goldens))('%s', (name, golden) => {
  const json = read(name)
  const rows = rowsOf(golden.ids)
  const tokenizer = loadTokenizer(json, {})

  test('ids of every text', () => {
    expect(rows.length).toBe(texts.length)
    const wrong = texts.flatMap((text, i) => {
      const ids = tokenizer.encode(text)
      return ids.join() === rows[i]!.join() ? [] : [{ i, text, ids, expected: rows[i] }]
    })
    expect(wrong.slice(0, 5), `${wrong.length} differ`).toEqual([])
    expect(tokenizer.size).toBe(golden.size)
  })

  test('decoded texts, with and without special tokens', () => {
    const pipeline = new Pipeline(json)
    expect(
      different(
        rows.map((row) => pipeline.decode(row, false)),
        golden.plain,
      ),
    ).toEqual([])
    expect(
      different(
        rows.map((row) => pipeline.decode(row, true)),
        golden.whole,
      ),
    ).toEqual([])
    expect(
      different(
        rows.map((row) => tokenizer.decode(row)),
        golden.plain,
      ),
    ).toEqual([])
  })
})
