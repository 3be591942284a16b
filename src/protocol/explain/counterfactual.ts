// Counterfactuals: the fewest changes of a text after which the answer is another.
import type { ExplainedOutput, ExplainInput, Granularity, Replacement, Unit, UnitChoice } from './common.ts'

export type CounterfactualRequest = ExplainInput & CounterfactualOptions

export interface CounterfactualOptions extends UnitChoice {
  /** Pieces that may be taken away together (default 3, at most 3). */
  flips?: number
  /** Results at most (default 5). */
  count?: number
}

/** A set of changes that flips the answer, while no part of it does: both asked of the model. */
export interface MinimalEdit {
  /** Pieces that are taken away, in the order of the text. */
  units: number[]
  /** The answer's logit less the highest other one: below 0 after the flip. */
  margin: number
  /** Index of the new answer. */
  output: number
}

export interface CounterfactualResult {
  pieces: Unit[]
  /** The surest flips of the smallest size that there is; none: no set that was tried flips the answer. */
  edits: (MinimalEdit & { name: string; text: string })[]
  /** The answer for the text as it stands, and its margin. */
  output: ExplainedOutput
  margin: number
  /** Every set of up to `flips` pieces was tried. */
  exhaustive: boolean
  granularity: Granularity
  replacement: Replacement
}
