// Words counted beside labels: exact as long as all fit, and no more than the limits where they do not.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LabelledWords, WORDS_KEPT } from '../../../src/data/health/labelledWords.ts'

it('are counted as a plain list counts them', () => {
  const row = fc.record({
    words: fc.array(fc.constantFrom<string>('a', 'b', 'c', 'the', 'refund', 'parcel'), { maxLength: 8 }),
    label: fc.constantFrom(0, 1, 7, 4999),
  })
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), (rows) => {
      const counted = new LabelledWords()
      for (const [i, { words, label }] of rows.entries()) counted.add(words, label, i)
      const met = [...new Set(rows.flatMap(({ words }) => words))]
      const known = counted.words()
      expect(known.map(({ text }) => text)).toEqual(met)
      for (const word of known) {
        const has = rows.filter(({ words }) => words.includes(word.text))
        expect(word.rows).toBe(has.length)
        expect(word.total).toBe(
          rows.flatMap(({ words }) => words).filter((text) => text === word.text).length,
        )
        for (const label of [0, 1, 2, 7, 4999]) {
          const of = has.filter((one) => one.label === label)
          const times = of.flatMap(({ words }) => words).filter((text) => text === word.text).length
          expect(counted.of(word, label)).toEqual({ times, rows: of.length })
        }
      }
    }),
  )
})

it('of more words than are kept the rarest go, also within one row', () => {
  const counted = new LabelledWords()
  for (let row = 0; row < 100; row++) counted.add(['often', 'always'], row % 2, row)
  const many = Array.from({ length: 5 * WORDS_KEPT }, (_, i) => `word${i}`)
  counted.add(many, 1, 100)
  const known = counted.words()
  expect(known.length).toBeLessThanOrEqual(WORDS_KEPT)
  expect(known.slice(0, 2).map(({ text, total }) => [text, total])).toEqual([
    ['often', 100],
    ['always', 100],
  ])
  expect(counted.of(known[0]!, 1)).toEqual({ times: 50, rows: 50 })
})

it('of more pairs with labels than are kept those of the rarest words go', () => {
  const limit = 20_000
  const counted = new LabelledWords(limit)
  let most = 0
  for (let row = 0; row < 30_000; row++) {
    // Word n comes up every n-th row, under ever other labels.
    const words = Array.from({ length: 40 }, (_, n) => n + 1).filter((n) => row % n === 0)
    counted.add(
      words.map((n) => `word${n}`),
      (row * 7919) % 5000,
      row,
    )
    most = Math.max(most, counted.cells)
  }
  expect(most).toBeLessThanOrEqual(limit)
  const known = counted.words()
  expect(known[0]).toMatchObject({ text: 'word1', total: 30_000, rows: 30_000 })
  expect(counted.of(known[0]!, 7919 % 5000)).toEqual({ times: 6, rows: 6 })
  // The rarest was forgotten, and counted anew from where it came up next.
  expect(known.find(({ text }) => text === 'word40')?.total ?? 0).toBeLessThan(30_000 / 40)
})
