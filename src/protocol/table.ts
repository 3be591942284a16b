// What a person sees of a dataset: a view (which rows, in which order), the hits of a search in it, and profiles of columns.
import type { ColumnType, Row, SplitName } from './data.ts'

/** A condition on one column. Texts are compared without regard to case and accents; an empty cell has no number or date. */
export type ColumnFilter =
  | { column: string; is: 'contains' | 'equals' | 'starts'; text: string; not?: boolean }
  | { column: string; is: 'empty'; not?: boolean }
  /** One of these values, to the letter (white space around them aside). */
  | { column: string; is: 'oneOf'; values: string[]; not?: boolean }
  /** Numbers or dates from `from` to `to`, both included; an absent end is open. */
  | { column: string; is: 'between'; from?: string | number; to?: string | number; not?: boolean }

/** A condition: on one column, or an expression over the columns. */
export type RowFilter = ColumnFilter | string

export interface Sort {
  column: string
  descending?: boolean
}

export interface Sample {
  /** Rows drawn; all where there are fewer. */
  rows: number
  seed?: number
}

/** Which rows, in which order: a split, then filters, then the search, then a sample, then the sort. */
export interface ViewQuery {
  split?: SplitName
  /** All of them must hold. */
  filter?: RowFilter | RowFilter[]
  /**
   * Words that the row must hold, in any column: a word matches where a word begins with it, "words in quotation marks" must
   * stand together, -word must not occur. Case and accents do not matter.
   */
  query?: string
  /** A seeded random choice of the rows that are left. */
  sample?: Sample
  /** Numbers, dates or texts, as the column's type is; empty cells last, equal cells in the file's order. */
  sort?: Sort
}

export interface SearchQuery extends ViewQuery {
  /** Rows of the view before the page; default 0. */
  offset?: number
  /** Rows of the page at most; default 100. */
  limit?: number
}

/** Stretches of a cell, as [from, to) in UTF-16 units. */
export type Hits = [number, number][]

export interface FoundRow extends Row {
  /** Where the words of the query are, by column; columns without a hit are absent. */
  hits: Record<string, Hits>
}

export interface SearchResult {
  /** Rows of the whole view, of which `rows` is a page. */
  total: number
  rows: FoundRow[]
}

/** A row of the dataset, and where it stands in a view: null where the view leaves it out. */
export interface RowPlace {
  index: number
  position: number | null
}

/** A cell that a person has changed, by the row's place in the file. */
export interface CellEdit {
  /** Row of the dataset, from 0. */
  row: number
  column: string
  value: string
}

/** A change of a cell by hand; null gives the cell back as it was imported. */
export interface CellChange {
  row: number
  column: string
  value: string | null
}

export interface ProfileOptions {
  /** Columns to look at; all when absent. */
  columns?: string[]
  /** Rows to look at; all when absent. */
  split?: SplitName
  /** A base, whose tokenizer counts the tokens of texts, on a seeded sample of rows. */
  model?: string
  /** Values listed of each column; default 20. */
  top?: number
}

/** A number of different values: counted, or estimated (HyperLogLog) with the standard error as a share of it. */
export interface DistinctCount {
  count: number
  exact: boolean
  /** Share of `count`, one standard deviation; 0 where exact. */
  error: number
}

export interface ValueCount {
  value: string
  /** Rows with it; at least this many where `exact` of the list is false. */
  count: number
}

/** Equal or unequal bins: bin i goes from edges[i] to edges[i + 1], the last one includes its end. */
export interface Histogram {
  edges: number[]
  counts: number[]
}

export interface NumberSummary {
  count: number
  minimum: number
  maximum: number
  mean: number
  /** Standard deviation with n - 1; 0 for a single value. */
  deviation: number
  /** By linear interpolation, as numpy and pandas do. */
  quantiles: { q: number; value: number }[]
  /** False: quantiles and bins come from a sketch (KLL) and are about right. */
  exact: boolean
  histogram: Histogram
}

export interface DateSummary {
  count: number
  /** ISO 8601, UTC. */
  earliest: string
  latest: string
  unit: 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year'
  /** Rows from `from` (milliseconds since 1970, UTC) until the next bin. */
  bins: { from: number; count: number }[]
}

export interface ColumnProfile {
  name: string
  type: ColumnType
  rows: number
  /** Cells that are empty or only white space. */
  missing: number
  distinct: DistinctCount
  top: { values: ValueCount[]; exact: boolean }
  /** Of a column of numbers; cells that are none are in `unread`. */
  numbers: NumberSummary | null
  dates: DateSummary | null
  /** Filled cells that could not be read as the column's type. */
  unread: number
  /** Lengths of the filled cells. */
  characters: NumberSummary | null
  words: NumberSummary | null
  /** With the tokenizer of a base; of `sampled` rows where that is fewer than all. */
  tokens: (NumberSummary & { model: string; sampled: number }) | null
}

export interface Profile {
  rows: number
  columns: ColumnProfile[]
}
