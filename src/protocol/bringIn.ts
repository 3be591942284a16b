// Bringing data in: what a file may be, what Graft makes of it before the import, and what the user may correct.
import type { ColumnType, FileFormat, Problem, TaskConfig } from './data.ts'

export const ENCODINGS = ['utf-8', 'utf-16le', 'utf-16be', 'windows-1252'] as const
export type Encoding = (typeof ENCODINGS)[number]

export const TEXT_UNITS = ['paragraph', 'document', 'window'] as const
/** What becomes a row of a text without columns. */
export type TextUnit = (typeof TEXT_UNITS)[number]

/** What a clipboard holds: of a copied range, both forms. */
export interface Copied {
  html?: string
  text?: string
}

export interface ImportOptions {
  name?: string
  /** Where it comes from; kept with the dataset. */
  origin?: 'clipboard'
  /** What the file is; told by its first bytes when absent. A `delimiter` means CSV. */
  format?: FileFormat
  /** How its bytes become characters; detected when absent. */
  encoding?: Encoding
  /** Guessed when absent. */
  delimiter?: string
  /** The character around cells, or '' for none; default `"`. */
  quote?: string
  /** Whether the first row names the columns; default true. */
  header?: boolean
  /** Whether apostrophes that guard cells against being formulas are taken off, as an export of Graft puts them there. */
  guarded?: boolean
  /** Types of columns, by name, in place of what is found. */
  types?: Record<string, ColumnType>
  /** Texts and Markdown: what becomes a row; default `paragraph`, and `document` for a zip of texts. */
  unit?: TextUnit
  /** `window`: words in each, or tokens where `model` is given; default 256. */
  windowSize?: number
  /** `window`: how many of them the next window begins with again; default 0. */
  overlap?: number
  /** `window`: id of a stored base whose tokens are counted in place of words. */
  model?: string
  /** Several files, or an append: whether columns that only some of them have are taken; default false. */
  union?: boolean
}

/** A preview may be of rows that are to be added to a dataset: then columns are compared with those it was imported with. */
export interface PreviewOptions extends ImportOptions {
  target?: string
}

/** Kinds of datasets that people know by name. */
export const SHAPES = [
  'alpaca',
  'sharegpt',
  'openai',
  'promptCompletion',
  'preference',
  'textLabel',
  'multiLabel',
  'textPair',
  'text',
] as const
export type ShapeName = (typeof SHAPES)[number]

/** What the columns together are. */
export interface Shape {
  name: ShapeName
  /** The columns that make it so, by their part: `{ prompt: 'question', chosen: 'good', rejected: 'bad' }`. */
  columns: Record<string, string>
  /** How sure the guess is, from 0 to 1. */
  confidence: number
  /** Whether Graft trains on it as it is. */
  trains: boolean
  /** What can be done with it here, in a sentence. */
  note: string
}

/** How sure the guesses are, from 0 to 1; below SURE of them the user should look. */
export interface Confidence {
  format: number
  encoding: number
  delimiter: number
  header: number
}
export const SURE = 0.7

/** The beginning of a file, read as the options say and as Graft guesses where they say nothing. */
export interface Preview {
  name: string
  /** Of all files. */
  bytes: number
  files: number
  format: FileFormat
  /** Null where the format has its own. */
  encoding: Encoding | null
  /** Empty where the format has none. */
  delimiter: string
  quote: string
  header: boolean
  guarded: boolean
  /** What becomes a row of a text, or null. */
  unit: TextUnit | null
  columns: { name: string; type: ColumnType }[]
  /** The first rows; cells in the order of the columns. */
  rows: string[][]
  /** Whether these are all rows. */
  complete: boolean
  problems: Problem[]
  suggestion: TaskConfig | null
  shape: Shape | null
  confidence: Confidence
  /** What to give `import` so that it reads as shown here. */
  options: ImportOptions
}
