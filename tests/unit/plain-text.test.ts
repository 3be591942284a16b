// Texts as rows: the same for every size of pieces, and nothing of the text is lost.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PlainTextParser, type PlainTextOptions } from '../../src/formats/plainText.ts'

function read(text: string, options: PlainTextOptions = {}, size = Infinity): string[] | string {
  const parser = new PlainTextParser(options)
  const out: string[] = []
  try {
    for (let at = 0; at < text.length; at += size) out.push(...parser.push(text.slice(at, at + size)).flat())
    return [...out, ...parser.end().flat()]
  } catch (error) {
    return (error as { code: string }).code
  }
}
const words = (texts: string[]): string[] =>
  texts.flatMap((text) => text.split(/\s+/)).filter((word) => word !== '')
const piece = fc.constantFrom(
  'word',
  'a',
  ' ',
  '\n',
  '\n\n',
  '\r\n',
  '\r',
  '# Head',
  '```',
  '\t',
  '漢字',
  '👍',
  '.',
)

describe('plain text', () => {
  test('the same rows for every size of pieces, and every word of the text once', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.integer({ min: 1, max: 64 }),
        fc.constantFrom('paragraph', 'document', 'window'),
        (parts, size, unit) => {
          const text = parts.join('')
          const options = { unit, windowSize: 4 } as const
          const whole = read(text, options)
          expect(read(text, options, size)).toEqual(whole)
          if (typeof whole === 'string') expect([whole, text.trim()]).toEqual(['E_NOT_A_TABLE', ''])
          else expect(words(whole).join('')).toEqual(words([text]).join(''))
        },
      ),
      { numRuns: 1000 },
    )
  })
  test('windows are as large as asked, and overlap as asked', () => {
    const text = Array.from({ length: 100 }, (_, i) => `w${i}`).join(' ')
    for (const [windowSize, overlap] of [
      [7, 0],
      [7, 3],
      [100, 0],
      [99, 98],
      [1, 0],
    ] as const) {
      const windows = (read(text, { unit: 'window', windowSize, overlap }) as string[]).map((row) =>
        row.split(' '),
      )
      for (const window of windows.slice(0, -1)) expect(window).toHaveLength(windowSize)
      for (const [i, window] of windows.slice(1).entries())
        expect(window.slice(0, overlap)).toEqual(overlap === 0 ? [] : windows[i]!.slice(-overlap))
      expect(windows.at(-1)!.at(-1)).toBe('w99')
    }
  })
  test('what words weigh is what counts', () => {
    const rows = read('aa b ccc d', { unit: 'window', windowSize: 3, weigh: (word) => word.trim().length })
    expect(rows).toEqual(['aa b', 'ccc', 'd'])
  })
  test('a text longer than a cell is cut, and told', () => {
    const problems: string[] = []
    const rows = read(
      'x'.repeat(3_000_000),
      { unit: 'document', onProblem: ({ kind }) => problems.push(kind) },
      1 << 16,
    )
    expect([(rows as string[]).map(({ length }) => length), problems]).toEqual([[1_000_000], ['limit']])
  })
})
