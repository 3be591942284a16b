// A distribution in figures and bins, from values in order.
import type { DateSummary, Histogram, NumberSummary } from '../../protocol/table.ts'
import type { NumberSeries, Weighted } from './series.ts'

export const QUANTILES = [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1]
/** Bins aimed at; nice edges may make a few more. */
const BINS = 24
/** Values further out than this many times the middle 98 % share one bin at the end. */
const TAIL = 1.5

/** The summary of a series of numbers, or null where there are none. */
export function seriesSummary(series: NumberSeries): NumberSummary | null {
  if (series.count === 0) return null
  const sorted = series.sorted()
  const { count, minimum, maximum, mean, deviation, exact } = series
  const quantile = (q: number) => (q === 0 ? minimum : q === 1 ? maximum : quantileOf(sorted, q))
  return {
    count,
    minimum,
    maximum,
    mean,
    deviation,
    quantiles: QUANTILES.map((q) => ({ q, value: quantile(q) })),
    exact,
    histogram: histogram(sorted, count, minimum, maximum),
  }
}

/** The summary of counted whole numbers, or null where there are none. */
export function countsSummary(sorted: Weighted): NumberSummary | null {
  const { values } = sorted
  if (values.length === 0) return null
  const count = totalOf(sorted)
  let mean = 0
  for (let i = 0; i < values.length; i++) mean += values[i]! * (weightOf(sorted, i) / count)
  let squares = 0
  for (let i = 0; i < values.length; i++) squares += weightOf(sorted, i) * (values[i]! - mean) ** 2
  const minimum = values[0]!
  const maximum = values.at(-1)!
  return {
    count,
    minimum,
    maximum,
    mean,
    deviation: count > 1 ? Math.sqrt(squares / (count - 1)) : 0,
    quantiles: QUANTILES.map((q) => ({ q, value: quantileOf(sorted, q) })),
    exact: true,
    histogram: histogram(sorted, count, minimum, maximum),
  }
}

/** By linear interpolation between the two values around (n - 1) q. */
export function quantileOf(sorted: Weighted, q: number): number {
  const { values } = sorted
  const at = (totalOf(sorted) - 1) * q
  const below = valueAt(sorted, Math.floor(at))
  const above = valueAt(sorted, Math.min(Math.ceil(at), totalOf(sorted) - 1))
  return values.length === 0 ? NaN : below + (above - below) * (at - Math.floor(at))
}

/** Bins between round edges; single whole numbers where these are few. Far values share the first or the last bin. */
export function histogram(sorted: Weighted, count: number, minimum: number, maximum: number): Histogram {
  const edges = edgesOf(sorted, minimum, maximum)
  const counts = new Array<number>(edges.length - 1).fill(0)
  let bin = 0
  for (let i = 0; i < sorted.values.length; i++) {
    const value = sorted.values[i]!
    while (bin < counts.length - 1 && value >= edges[bin + 1]!) bin++
    counts[bin]! += weightOf(sorted, i)
  }
  // A sketch's weights add up to nearly all numbers.
  const total = totalOf(sorted)
  return {
    edges,
    counts: total === count ? counts : counts.map((each) => Math.round((each * count) / total)),
  }
}

function edgesOf(sorted: Weighted, minimum: number, maximum: number): number[] {
  if (minimum === maximum) return [minimum - 0.5, minimum + 0.5]
  const whole = sorted.values.every((value) => Number.isInteger(value))
  if (whole && maximum - minimum < BINS + 6)
    return Array.from({ length: maximum - minimum + 2 }, (_, i) => minimum - 0.5 + i)
  const low = quantileOf(sorted, 0.01)
  const high = quantileOf(sorted, 0.99)
  const reach = (high - low) * TAIL
  const from = reach > 0 && minimum < low - reach ? low - reach / 3 : minimum
  const to = reach > 0 && maximum > high + reach ? high + reach / 3 : maximum
  const step = niceStep((to - from) / BINS, whole)
  const first = Math.floor(from / step)
  const last = Math.max(first + 1, Math.floor(to / step) + 1)
  // Multiples, not sums, so that 0.1 + 0.2 shows as 0.3.
  const edges = Array.from({ length: last - first + 1 }, (_, i) => multiple(first + i, step))
  if (minimum < edges[0]!) edges.unshift(minimum)
  if (maximum > edges.at(-1)!) edges.push(maximum)
  return edges
}

