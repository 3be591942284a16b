// The health report of a dataset: what is wrong with it, what to fix first, and the step of a recipe that would mend it.
import type { TaskConfig } from './data.ts'
import type { RecipeStep } from './recipe.ts'

export const FINDING_KINDS = [
  'missing',
  'exactDuplicates',
  'nearDuplicates',
  'labelConflicts',
  'rareClasses',
  'imbalance',
  'mislabelled',
  'controlCharacters',
  'mojibake',
  'html',
  'urls',
  'repetition',
  'language',
  'lengthOutliers',
  'characterOutliers',
  'personalData',
  'splitLeakage',
  'labelLeakage',
  'truncation',
  'unlearnable',
  'groups',
  'labelWords',
  'classCoverage',
] as const
export type FindingKind = (typeof FINDING_KINDS)[number]

/** `fix`: spoils training or its judgement; `check`: a person should look; `know`: true of the data, no fault by itself. */
export const SEVERITIES = ['fix', 'check', 'know'] as const
export type Severity = (typeof SEVERITIES)[number]

/** Rows that a finding lists; its `count` counts all of them. */
export const FINDING_ROWS_LIMIT = 5000
/** Least Jaccard similarity of near-duplicates, and words in a shingle, where nothing else is asked for. */
export const NEAR_THRESHOLD = 0.8
export const NEAR_SHINGLE = 3

export interface FindingRow {
  /** Index in the dataset, from 0. */
  row: number
  /** What is special about this row. */
  note?: string
}

/** A remedy that can be taken over into the recipe as it stands. */
export interface Remedy {
  label: string
  steps: RecipeStep[]
}

/** A small table beside a finding: shares by class, words by label. */
export interface FindingTable {
  columns: string[]
  rows: (string | number)[][]
}

/** A share with its 95% confidence interval, for a chart. */
export interface Interval {
  label: string
  share: number
  low: number
  high: number
  /** Rows with it, of how many. */
  count: number
  of: number
}

export interface IntervalChart {
  title: string
  intervals: Interval[]
}

export interface Finding {
  /** Unique in a report and the same in the next one: the kind, and what it is about. */
  id: string
  kind: FindingKind
  severity: Severity
  /** A sentence with the number in it. */
  title: string
  /** Why it matters and how it was found, in plain words. */
  explanation: string
  /** The column it is about, where it is about one. */
  column: string | null
  /** Rows concerned; 0 for a finding about the dataset as a whole. */
  count: number
  /** Rows that were looked at: fewer than all where a check works on a sample. */
  looked: number
  /** The first FINDING_ROWS_LIMIT of the rows, the most telling first. */
  rows: FindingRow[]
  table?: FindingTable
  charts?: IntervalChart[]
  remedies: Remedy[]
}

/** A check that could not be made, and what it would need. */
export interface SkippedCheck {
  kind: FindingKind
  reason: string
}

export interface DemographicGroup {
  /** What the groups have in common: gender, age, religion. */
  theme: string
  name: string
  /** Words or phrases, matched whole and without regard to case. */
  words: string[]
}

export interface HealthOptions {
  /** Columns whose texts are looked at; default: those of the task, else every column of type text. */
  columns?: string[]
  /** The column of labels; default: that of a classify task. Empty: none. */
  label?: string
  /** Near-duplicates: least Jaccard similarity of word shingles, 0.5 to 1; default 0.8. */
  threshold?: number
  /** Words in a shingle, 1 to 8; default 3. */
  shingle?: number
  /** Seed of the sample and the folds of the label check; default 42. */
  seed?: number
  /** Labelled rows from which the label check learns; default 50,000. The rest are judged too. */
  labelRows?: number
  /** A class with fewer rows is rare; default 10. */
  rare?: number
  /** Groups of people whose mentions are counted; default: the lexicon of Graft. */
  groups?: DemographicGroup[]
  /** Share that each class should have, for instance in use; they are scaled to a sum of 1. */
  target?: Record<string, number>
  /** A base whose tokenizer counts; without it tokens are estimated from characters and named so. */
  model?: string
  /** Longest example in tokens, as in training; default 256. */
  maxLength?: number
  /** How rows become examples, before it is confirmed. */
  config?: TaskConfig
}

export interface HealthReport {
  dataset: string
  createdAt: number
  /** Time taken. */
  seconds: number
  rows: number
  /** What was looked at. */
  columns: string[]
  label: string | null
  /** In the order in which to deal with them. */
  findings: Finding[]
  /** Checks that found nothing. */
  clean: FindingKind[]
  skipped: SkippedCheck[]
}
