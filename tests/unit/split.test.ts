// Splits: shares to within a row in every stratum and overall, the same for the same seed.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_SPLIT, splitRows } from '../../src/data/split.ts'
import { SPLIT_NAMES } from '../../src/protocol/data.ts'

const sizesOf = (parts: Uint8Array, rows: number[]): number[] =>
  [0, 1, 2].map((part) => rows.filter((row) => parts[row] === part).length)

describe('splitRows', () => {
  test('default shares of 1,000 rows', () => {
    const { split, parts } = splitRows(1000, DEFAULT_SPLIT, null)
    expect(split).toEqual({
      train: 0.8,
      validation: 0.1,
      test: 0.1,
      seed: 42,
      rows: { train: 800, validation: 100, test: 100 },
    })
    expect(sizesOf(parts, [...parts.keys()])).toEqual([800, 100, 100])
  })

  test('the seed decides, and nothing else', () => {
    const strata = Array.from({ length: 500 }, (_, i) => 'abc'[i % 3]!)
    const one = splitRows(500, { ...DEFAULT_SPLIT, stratify: 'x' }, strata).parts
    expect(splitRows(500, { ...DEFAULT_SPLIT, stratify: 'x' }, strata).parts).toEqual(one)
    expect(splitRows(500, { ...DEFAULT_SPLIT, seed: 43 }, strata).parts).not.toEqual(one)
    expect(Array.from(one.slice(0, 100))).not.toEqual(Array.from({ length: 100 }, () => one[0]))
  })

  test('many small strata still give every part its share', () => {
    const strata = Array.from({ length: 500 }, (_, i) => `label ${i % 100}`)
    expect(splitRows(500, DEFAULT_SPLIT, strata).split.rows).toEqual({ train: 400, validation: 50, test: 50 })
  })

  test('a stratum of one row is for training', () => {
    const { parts } = splitRows(102, DEFAULT_SPLIT, [
      'once',
      ...Array.from({ length: 100 }, () => 'often'),
      'rare',
    ])
    expect([parts[0], parts[101]]).toEqual([0, 0])
  })

  test('parts may be left out, rows may be none', () => {
    expect(splitRows(10, { train: 1, validation: 0, test: 0, seed: 1 }, null).split.rows).toEqual({
      train: 10,
      validation: 0,
      test: 0,
    })
    expect(splitRows(0, DEFAULT_SPLIT, null).parts.length).toBe(0)
  })

  test.each([
    [{ train: 0.5 }, /add up to 0.7/],
    [{ train: -0.1, validation: 1 }, /train rows must be from 0 to 1/],
    [{ train: NaN }, /train/],
    [{ train: 0, validation: 0.9 }, /for training/],
    [{ seed: 1.5 }, /seed/],
  ])('%j is refused', (given, message) => {
    expect(() => splitRows(10, { ...DEFAULT_SPLIT, ...given }, null)).toThrow(
      expect.objectContaining({ code: 'E_ARGUMENT', message: expect.stringMatching(message) as string }),
    )
  })

  test('property: shares within one row in every stratum, every row in one part', () => {
    const shares = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.nat(20), fc.nat(20)).map(([a, b, c]) => {
      const sum = a + b + c
      return { train: a / sum, validation: b / sum, test: c / sum }
    })
    fc.assert(
      fc.property(
        shares,
        fc.nat(0xffffffff),
        fc.array(fc.constantFrom('a', 'b', 'c', '__proto__', ''), { maxLength: 200 }),
        (share, seed, strata) => {
          const { parts, split } = splitRows(strata.length, { ...share, seed }, strata)
          for (const stratum of new Set(strata)) {
            const rows = strata.flatMap((value, row) => (value === stratum ? [row] : []))
            for (const [part, size] of sizesOf(parts, rows).entries())
              expect(Math.abs(size - share[SPLIT_NAMES[part]!] * rows.length)).toBeLessThanOrEqual(1)
          }
          expect(split.rows.train + split.rows.validation + split.rows.test).toBe(strata.length)
          expect(splitRows(strata.length, { ...share, seed }, strata).parts).toEqual(parts)
        },
      ),
    )
  })
})
