// Rows that a model writes for the training part of a dataset: what is asked of it, and what came of it.
import type { Dataset } from './data.ts'
import type { AddRowsStep } from './recipe.ts'
import type { Target } from './target.ts'

/** `list`: the examples as a list that the model goes on with; `chat`: a message that shows them and asks for more. */
export const WRITE_FORMS = ['list', 'chat'] as const
export type WriteForm = (typeof WRITE_FORMS)[number]

export interface WriteRowsRequest {
  /** A base or a run that writes text. */
  target: Target
  /** `classify` only: the labels to write rows for; default all. */
  labels?: string[]
  /** Rows wanted, of a `classify` task rows of each label: 1 to 1,000, default 10. */
  count?: number
  /** Rows of the training part that an answer is shown: 1 to 32, default 4. Fewer are shown where the context is short. */
  examples?: number
  /** Default: `chat` where the base has a chat template and the target was not trained to continue text, else `list`. */
  form?: WriteForm
  /** Tokens of one answer, which may hold several rows; default three times those of an example, 48 to 512. */
  maxTokens?: number
  /** Default 0.8. */
  temperature?: number
  /** Default 40. */
  topK?: number
  /** Default 0.95. */
  topP?: number
  /** Default 0. */
  minP?: number
  /** Default 1. */
  repetitionPenalty?: number
  /** Draws the examples and the tokens; default 42. */
  seed?: number
  /** Jaccard similarity of word shingles from which on a row is too near to one that is there: 0.2 to 1, default 0.5. */
  threshold?: number
  /** Quantiles of the class's lengths in characters between which a row must lie; default [0.05, 0.95]. */
  lengths?: [least: number, most: number]
  /** Whether rows that a linear model of the training part gives another label are refused; default true. */
  checkLabels?: boolean
  /** Answers for each row that is wanted, before the model is given up on: 1 to 50, default 4. */
  tries?: number
}

/** Why a row was refused. */
export const REFUSALS = {
  empty: 'Nothing was written',
  unfinished: 'Cut off at the longest answer',
  broken: 'Without all of its parts',
  short: 'Shorter than the rows that are there',
  long: 'Longer than the rows that are there',
  label: 'More like rows of another label',
  copy: 'Copies of a row that is there',
  near: 'Near-duplicates of a row that is there',
  repeated: 'Written before, or almost',
} as const
export type Refusal = keyof typeof REFUSALS

export interface WrittenRows {
  /** What the cells of `rows` are. */
  columns: string[]
  /** The accepted rows. */
  rows: string[][]
  /** Answers and tokens that it took. */
  answers: number
  tokens: number
  seconds: number
  /** Rows that were refused, by reason; at most five of each are shown. */
  refused: { reason: Refusal; count: number; examples: string[] }[]
  /** One a label; a single one with null where the task has no labels. */
  labels: { label: string | null; wanted: number; accepted: number }[]
  /** What adds them to the recipe; null where no row was accepted. */
  step: AddRowsStep | null
}

/** The dataset with the rows, or null where none was added. */
export interface AddedRows extends WrittenRows {
  dataset: Dataset | null
}
