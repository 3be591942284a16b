// Splits by strata, group, time and folds: exact where they must be, and near where only whole groups can move.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_SPLIT, laterPart, NO_PART, partsOfFolds, splitBy } from '../../../src/data/split.ts'
import { timesOf } from '../../../src/data/times.ts'
import type { SplitConfig } from '../../../src/protocol/data.ts'

const SHARES = [0.8, 0.1, 0.1]
const config = (more: Partial<SplitConfig> = {}): SplitConfig => ({ ...DEFAULT_SPLIT, ...more })

test('strata of several columns keep their shares within one row', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('x', 'y')), { maxLength: 300 }),
      fc.nat(),
      (rows, seed) => {
        const strata = rows.map((row) => row.join('/'))
        const { parts, split } = splitBy(rows.length, config({ seed, by: ['one', 'two'] }), { strata })
        for (const stratum of new Set(strata))
          for (const [part, share] of SHARES.entries()) {
            const all = strata.filter((other) => other === stratum).length
            const found = strata.filter((other, row) => other === stratum && parts[row] === part).length
            // A stratum too small for a training row of its own gets one nevertheless.
            expect(Math.abs(found - share * all)).toBeLessThanOrEqual(1)
          }
        expect(split.rows.train + split.rows.validation + split.rows.test).toBe(rows.length)
      },
    ),
  )
})

describe('groups', () => {
  test('are never divided, and the shares are near', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 400 }),
        fc.nat(),
        (groups, seed) => {
          const { parts } = splitBy(groups.length, config({ seed, group: 'g' }), { groups })
          const partOf = new Map<number, number>()
          for (const [row, group] of groups.entries()) {
            expect(partOf.get(group) ?? parts[row]).toBe(parts[row])
            partOf.set(group, parts[row]!)
          }
          const largest = Math.max(
            ...[...partOf.keys()].map((group) => groups.filter((other) => other === group).length),
          )
          for (const [part, share] of SHARES.entries()) {
            const found = parts.filter((own) => own === part).length
            expect(Math.abs(found - share * groups.length)).toBeLessThanOrEqual(largest)
          }
        },
      ),
    )
  })

  test('single rows among groups make the shares exact', () => {
    const groups = Array.from({ length: 1000 }, (_, row) => (row < 100 ? Math.floor(row / 10) : row))
    const strata = groups.map((_, row) => (row % 2 ? 'odd' : 'even'))
    const { split } = splitBy(1000, config({ near: 0.8, stratify: 'label' }), { groups, strata })
    expect(split.rows).toEqual({ train: 800, validation: 100, test: 100 })
  })
})

test('time: every training row is before every validation row, and that before every test row', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant(NaN)), { maxLength: 200 }),
      (values) => {
        const times = Float64Array.from(values)
        const { parts } = splitBy(values.length, config({ time: 't' }), { times })
        const of = (part: number) =>
          values.filter((value, row) => parts[row] === part && !Number.isNaN(value))
        const timed = values.filter((value) => !Number.isNaN(value)).length
        expect(Math.abs(of(1).length - 0.1 * timed)).toBeLessThan(1)
        expect(Math.abs(of(2).length - 0.1 * timed)).toBeLessThan(1)
        expect(Math.max(-1, ...of(0))).toBeLessThanOrEqual(Math.min(100, ...of(1), ...of(2)))
        expect(Math.max(-1, ...of(1))).toBeLessThanOrEqual(Math.min(100, ...of(2)))
        for (const [row, value] of values.entries()) if (Number.isNaN(value)) expect(parts[row]).toBe(0)
      },
    ),
  )
})

test('folds: each validates once, equal within one row a stratum; the test part is always the same', () => {
  const rows = 503
  const strata = Array.from({ length: rows }, (_, row) => String(row % 3))
  const { parts, folds, split } = splitBy(rows, config({ folds: 5, fold: 2 }), { strata })
  expect(parts).toEqual(partsOfFolds(folds!, 2))
  const validated = new Uint8Array(rows)
  for (let fold = 0; fold < 5; fold++) {
    const own = splitBy(rows, config({ folds: 5, fold }), { strata })
    expect(own.folds).toEqual(folds)
    own.parts.forEach((part, row) => {
      if (part === 1) validated[row]!++
      expect(part === 2).toBe(folds![row] === NO_PART)
    })
    for (const stratum of ['0', '1', '2']) {
      const size = own.parts.filter((part, row) => part === 1 && strata[row] === stratum).length
      expect(
        Math.abs(size - (0.9 / 5) * strata.filter((other) => other === stratum).length),
      ).toBeLessThanOrEqual(1)
    }
  }
  validated.forEach((times, row) => expect(times).toBe(folds![row] === NO_PART ? 0 : 1))
  expect(split.rows.test).toBeGreaterThanOrEqual(50)
})

test('a later row has its part by its number alone, in about the shares', () => {
  const counts = [0, 0, 0]
  for (let row = 0; row < 10_000; row++) counts[laterPart(SHARES, 42, row)]!++
  for (const [part, share] of SHARES.entries())
    expect(Math.abs(counts[part]! / 10_000 - share)).toBeLessThan(0.015)
  expect(laterPart(SHARES, 42, 7)).toBe(laterPart(SHARES, 42, 7))
})

test.each([
  [{ folds: 1 }],
  [{ folds: 3, fold: 3 }],
  [{ fold: 1 }],
  [{ time: 't', group: 'g' }],
  [{ near: 0.2 }],
  [{ train: 0.5 }],
])('%j is refused', (more) => {
  expect(() => splitBy(10, config(more), {})).toThrow(expect.objectContaining({ code: 'E_ARGUMENT' }))
})

test('times', () => {
  const day = (text: string) => Date.parse(`${text}T00:00:00Z`)
  expect([
    ...timesOf([
      '2024-03-01',
      '2024-03-01T12:30:15.5+02:00',
      '2024-03',
      '1700000000',
      '',
      'soon',
      '2024-02-30',
    ]),
  ]).toEqual([
    day('2024-03-01'),
    Date.parse('2024-03-01T12:30:15.500+02:00'),
    day('2024-03-01'),
    1_700_000_000,
    NaN,
    NaN,
    NaN,
  ])
  expect([...timesOf(['3/4/2024', '1/31/24'])]).toEqual([day('2024-03-04'), day('2024-01-31')])
  expect([...timesOf(['3/4/2024', '31/1/24'])]).toEqual([day('2024-04-03'), day('2024-01-31')])
  expect([...timesOf(['3.4.2024 08:05'])]).toEqual([day('2024-04-03') + 8 * 3_600_000 + 300_000])
})