/** The next of 1, 2 and 5 times a power of ten. */
function niceStep(wanted: number, whole: boolean): number {
  const power = 10 ** Math.floor(Math.log10(wanted))
  const factor = [1, 2, 5, 10].find((each) => each * power >= wanted * 0.999)!
  return whole ? Math.max(1, factor * power) : factor * power
}

function multiple(times: number, step: number): number {
  return step < 1 ? times / Math.round(1 / step) : times * step
}

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** Longest stretch of time, in days, for each unit: about a hundred bins at most. */
const UNITS: [DateSummary['unit'], number][] = [
  ['hour', 4],
  ['day', 92],
  ['week', 740],
  ['month', 3660],
  ['quarter', 11_000],
]
/** Longer stretches of empty bins than this are left out: a date of the year 1 among those of today. */
const EMPTY_BINS = 200

/** Dates over time, in bins of a unit that suits their stretch. */
export function dateSummary(series: NumberSeries): DateSummary | null {
  if (series.count === 0) return null
  const { minimum, maximum, count } = series
  const days = (maximum - minimum) / DAY
  const unit = UNITS.find(([, most]) => days <= most)?.[0] ?? 'year'
  const sorted = series.sorted()
  const total = totalOf(sorted)
  const bins: DateSummary['bins'] = []
  for (let i = 0; i < sorted.values.length; i++) {
    const from = startOf(sorted.values[i]!, unit)
    let last = bins.at(-1)
    if (last && last.from !== from) {
      const empty: DateSummary['bins'] = []
      for (
        let next = after(last.from, unit);
        next < from && empty.length <= EMPTY_BINS;
        next = after(next, unit)
      )
        empty.push({ from: next, count: 0 })
      if (empty.length <= EMPTY_BINS) bins.push(...empty)
      last = undefined
    }
    if (!last) bins.push({ from, count: 0 })
    bins.at(-1)!.count += weightOf(sorted, i)
  }
  return {
    count,
    earliest: new Date(minimum).toISOString(),
    latest: new Date(maximum).toISOString(),
    unit,
    bins:
      total === count
        ? bins
        : bins.map((bin) => ({ ...bin, count: Math.round((bin.count * count) / total) })),
  }
}

function startOf(time: number, unit: DateSummary['unit']): number {
  const date = new Date(time)
  const year = date.getUTCFullYear()
  const month = date.getUTCMonth()
  switch (unit) {
    case 'hour':
      return Math.floor(time / HOUR) * HOUR
    case 'day':
      return Math.floor(time / DAY) * DAY
    case 'week':
      // The first day of 1970 was a Thursday; weeks begin on Monday.
      return (Math.floor((time / DAY + 3) / 7) * 7 - 3) * DAY
    case 'month':
      return startOfMonth(year, month)
    case 'quarter':
      return startOfMonth(year, month - (month % 3))
    case 'year':
      return startOfMonth(year, 0)
    default:
      return unit satisfies never
  }
}

/** The start of the next bin: some time inside it, taken back to its start. */
function after(start: number, unit: DateSummary['unit']): number {
  const days = { hour: 1 / 24, day: 1, week: 7, month: 40, quarter: 100, year: 370 }[unit]
  return startOf(start + days * DAY, unit)
}

function startOfMonth(year: number, month: number): number {
  return new Date(0).setUTCFullYear(year, month, 1)
}

function totalOf({ values, weights }: Weighted): number {
  return weights ? weights.reduce((sum, weight) => sum + weight, 0) : values.length
}

function weightOf({ weights }: Weighted, i: number): number {
  return weights ? weights[i]! : 1
}

function valueAt({ values, weights }: Weighted, rank: number): number {
  if (!weights) return values[rank]!
  for (let i = 0, end = 0; i < values.length; i++) if (rank < (end += weights[i]!)) return values[i]!
  return values.at(-1)!
}
