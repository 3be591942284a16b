// Anchors: a rule that holds a prediction in place.
import type { ExplainedOutput, ExplainInput, Granularity, Replacement, Unit, UnitChoice } from './common.ts'

export type AnchorsRequest = ExplainInput & AnchorsOptions

export interface AnchorsOptions extends UnitChoice {
  /** Precision that a rule must have (default 0.95). */
  precision?: number
  /** Level of the confidence bounds on precision, shared among the candidates of a round (default 0.1). As in the authors'
   *  code they do not allow for looking again while texts are drawn. */
  delta?: number
  /** How close candidates may be for the search to take them as equal (default 0.15). */
  tau?: number
  /** Candidates that are kept for each length (default 4). */
  beam?: number
  /** Texts that are asked for one candidate at once (default 100). */
  batch?: number
  /** Texts that one candidate may be asked with; one that is undecided then is no anchor (default 2,000). */
  samples?: number
  /** Pieces of a rule (default 6). */
  size?: number
  seed?: number
}

export interface AnchorRule {
  /** Pieces that must stay, in the order of the text; none: the prediction hardly ever changes. */
  units: number[]
  /** Share of the texts that hold these pieces with the same prediction. */
  precision: number
  /** Lower bound of the precision at the search's confidence. */
  lowerBound: number
  /** Share of the perturbed texts that hold these pieces: half for each piece. */
  coverage: number
  /** Texts that its precision was read from. */
  samples: number
}

export interface AnchorSearch extends AnchorRule {
  /** The lower bound reaches the precision asked for. Otherwise this is the most precise rule that was found. */
  found: boolean
  /** Precision, bound and coverage of the rule as its pieces are added, the most telling first; none of them at first. */
  path: AnchorRule[]
  /** Texts that all candidates together were asked with. */
  asked: number
}

export interface AnchorsResult extends AnchorSearch {
  pieces: Unit[]
  /** The prediction that the rule holds. */
  output: ExplainedOutput
  granularity: Granularity
  replacement: Replacement
  seed: number
}
