// The bytes of a file in pieces: all of them, in any kind of browser; and whoever reads them keeps nothing of a piece that it gave back.
import { expect, test } from 'vitest'
import { textRows } from '../../src/protocol/byteRows.ts'
import { fileRows, newReading, type SourceOptions } from '../../workers/import/source.ts'
import { PIECE_BYTES, pieces, type Spare } from '../../workers/import/pieces.ts'

const random = (length: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i, 2654435761) >>> 13) & 0xff)

/** A file of a browser whose files are no byte streams. */
function unstreamed(file: Blob): Blob {
  return Object.assign(file, { stream: () => new ReadableStream() })
}

async function all(file: Blob, spare?: Spare): Promise<{ lengths: number[]; bytes: Buffer }> {
  const found: Uint8Array[] = []
  for await (const piece of pieces(file, spare)) found.push(piece.slice())
  return { lengths: found.map(({ length }) => length), bytes: Buffer.concat(found) }
}

test.each([0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2.5 * PIECE_BYTES])(
  'all of %i bytes come, by either way',
  async (size) => {
    const bytes = random(size)
    const lengths = Array.from({ length: Math.ceil(size / PIECE_BYTES) }, (_, i) =>
      Math.min(PIECE_BYTES, size - i * PIECE_BYTES),
    )
    for (const file of [new Blob([bytes]), unstreamed(new Blob([bytes]))]) {
      const found = await all(file)
      expect(found.lengths).toEqual(lengths)
      expect(found.bytes.equals(bytes)).toBe(true)
    }
  },
)

test('buffers that come back are filled anew', async () => {
  const bytes = random(3.5 * PIECE_BYTES)
  const free: ArrayBuffer[] = []
  const found: Uint8Array[] = []
  for await (const piece of pieces(new Blob([bytes]), () => free.pop())) {
    found.push(piece.slice())
    free.push(piece.buffer)
  }
  expect(Buffer.concat(found).equals(bytes)).toBe(true)
  // There was only one, which moved on from read to read.
  expect(free.length).toBe(1)
})

test('a file that has become shorter is told by its name', async () => {
  const file = Object.assign(new File([`a,b\n${'1,2\n'.repeat(10)}`], 'rows.csv'), {})
  Object.defineProperty(file, 'slice', {
    value: () => Object.defineProperty(new Blob(['a,b\n1,2\n']), 'size', { value: 1000 }),
  })
  const rows = fileRows(file, { onProblem: () => undefined }, newReading())
  await expect(rows.next()).rejects.toMatchObject({
    code: 'E_NOT_FOUND',
    message:
      'rows.csv can no longer be read: it was changed, moved or removed after it was chosen. Choose it again.',
    details: { file: 'rows.csv' },
  })
})

const line = (i: number): string => `${i},"Größe ""${i}"", naïve",${'x'.repeat(i % 50)}\n`
const table = (rows: number): string =>
  `id,text,more\n${Array.from({ length: rows }, (_, i) => line(i)).join('')}`

test.each([
  ['of a few rows', table(5), 'utf-8'],
  ['of one piece', table(10_000), 'utf-8'],
  ['of some pieces', table(40_000), 'utf-8'],
  ['in UTF-16', table(20_000), 'utf-16le'],
  // Of 65,536 bytes, enough for its encoding to be told; without their mark too few for its delimiter.
  ['with a mark', `\ufeffid,texts\n${'1,x\n'.repeat(16_381)}`, 'utf-8'],
] as const)(
  'a table %s is read alike where each piece is overwritten once it is given back',
  async (_, text, encoding) => {
    const bytes = Buffer.from(text, encoding === 'utf-16le' ? 'utf16le' : 'utf8')
    const read = async (options: Partial<SourceOptions>): Promise<string[][]> => {
      const found: string[][] = []
      const rows = fileRows(
        new File([bytes], 'rows.csv'),
        { onProblem: (problem) => expect(problem).toBeNull(), encoding, ...options },
        newReading(),
      )
      for await (const some of rows) found.push(...textRows(some).map((row) => [...row]))
      return found
    }
    const onRead = (piece: Uint8Array): Promise<void> => Promise.resolve(void piece.fill(0x2c))
    const kept = await read({})
    expect(kept.length).toBe(text.split('\n').length - 2)
    expect(await read({ onRead })).toEqual(kept)
  },
)
