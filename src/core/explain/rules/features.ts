// What rules may ask about a row: whether an n-gram stands in its text, and what stands in its other columns. Which
// features there are is read from the rows learnt from alone, so that the held-out rows stay unseen.
import type { Column } from '../../../protocol/data.ts'
import type { RuleFeature } from '../../../protocol/explain/dataset.ts'
import { bitsOf, size, type Bits } from './bits.ts'
import { ngramsOf } from './words.ts'

/** A row as rules see it. */
export interface RuleRow {
  text: string
  /** In the order of the columns. */
  cells: readonly string[]
}

export interface FeatureOptions {
  ngrams: readonly [from: number, to: number]
  /** N-grams at most. */
  features: number
  /** Rows that must have a feature, and rows that must not. */
  leaf: number
  /** Columns that may be asked about, with their places among a row's cells. */
  columns: readonly { column: Pick<Column, 'name' | 'type' | 'distinct'>; place: number }[]
}

export interface Features {
  list: RuleFeature[]
  /** For each feature the rows (of all that were given) that have it. */
  bits: Bits[]
}

/** Values of a column that are asked about, the most frequent ones. */
const VALUES = 20
/** Thresholds of a column of numbers: its inner deciles. */
const CUTS = 9

/**
 * Features of `rows`, found in those with fit[row] = 1. The shorter n-grams come first, then the more frequent, then by
 * the alphabet, then columns: of equal questions a tree takes the first. Features that tell the same rows apart are one.
 */
export function featuresOf(
  rows: readonly RuleRow[],
  fit: ArrayLike<number>,
  { ngrams, features, leaf, columns }: FeatureOptions,
): Features {
  const fitBits = bitsOf(rows.length, (row) => fit[row] === 1)
  const learnt = size(fitBits)
  const grams = rows.map(({ text }) => ngramsOf(text, ...ngrams))
  const counts = new Map<string, number>()
  grams.forEach((found, row) => {
    if (fit[row]) for (const gram of found) counts.set(gram, (counts.get(gram) ?? 0) + 1)
  })
  const chosen = [...counts]
    .filter(([, count]) => count >= leaf && count <= learnt - leaf)
    .sort(([a, m], [b, n]) => n - m || length(a) - length(b) || compare(a, b))
    .slice(0, features)
    .sort(([a, m], [b, n]) => length(a) - length(b) || n - m || compare(a, b))
  const list: RuleFeature[] = chosen.map(([text]) => ({ kind: 'ngram', text }))
  const bits = chosen.map(([text]) => bitsOf(rows.length, (row) => grams[row]!.has(text)))
  const fitRows = rows.filter((_, row) => fit[row])
  for (const { column, place } of columns) {
    const cells = fitRows.map((row) => (row.cells[place] ?? '').trim())
    for (const feature of columnFeatures(column, cells)) {
      list.push(feature)
      bits.push(bitsOf(rows.length, (row) => cellHas(feature, (rows[row]!.cells[place] ?? '').trim())))
    }
  }
  const known = new Set<string>()
  const kept = bits.flatMap((set, i) => {
    const here = overlapOf(set, fitBits)
    const count = size(here)
    const key = here.join()
    if (count < leaf || count > learnt - leaf || known.has(key)) return []
    known.add(key)
    return [i]
  })
  return { list: kept.map((i) => list[i]!), bits: kept.map((i) => bits[i]!) }
}

/** Whether a row has a feature; `columns` are the names of its cells. */
export function hasFeature(feature: RuleFeature, row: RuleRow, columns: readonly string[]): boolean {
  if (feature.kind === 'ngram') {
    const words = length(feature.text)
    return ngramsOf(row.text, words, words).has(feature.text)
  }
  return cellHas(feature, (row.cells[columns.indexOf(feature.column)] ?? '').trim())
}

type ColumnFeature = Exclude<RuleFeature, { kind: 'ngram' }>

function columnFeatures(
  { name, type, distinct }: Pick<Column, 'name' | 'type' | 'distinct'>,
  cells: readonly string[],
): ColumnFeature[] {
  const empty: ColumnFeature = { kind: 'empty', column: name }
  if (type === 'number') {
    const values = cells.flatMap((cell) => (isNumber(cell) ? [Number(cell)] : [])).sort((a, b) => a - b)
    const cuts = Array.from({ length: CUTS }, (_, i) =>
      values.at(Math.floor(((i + 1) * values.length) / (CUTS + 1))),
    )
    const distinctCuts = [...new Set(cuts)].flatMap((value) => value ?? [])
    return [...distinctCuts.map((value): ColumnFeature => ({ kind: 'atMost', column: name, value })), empty]
  }
  if (type !== 'category' && type !== 'boolean' && distinct > VALUES) return [empty]
  const counts = new Map<string, number>()
  for (const cell of cells) if (cell !== '') counts.set(cell, (counts.get(cell) ?? 0) + 1)
  const values = [...counts].sort(([a, m], [b, n]) => n - m || compare(a, b)).slice(0, VALUES)
  return [...values.map(([value]): ColumnFeature => ({ kind: 'equals', column: name, value })), empty]
}

function cellHas(feature: ColumnFeature, cell: string): boolean {
  switch (feature.kind) {
    case 'equals':
      return cell === feature.value
    case 'atMost':
      return isNumber(cell) && Number(cell) <= feature.value
    case 'empty':
      return cell === ''
    default:
      return feature satisfies never
  }
}

const isNumber = (cell: string): boolean => cell !== '' && Number.isFinite(Number(cell))
const length = (gram: string): number => gram.split(' ').length
/** By code points, the same everywhere. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function overlapOf(a: Bits, b: Bits): Bits {
  return a.map((word, i) => word & b[i]!)
}
