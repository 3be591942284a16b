// What the three ways to Shapley values have in common.
import { GraftError } from '../../../protocol/errors.ts'
import type { EvaluateOptions } from '../evaluate.ts'

export interface ShapOptions extends EvaluateOptions {
  /** Coalitions asked at most. */
  samples?: number
  seed?: number
}

export interface Shapley {
  /** [players] */
  values: Float64Array
  /** The game's value without anybody, and with everybody. */
  base: number
  value: number
  /** sum(values) - (value - base) */
  residual: number
  /** Coalitions asked. */
  evaluations: number
  /** Nothing was sampled or left out. */
  exact: boolean
  /** [players]: of sampled values. */
  standardErrors?: Float64Array
  /** partition: the sum of |credit| that groups shared out evenly, because the budget ended before they were opened. */
  unresolved?: number
}

export function residualOf(values: Float64Array, base: number, value: number): number {
  return values.reduce((sum, each) => sum + each, 0) - (value - base)
}

/** Throws E_ARGUMENT for a budget that the method cannot work with. */
export function checkBudget(method: string, samples: number, least: number, players: number): void {
  if (Number.isInteger(samples) && samples >= least) return
  throw new GraftError(
    'E_ARGUMENT',
    `${method} SHAP of ${players} pieces needs at least ${least} samples, but was given ${samples}. Raise samples, or explain larger pieces (words, sentences).`,
    { samples, least, players },
  )
}
