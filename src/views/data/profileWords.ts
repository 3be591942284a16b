// A column's profile in words and figures, and as tables: what stands on its card, what its charts show, and which filter
// belongs to a bar.
import { count, number, percent } from '../../charts/format.ts'
import type { Bin } from '../../charts/barChart.ts'
import type { Table } from '../../charts/csv.ts'
import type { ColumnFilter, ColumnProfile, DistinctCount, NumberSummary } from '../../protocol/table.ts'

/** What can be drawn of a column. */
export type Measure = 'values' | 'numbers' | 'dates' | 'characters' | 'words' | 'tokens'

/** The charts of a column, the most telling one first. */
export function measuresOf(profile: ColumnProfile): Measure[] {
  const repeats =
    profile.top.values.length > 0 && (profile.top.values[0]!.count > 1 || profile.distinct.count <= 20)
  const measures: [Measure, boolean][] = [
    ['numbers', profile.numbers !== null],
    ['dates', profile.dates !== null],
    ['values', repeats && profile.type !== 'text'],
    ['characters', profile.characters !== null && profile.type === 'text'],
    ['words', profile.words !== null && profile.type === 'text'],
    ['tokens', profile.tokens !== null],
    ['values', repeats && profile.type === 'text'],
  ]
  return measures.filter(([, there]) => there).map(([measure]) => measure)
}

export const MEASURE_LABELS: Record<Measure, string> = {
  values: 'Values',
  numbers: 'Numbers',
  dates: 'Over time',
  characters: 'Characters',
  words: 'Words',
  tokens: 'Tokens',
}

/** What a chart shows, as its title. */
export function titleOf(profile: ColumnProfile, measure: Measure): string {
  switch (measure) {
    case 'values':
      return 'Most frequent values'
    case 'numbers':
      return 'Distribution'
    case 'dates':
      return `Rows by ${profile.dates?.unit ?? 'time'}`
    case 'characters':
    case 'words':
    case 'tokens':
      return `Length in ${measure}`
    default:
      return measure satisfies never
  }
}

export function summaryOf(profile: ColumnProfile, measure: Measure): NumberSummary | null {
  return measure === 'values' || measure === 'dates' ? null : profile[measure]
}

export function binsOf(summary: NumberSummary): Bin[] {
  const { edges, counts } = summary.histogram
  return counts.map((each, i) => ({ from: edges[i]!, to: edges[i + 1]!, count: each }))
}

/** Bins of time with their ends, for drawing. */
export function dateBins(profile: ColumnProfile): Bin[] {
  const bins = profile.dates?.bins ?? []
  return bins.map(({ from, count: rows }, i) => ({ from, to: bins[i + 1]?.from ?? from, count: rows }))
}

/** "1,234", or "about 1.2 million" words of an estimate. */
export function distinctWords({ count: values, exact, error }: DistinctCount): string {
  return exact ? count(values) : `about ${count(Number(values.toPrecision(3)))} (± ${percent(error * 2)})`
}

/** The figures of a card, in the order in which they matter. */
export function factsOf(profile: ColumnProfile): { name: string; value: string; warn?: boolean }[] {
  const { rows, missing, distinct, unread } = profile
  return [
    {
      name: 'Missing',
      value: missing ? `${count(missing)} (${percent(missing / Math.max(1, rows))})` : 'none',
      warn: missing > 0,
    },
    { name: 'Distinct', value: distinctWords(distinct) },
    ...(unread ? [{ name: 'Not read', value: count(unread), warn: true }] : []),
  ]
}

/** The middle and the ends of a distribution: "median 12, 95 % up to 40, most 512". */
export function figuresOf({ quantiles, mean, exact }: NumberSummary): { name: string; value: string }[] {
  const at = (q: number) => quantiles.find((each) => each.q === q)?.value ?? NaN
  const about = exact ? '' : '≈ '
  const figure = (value: number) => number(value, 4)
  return [
    { name: 'Least', value: figure(at(0)) },
    { name: 'Median', value: about + figure(at(0.5)) },
    { name: 'Mean', value: figure(mean) },
    { name: '95 % up to', value: about + figure(at(0.95)) },
    { name: 'Most', value: figure(at(1)) },
  ]
}

/** The numbers behind a chart. */
export function tableOf(profile: ColumnProfile, measure: Measure): Table {
  if (measure === 'values')
    return {
      columns: ['value', profile.top.exact ? 'rows' : 'rows at least'],
      rows: profile.top.values.map(({ value, count: rows }) => [value, rows]),
    }
  if (measure === 'dates')
    return {
      columns: [profile.dates?.unit ?? 'from', 'rows'],
      rows: (profile.dates?.bins ?? []).map(({ from, count: rows }) => [
        new Date(from).toISOString().slice(0, profile.dates?.unit === 'hour' ? 16 : 10),
        rows,
      ]),
    }
  const summary = profile[measure]
  return {
    columns: ['from', 'to', 'rows'],
    rows: summary ? binsOf(summary).map(({ from, to, count: rows }) => [from, to, rows]) : [],
  }
}

/** The rows behind a bar of a column of numbers or dates; bars of lengths have no such filter. */
export function filterOfBin(
  profile: ColumnProfile,
  measure: Measure,
  bin: Bin,
  last: boolean,
): ColumnFilter | null {
  const { name } = profile
  if (measure === 'numbers') {
    // The upper edge belongs to the next bin: the largest number below it.
    const to = last ? bin.to : below(bin.to)
    return { column: name, is: 'between', from: bin.from, to }
  }
  if (measure === 'dates')
    return {
      column: name,
      is: 'between',
      from: new Date(bin.from).toISOString().slice(0, 19),
      ...(last || bin.to <= bin.from ? {} : { to: new Date(bin.to - 1000).toISOString().slice(0, 19) }),
    }
  return null
}

function below(value: number): number {
  return value - Math.max(Math.abs(value) * 1e-12, 1e-12)
}
