// Counterfactuals: the fewest changes of a text after which the answer is another.
import type { ExplainedOutput, ExplainInput, Granularity, Replacement, Unit, UnitChoice } from './common.ts'

export const EDIT_KINDS = ['remove', 'replace'] as const
/** Pieces are taken away, or other words are put in their places. */
export type EditKind = (typeof EDIT_KINDS)[number]

export type CounterfactualRequest = ExplainInput & CounterfactualOptions

export interface CounterfactualOptions extends UnitChoice {
  /** Default: 'remove'. `replacement` belongs to it alone. */
  edit?: EditKind
  /** Pieces that may be changed together (default 3, at most 3). */
  flips?: number
  /** Results at most (default 5). */
  count?: number
}

/** A set of changes that flips the answer, while no part of it does: both asked of the model. */
export interface MinimalEdit {
  /** Pieces that are taken away or replaced, in the order of the text. */
  units: number[]
  /** The answer's logit less the highest other one: below 0 after the flip. */
  margin: number
  /** Index of the new answer. */
  output: number
}

export interface Edit extends MinimalEdit {
  /** The new answer. */
  name: string
  /** What a person would type: without special tokens, and without what a template writes around it. */
  text: string
  /** replace: what stands in the place of each of `units`. */
  words?: string[]
  /** What the model answers to `text` as it is read afresh; null for a text without a word. Of removals with a mask or
   *  padding token in their place it may be another answer. */
  typed: { output: number; name: string } | null
}

export interface CounterfactualResult {
  edit: EditKind
  pieces: Unit[]
  /** The surest flips of the smallest size that there is; none: no set that was tried flips the answer. */
  edits: Edit[]
  /** The answer for the text as it stands, and its margin. */
  output: ExplainedOutput
  margin: number
  /** Every set of up to `flips` pieces was tried. Never so of replacements: there are too many words. */
  exhaustive: boolean
  /** replace: words that were looked through, and whether they were taken from the run's own training rows. */
  words?: { count: number; fromRows: boolean }
  granularity: Granularity
  replacement: Replacement
}
