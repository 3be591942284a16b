// Faithfulness: does the answer change when the pieces that an explanation calls important are taken away?
import type {
  ExplainedOutput,
  ExplainInput,
  Granularity,
  OutputChoice,
  Replacement,
  Unit,
  UnitChoice,
} from './common.ts'

/** Shares of the pieces, most important first, that comprehensiveness and sufficiency are told for. */
export const FAITHFULNESS_SHARES = [0.01, 0.05, 0.1, 0.2, 0.5] as const

export type FaithfulnessRequest = ExplainInput & FaithfulnessOptions

export interface FaithfulnessOptions extends Omit<OutputChoice, 'contrast'>, UnitChoice {
  /** How much each piece speaks for the output: a number a piece, or a number a token, which are summed by piece. */
  scores: ArrayLike<number>
  /** What the scores were made with; stands in the result. */
  method?: string
  /** Random orders that the deletion curve is compared with (default 20, 2 to 1,000). */
  orders?: number
  seed?: number
  /** Points of a deletion curve after its first (default 20; never more than there are pieces). */
  steps?: number
}

/** How the output's probability falls while pieces are taken away. */
export interface DeletionCurve {
  /** Probability at each of `removed`. */
  probability: Float64Array
  /** Area under the curve over the share that is gone, 0..1: lower is more faithful. */
  auc: number
}

export interface FaithfulnessScores {
  /** Probability of the output for the whole text, and with every piece taken away. */
  probability: number
  empty: number
  /** Of each piece of the order, the most important first. */
  order: number[]
  shares: number[]
  /** How many pieces each share is: rounded up, so at least one. */
  counts: number[]
  /** p(text) - p(text without the most important pieces), one a share: higher is more faithful. */
  comprehensiveness: Float64Array
  /** p(text) - p(the most important pieces alone), one a share: lower is more faithful. */
  sufficiency: Float64Array
  /** Sums over the shares, divided by their number + 1 (the empty share counts as 0), as ERASER does. */
  meanComprehensiveness: number
  meanSufficiency: number
  deletion: {
    /** Shares of the pieces that are gone, 0..1. */
    removed: Float64Array
    /** Most important first. */
    ours: DeletionCurve
    /** Least important first. */
    reversed: DeletionCurve
    random: {
      /** Means over the orders. */
      probability: Float64Array
      auc: number
      /** 95% interval of that mean (Student's t over the orders). */
      interval: [number, number]
      /** One an order. */
      aucs: Float64Array
      /** Share of the orders whose area is above ours (equal ones count half). */
      beaten: number
    }
  }
}

export interface FaithfulnessResult extends FaithfulnessScores {
  units: Unit[]
  /** A number a piece. */
  scores: Float64Array
  method?: string
  output: ExplainedOutput
  granularity: Granularity
  replacement: Replacement
  seed: number
}
