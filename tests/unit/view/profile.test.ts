// Profiles of columns against pandas (tools/golden/column_profiles.py), and what they become when memory is bounded.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HLL_ERROR, HyperLogLog } from '../../../src/data/profile/hyperLogLog.ts'
import { lengthSummary, profileTable } from '../../../src/data/profile/profiler.ts'
import { lengthsOf, NumberSeries } from '../../../src/data/profile/series.ts'
import { histogram, quantileOf, seriesSummary } from '../../../src/data/profile/summary.ts'
import { ValueCounts } from '../../../src/data/profile/values.ts'
import type { Table } from '../../../src/data/table.ts'
import type { ColumnType } from '../../../src/protocol/data.ts'
import type { ColumnProfile, NumberSummary } from '../../../src/protocol/table.ts'
import { words } from '../../../src/data/rng.ts'

interface Reference {
  missing: number
  distinct: number
  top: [string, number][]
  characters?: NumberSummary
  words?: NumberSummary
  numbers?: NumberSummary
  dates?: { count: number; earliest: string; latest: string; unit: string; bins: [number, number][] }
}
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../golden/data/profile.json'), 'utf8'),
) as { cells: Record<string, string[]>; profiles: Record<string, Reference> }

const names = Object.keys(golden.cells)
const typeOf = (name: string): ColumnType => {
  const { numbers, dates } = golden.profiles[name]!
  return numbers ? 'number' : dates ? 'date' : name === 'label' ? 'category' : 'text'
}
const rows = golden.cells.text!.map((_, row) => names.map((name) => golden.cells[name]![row]!))
const table: Table = {
  columns: names,
  rows: rows.length,
  async *batches() {
    for (let start = 0; start < rows.length; start += 150)
      yield { start, rows: rows.slice(start, start + 150) }
  },
}
const context = { signal: new AbortController().signal, progress: () => undefined }

function expectFigures(found: NumberSummary | null, wanted: NumberSummary): void {
  expect(found).not.toBeNull()
  expect([found!.count, found!.minimum, found!.maximum]).toEqual([
    wanted.count,
    wanted.minimum,
    wanted.maximum,
  ])
  expect(Math.abs(found!.mean / wanted.mean - 1)).toBeLessThan(1e-12)
  // pandas' deviation of 1e9 + a thousandth is exact to about six digits itself.
  expect(Math.abs(found!.deviation - wanted.deviation)).toBeLessThanOrEqual(
    (wanted.mean > 1e8 ? 1e-4 : 1e-12) * wanted.deviation,
  )
  for (const [i, { q, value }] of wanted.quantiles.entries()) {
    expect(found!.quantiles[i]!.q).toBe(q)
    expect(Math.abs(found!.quantiles[i]!.value - value)).toBeLessThanOrEqual(1e-12 * Math.abs(value))
  }
}

describe('profiles equal those of pandas', async () => {
  const profiles = new Map<string, ColumnProfile>(
    (
      await profileTable(
        table,
        names.map((name) => ({ name, type: typeOf(name) })),
        context,
      )
    ).map((each) => [each.name, each]),
  )
  it.each(names)('%s', (name) => {
    const found = profiles.get(name)!
    const wanted = golden.profiles[name]!
    expect([found.rows, found.missing, found.unread]).toEqual([400, wanted.missing, 0])
    expect(found.distinct).toEqual({ count: wanted.distinct, exact: true, error: 0 })
    expect(found.top.exact).toBe(true)
    expect(found.top.values.map(({ value, count }) => [value, count])).toEqual(
      wanted.top.map(([value, count]) => [value.length > 160 ? `${value.slice(0, 160)}…` : value, count]),
    )
    if (wanted.numbers) {
      expectFigures(found.numbers, wanted.numbers)
      const values = golden.cells[name]!.filter((cell) => cell.trim()).map(Number)
      expectBins(found.numbers!, values)
    } else expect(found.numbers).toBeNull()
    if (wanted.characters) expectFigures(found.characters, wanted.characters)
    if (wanted.words) expectFigures(found.words, wanted.words)
    if (wanted.dates) {
      const { bins, earliest, latest, ...rest } = found.dates!
      expect(rest).toEqual({ count: wanted.dates.count, unit: wanted.dates.unit })
      expect([Date.parse(earliest), Date.parse(latest)]).toEqual([
        Date.parse(`${wanted.dates.earliest}Z`),
        Date.parse(`${wanted.dates.latest}Z`),
      ])
      expect(bins.filter(({ count }) => count).map(({ from, count }) => [from, count])).toEqual(
        wanted.dates.bins,
      )
      // Bins without rows are there too, so that time runs evenly.
      expect(bins.every(({ from }, i) => i === 0 || from > bins[i - 1]!.from)).toBe(true)
    } else expect(found.dates).toBeNull()
  })
})

