// Datasets as the page, the workers and the store speak of them.

import type { Shape } from './bringIn.ts'
import type { CellEdit, ViewQuery } from './table.ts'

export type ColumnType = 'text' | 'category' | 'number' | 'boolean' | 'date' | 'empty'

export interface Column {
  name: string
  type: ColumnType
  /** Cells that are empty or only white space. */
  missing: number
  /** Distinct values, counted exactly up to DISTINCT_LIMIT of src/data/columns.ts, then that limit. */
  distinct: number
  /** Mean length of the non-empty cells, in characters. */
  meanLength: number
}

/** Something of the file that could not be taken as it stands; it does not stop the import. */
export interface Problem {
  kind: 'ragged' | 'quote' | 'empty' | 'encoding' | 'header' | 'limit' | 'json' | 'file'
  /** Line of the file, or row of a Parquet file, counted from 1; for a quoted cell over several lines, the line on which its row begins. */
  line: number
  message: string
  /** Which file, where there were several. */
  file?: string
}

export type Task = 'classify' | 'instruct' | 'chat' | 'complete'

export interface TaskColumns {
  text?: string
  label?: string
  /** `chat`: the conversation before the answers, where it is a column of its own. */
  prompt?: string
  /** `chat`: the messages whose answers are learnt, where the conversation before them is a column of its own. */
  completion?: string
  messages?: string
  /** What an instruction is about (Alpaca); it may be empty. */
  input?: string
  /** A system message for rows that have none of their own; it may be empty. */
  system?: string
}

export type ColumnRole = keyof TaskColumns

/** How rows become examples. */
export interface TaskConfig {
  task: Task
  columns: TaskColumns
  /** Text between prompt and completion in a `complete` task; default empty (plain concatenation). */
  separator?: string
  /** Which of the assistant's turns are learnt: all (default) or the last of each conversation. */
  turns?: 'all' | 'last'
}

export interface RenderedPiece {
  text: string
  trained: boolean
  /** A single special token, such as the end of a turn. */
  special?: boolean
}

/** A row as the model reads it in training. */
export interface RenderedRow {
  /** Row of the dataset, from 0. */
  index: number
  /** The text in stretches: `trained` is what the model learns to write; the rest it only reads. */
  pieces: RenderedPiece[]
  tokens: number
  trainedTokens: number
  /** Whether tokens were cut off at the longest example. */
  truncated: boolean
  /** The class, for `classify`. */
  label: string | null
  /** Why nothing of the row can be learnt, or null. */
  problem: string | null
  /** Of a training row in the loss, where the recipe gives weights. */
  weight?: number
  /** Token by token, where asked for. */
  list?: { ids: number[]; texts: string[]; trained: boolean[] }
}

export const SPLIT_NAMES = ['train', 'validation', 'test'] as const
export type SplitName = (typeof SPLIT_NAMES)[number]

export interface SplitConfig {
  /** Shares of the rows; they add up to 1. */
  train: number
  validation: number
  test: number
  seed: number
  /** Column whose values keep their shares in every part. */
  stratify?: string
  /** Several such columns: their combinations keep their shares. */
  by?: string[]
  /** Column whose equal values stay in one part: all rows of a customer. */
  group?: string
  /** Column of times: training is before validation, and validation before test. */
  time?: string
  /** Rows that say almost the same stay in one part: the least Jaccard similarity of their word shingles, 0.5 to 1. */
  near?: number
  /** Divides what is not for testing into this many equal parts, of which one validates. */
  folds?: number
  /** Which of the folds validates, from 0; default 0. */
  fold?: number
}

/** A split as it is asked for; what is absent is as by default. */
export interface SplitRequest extends Omit<Partial<SplitConfig>, 'by' | 'near'> {
  /** One or more columns whose values keep their shares in every part. */
  by?: string | string[]
  /** `true`: 0.8. */
  near?: number | boolean
  /** What train, validation and test count: shares that add up to 1 (default), or rows. Of rows, training may be left out:
   *  then it gets what is left. */
  unit?: 'share' | 'rows'
}

export interface Split extends SplitConfig {
  /** Rows in each part. */
  rows: Record<SplitName, number>
}

/** The rows that a recipe gave. */
export interface DatasetVersion {
  /** Where the store keeps them: under a key of their own, or where the raw rows are. */
  rows: string
  /** Thousands of rows that edits by hand replaced, each with where it is now; the newest last. */
  patches?: [thousand: number, rows: string][]
  /** The dataset below the recipe. */
  raw: { rows: number; columns: Column[] }
  /** Rows that steps added. */
  synthetic: number
  /** Steps that are switched on. */
  steps: number
  /** The range of the training rows' weights in the loss; absent where no step gives any. */
  weights?: WeightRange
}

export interface WeightRange {
  least: number
  most: number
}

export type FileFormat = 'csv' | 'json' | 'jsonl' | 'parquet' | 'text' | 'zip'

export interface Dataset {
  id: string
  name: string
  createdAt: number
  /** Size of the source, all files together. */
  bytes: number
  /**
   * SHA-256 of the source, hex; of several files, of their bytes one after the other; above 64 MB, of the SHA-256s of its
   * pieces of 512 KiB. A dataset to which rows were added: of the hex of what it was and of what came.
   */
  sha256: string
  rows: number
  columns: Column[]
  /** The first PROBLEM_LIMIT problems; `problemCount` counts all of them. */
  problems: Problem[]
  problemCount: number
  /** Empty where the format has none. */
  delimiter: string
  /** How the bytes were read; absent where the format has its own, and in datasets of earlier versions. */
  encoding?: string
  /** Absent in datasets of earlier versions, which are CSV. */
  format?: FileFormat
  /** It was pasted; absent for files. */
  origin?: 'clipboard'
  /** What the columns together were when the rows came, or null; absent in datasets of earlier versions. */
  shape?: Shape | null
  /** What Graft guesses, before anyone confirms. */
  suggestion: TaskConfig | null
  /** Rows that a recipe made of the raw ones; `rows`, `columns`, `labels` and `split` are about these. Absent: the raw rows. */
  version?: DatasetVersion
  /** What the user confirmed with `configure`. */
  config: TaskConfig | null
  /** Labels in the order of the score head (classify only), sorted by code point. */
  labels: string[] | null
  split: Split | null
  /** Cells changed by hand; the rows as they were imported are kept. */
  edits?: CellEdit[]
}

/** A dataset to which rows were added, and what came. */
export interface Appended extends Dataset {
  added: {
    /** Before any recipe. */
    rows: number
    /** Labels that no row had before; a run that was trained before does not know them. */
    labels: string[]
  }
}

/** Changes whenever the rows do. */
export function rowsStamp({ version }: Pick<Dataset, 'version'>): string {
  return version ? (version.patches?.at(-1)?.[1] ?? version.rows) : ''
}

/** One row: its index in the file's order, its part of the split, its cells by column name. */
export interface Row {
  index: number
  split: SplitName | null
  cells: Record<string, string>
}

/** A page of a view of the rows; `search` of table.ts gives the same with the number of rows and the hits. */
export interface RowQuery extends ViewQuery {
  /** Rows of the view before the page; default 0. */
  offset?: number
  /** Rows of the page at most; default 100. */
  limit?: number
}
