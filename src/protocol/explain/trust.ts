// How far an explanation can be trusted besides its faithfulness: does it say the same with another seed, and do other
// methods say the same?
import type { ExplainedOutput, ExplainInput, Granularity, OutputChoice, Unit, UnitChoice } from './common.ts'

/** Every method that gives each piece a number. */
export const SCORING_METHODS = [
  'gradientXInput',
  'integratedGradients',
  'gradientNorm',
  'smoothGrad',
  'partition',
  'kernel',
  'permutation',
  'lime',
] as const
export type ScoringMethod = (typeof SCORING_METHODS)[number]

/** Methods that are compared unless others are named: two that follow gradients, two that take pieces away. */
export const COMPARED_METHODS = [
  'gradientXInput',
  'integratedGradients',
  'partition',
  'lime',
] as const satisfies readonly ScoringMethod[]

interface Compared extends OutputChoice, UnitChoice {
  /** Default: 0. */
  seed?: number
  /** Texts that SHAP and LIME may ask about (of `stability` also the passes of SmoothGrad); default: each method's own. */
  samples?: number
  /** Pieces that count as the top (default 3). */
  top?: number
}

export type StabilityRequest = ExplainInput & StabilityOptions

export interface StabilityOptions extends Compared {
  method: ScoringMethod
  /** Seeds: `seed`, `seed` + 1, ... (default 5, 2 to 50). */
  seeds?: number
}

/** Pieces are ranked by the size of their scores, whichever the sign: the strongest first. */
export interface StabilityScores {
  /** [units]: mean over the seeds. */
  mean: Float64Array
  /** [units]: standard deviation over the seeds (n - 1). */
  deviation: Float64Array
  /** Mean of Kendall's tau-b over all pairs of seeds, -1 to 1; not a number where a ranking is one great tie. */
  kendall: number
  /** The least of them. */
  lowest: number
  /** Mean share of the top pieces that two seeds have in common, 0 to 1. */
  overlap: number
}

export interface StabilityResult extends StabilityScores {
  method: ScoringMethod
  units: Unit[]
  seeds: number[]
  /** Nothing is drawn at random: one run stands for all. */
  deterministic: boolean
  /** [seeds, units] */
  scores: Float64Array
  top: number
  output: ExplainedOutput
  granularity: Granularity
}

export type AgreementRequest = ExplainInput & AgreementOptions

export interface AgreementOptions extends Compared {
  /** Default: gradient x input, integrated gradients, Partition SHAP and LIME. */
  methods?: ScoringMethod[]
}

export interface AgreementScores {
  /** [m, m]: Kendall's tau-b between the rankings, by the size of the scores; not a number where one is a great tie. */
  kendall: Float64Array
  /** [m, m]: share of the top pieces in common. */
  overlap: Float64Array
  /** [m, m]: share of the top pieces in common that have the same sign too. Of methods without a sign: `overlap`. */
  signed: Float64Array
}

export interface AgreementResult extends AgreementScores {
  methods: ScoringMethod[]
  units: Unit[]
  /** [m, units] */
  scores: Float64Array
  top: number
  output: ExplainedOutput
  granularity: Granularity
  seed: number
}