/** The bins hold exactly the values between their edges. */
function expectBins(
  { histogram: { edges, counts } }: Pick<NumberSummary, 'histogram'>,
  values: number[],
): void {
  expect(counts).toHaveLength(edges.length - 1)
  const expected = counts.map((_, i) => {
    const last = i === counts.length - 1
    return values.filter(
      (value) => value >= edges[i]! && (value < edges[i + 1]! || (last && value === edges[i + 1])),
    ).length
  })
  expect(counts).toEqual(expected)
  expect(counts.reduce((a, b) => a + b)).toBe(values.length)
}

describe('bins', () => {
  it('hold every value, whatever the values', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, min: -1e6, max: 1e6 }),
      fc.integer({ min: -100, max: 100 }),
    )
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 60 }), (values) => {
        const series = new NumberSeries(1000)
        for (const value of values) series.add(value)
        expectBins(seriesSummary(series)!, values)
      }),
    )
  })
  it('whole numbers of a small range have a bin each; far values share the last one', () => {
    const few = Float64Array.from([1, 1, 2, 5])
    expect(histogram({ values: few, weights: null }, 4, 1, 5)).toEqual({
      edges: [0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
      counts: [2, 1, 0, 0, 1],
    })
    const tailed = Float64Array.from([...Array.from({ length: 999 }, (_, i) => i), 1e6])
    const { edges, counts } = histogram({ values: tailed, weights: null }, 1000, 0, 1e6)
    expect(edges.at(-1)).toBe(1e6)
    expect(edges.at(-2)).toBeLessThan(3000)
    expect(counts.at(-1)).toBe(1)
    expect(counts.length).toBeLessThan(60)
  })
})

describe('beyond what is counted one by one', () => {
  it('the number of different values is estimated to within four standard errors', () => {
    for (const n of [100, 10_000, 40_000, 300_000]) {
      const sketch = new HyperLogLog()
      for (let i = 0; i < n; i++) {
        sketch.add(`value ${i}`)
        if (i % 3 === 0) sketch.add(`value ${i}`)
      }
      expect(Math.abs(sketch.estimate() / n - 1)).toBeLessThan(4 * HLL_ERROR)
    }
    expect(new HyperLogLog().estimate()).toBe(0)
  })
  it('frequent values keep a lower bound that is off by little', () => {
    const values = new ValueCounts(100)
    const truth = new Map<string, number>()
    const random = words({ seed: 1, purpose: 'noise' }, 20_000)
    for (const draw of random) {
      const value = draw % 4 === 0 ? `often ${draw % 12}` : `rare ${draw}`
      truth.set(value, (truth.get(value) ?? 0) + 1)
      values.add(value)
    }
    const { values: top, exact } = values.top(3)
    expect(exact).toBe(false)
    expect(new Set(top.map(({ value }) => value))).toEqual(new Set(['often 0', 'often 4', 'often 8']))
    for (const { value, count } of top) {
      expect(count).toBeLessThanOrEqual(truth.get(value)!)
      expect(count).toBeGreaterThan(truth.get(value)! - 20_000 / 50)
    }
    const { count, exact: counted, error } = values.distinct()
    expect([counted, error]).toEqual([false, HLL_ERROR])
    expect(Math.abs(count / truth.size - 1)).toBeLessThan(4 * HLL_ERROR)
  })
  it('long values are told apart by all their letters', () => {
    const values = new ValueCounts()
    for (const end of ['a', 'b', 'a']) values.add('x'.repeat(500) + end)
    expect(values.distinct().count).toBe(2)
    expect(values.top(1).values).toEqual([{ value: `${'x'.repeat(160)}…`, count: 2 }])
  })
  it('quantiles of a sketch are off by less than half a per cent of the ranks', () => {
    const n = 200_000
    const sketch = new NumberSeries(1000)
    const exact = new NumberSeries(n)
    for (const word of words({ seed: 2, purpose: 'noise' }, n)) {
      const value = (word / 2 ** 32) ** 3
      sketch.add(value)
      exact.add(value)
    }
    expect([sketch.exact, exact.exact]).toEqual([false, true])
    expect(sketch.sorted().values.length).toBeLessThan(20_000)
    for (const q of [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]) {
      const rank = quantileOf(sketch.sorted(), q) ** (1 / 3)
      expect(Math.abs(rank - q)).toBeLessThan(0.005)
    }
    const [about, truth] = [seriesSummary(sketch)!, seriesSummary(exact)!]
    expect([about.mean, about.deviation, about.maximum]).toEqual([truth.mean, truth.deviation, truth.maximum])
    expect(about.histogram.counts.reduce((a, b) => a + b) / n).toBeCloseTo(1, 2)
  })
  it('lengths: code points and words', () => {
    expect(lengthsOf('a 🙂b\u00a0c')).toEqual({ characters: 6, words: 3 })
    expect(lengthsOf('')).toEqual({ characters: 0, words: 0 })
    expect(lengthSummary([])).toBeNull()
    expect(lengthSummary([3, 5, 5])!.quantiles[4]).toEqual({ q: 0.5, value: 5 })
  })
})
