// LIME and SHAP: what each piece of a text adds to one number of the answer, by asking again without some of them.
import type {
  ExplainedOutput,
  ExplainInput,
  Granularity,
  OutputChoice,
  Replacement,
  Unit,
  UnitChoice,
} from './common.ts'

export const EXPLAINED_VALUES = ['logit', 'probability', 'logProbability'] as const
/** The number that credit is given for. With a contrast it is the difference of two logits. */
export type ExplainedValue = (typeof EXPLAINED_VALUES)[number]

export const LIME_SELECTIONS = ['auto', 'forward', 'highest', 'none'] as const
/** Which pieces get a weight: 'auto' is forward selection up to 6 features, else the highest weights; 'none' is all. */
export type LimeSelection = (typeof LIME_SELECTIONS)[number]

export interface AttributionChoice extends OutputChoice, UnitChoice {
  seed?: number
}

/** What the answers of LIME and SHAP have in common. */
export interface AttributionResult {
  tokens: string[]
  ids: number[]
  units: Unit[]
  granularity: Granularity
  replacement: Replacement
  output: ExplainedOutput
  explained: ExplainedValue
  /** The explained number of the whole text. */
  value: number
  /** Texts asked about, repeated ones included. */
  evaluations: number
  seed: number
}

export interface LimeOptions extends AttributionChoice {
  /** Default: 'probability'; 'logit' with a contrast. */
  explained?: ExplainedValue
  /** Texts, the whole one included (default 5,000). */
  samples?: number
  /** Default: 10. */
  features?: number
  /** Default: 'auto'. */
  selection?: LimeSelection
  /** Default: 25. */
  kernelWidth?: number
  /** Of the ridge regression (default 1). */
  alpha?: number
}
export type LimeRequest = ExplainInput & LimeOptions

export interface LimeResult extends AttributionResult {
  /** [units]: 0 for those that were not selected. */
  weights: Float64Array
  /** [units] */
  standardErrors: Float64Array
  /** Indices of the selected units, the largest weight first. */
  selected: number[]
  intercept: number
  /** Weighted R squared of the line. */
  score: number
  /** What the line says of the whole text; `value` is what the model says. */
  local: number
}

export const SHAP_METHODS = ['partition', 'kernel', 'permutation'] as const
export type ShapMethod = (typeof SHAP_METHODS)[number]

export interface ShapOptions extends AttributionChoice {
  /** Default: 'partition'. */
  method?: ShapMethod
  /** Default: 'logit'. */
  explained?: ExplainedValue
  /** Texts asked about at most. Defaults: kernel 2M + 2048, partition 500, permutation 10 (2M + 1), for M units. */
  samples?: number
}
export type ShapRequest = ExplainInput & ShapOptions

export interface ShapResult extends AttributionResult {
  method: ShapMethod
  /** [units]: they add up to value - base. */
  values: Float64Array
  /** The explained number with every unit taken away. */
  base: number
  /** sum(values) - (value - base): rounding. */
  residual: number
  /** Nothing was sampled or left out: the method's own definition, in full. */
  exact: boolean
  /** [units]: kernel and permutation, where values were sampled. */
  standardErrors?: Float64Array
  /** partition: the sum of |credit| that was shared out evenly in groups which the budget did not open. */
  unresolved?: number
}
