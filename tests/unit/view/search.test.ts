// The search index against a plain scan: random tables and queries, small segments and a vocabulary that overflows.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IndexBuilder, settle } from '../../../src/data/search/index.ts'
import { hitsIn, matches, parseQuery } from '../../../src/data/search/query.ts'
import { Vocabulary } from '../../../src/data/search/vocabulary.ts'
import { eachWord, WORD_LIMIT, wordsOf } from '../../../src/data/search/words.ts'

const word = fc.oneof(
  fc.constantFrom(
    'a',
    'ab',
    'abc',
    'abcd',
    'abce',
    'Café',
    'CAFE',
    'naïve',
    '北京',
    'Straße',
    'e-mail',
    "don't",
  ),
  fc.string({ minLength: 1, maxLength: 5 }),
  fc.string({ unit: fc.constantFrom('a', 'b', 'ç', 'D'), minLength: 30, maxLength: 36 }),
)
const cell = fc.array(word, { maxLength: 5 }).map((words) => words.join(' '))
const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 30 })
const query = fc
  .array(
    fc
      .tuple(fc.constantFrom('', '', '-'), fc.constantFrom('', '"'), word)
      .map(([minus, quote, text]) => `${minus}${quote}${text}${quote}`),
    { minLength: 1, maxLength: 3 },
  )
  .map((parts) => parts.join(' '))

describe('the index', () => {
  it.each([
    { name: 'one segment', limit: 1000, segmentWords: 1 << 20 },
    { name: 'many segments', limit: 1000, segmentWords: 4 },
    { name: 'a vocabulary that overflows', limit: 3, segmentWords: 9 },
  ])('$name: finds what a scan finds', ({ limit, segmentWords }) => {
    fc.assert(
      fc.property(table, query, (rows, text) => {
        const builder = new IndexBuilder({ vocabulary: new Vocabulary(limit), segmentWords })
        for (const cells of rows) builder.add(2, (column) => cells[column]!)
        const index = builder.finish()
        const terms = parseQuery(text)
        const found = terms.map((term) => {
          const candidates = index.candidates(term)
          for (const [row, cells] of rows.entries())
            if (candidates[row] === 2) settle(candidates, row, cells, term)
          return candidates
        })
        for (const [row, cells] of rows.entries())
          expect(found.every((each, i) => (each[row] === 1) !== terms[i]!.not)).toBe(matches(cells, terms))
      }),
      { numRuns: 400 },
    )
  })

  it('the quick way to words gives the words of the slow one', () => {
    fc.assert(
      fc.property(fc.oneof(cell, fc.string({ unit: 'binary' })), (text) => {
        const room = new Uint16Array(WORD_LIMIT)
        const quick: string[] = []
        eachWord(text, room, (length) => quick.push(String.fromCharCode(...room.subarray(0, length))))
        expect(quick).toEqual(
          Array.from(wordsOf(text), ({ text }) => text.slice(0, WORD_LIMIT)).filter((text) => text !== ''),
        )
      }),
    )
  })

  it('knows its size', () => {
    const builder = new IndexBuilder()
    for (let row = 0; row < 1000; row++) builder.add(1, () => `row number ${row}`)
    const index = builder.finish()
    expect(index.words).toBe(1002)
    expect(index.bytes).toBeGreaterThan(10_000)
    expect(index.candidates(parseQuery('num')[0]!).reduce((a, b) => a + b)).toBe(1000)
    expect(index.candidates(parseQuery('99')[0]!).reduce((a, b) => a + b)).toBe(11)
  })
})

describe('the query', () => {
  it('words, phrases, what must not be there', () => {
    expect(parseQuery('Lost  "My Card" -pin e-mail ! 北京')).toEqual([
      { words: ['lost'], prefix: true, not: false },
      { words: ['my', 'card'], prefix: false, not: false },
      { words: ['pin'], prefix: true, not: true },
      { words: ['e', 'mail'], prefix: true, not: false },
      { words: ['北', '京'], prefix: true, not: false },
    ])
    expect(parseQuery('?! -')).toEqual([])
    // Marks that are still open: the last word is being typed.
    expect(parseQuery('"my ca')).toEqual([{ words: ['my', 'ca'], prefix: true, not: false }])
  })
  it('marks what was found, in the letters of the cell', () => {
    const marked = (text: string, query: string) =>
      hitsIn(text, parseQuery(query)).map(([from, to]) => text.slice(from, to))
    expect(marked('Café au lait, cafés', 'cafe')).toEqual(['Café', 'café'])
    expect(marked('I lost my card. My card!', '"my card" lo')).toEqual(['lo', 'my card', 'My card'])
    expect(marked('carding card', 'card carding')).toEqual(['carding', 'card'])
    expect(marked('in 北京 today', '北京')).toEqual(['北京'])
    expect(marked('nothing', '-nothing')).toEqual([])
  })
})
