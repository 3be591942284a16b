// Any method that gives each piece a number, asked in one form: what stability and agreement compare.
import {
  SALIENCY_METHODS,
  type ExplainedOutput,
  type ExplainInput,
  type OutputChoice,
  type SaliencyMethod,
  type ScoringMethod,
  type Unit,
  type UnitChoice,
} from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import type { Target } from '../../../src/protocol/target.ts'
import type { Desk } from './desk.ts'
import { lime } from './lime.ts'
import { saliency } from './saliency.ts'
import { shap } from './shap.ts'

export type ScoringRequest = ExplainInput & OutputChoice & UnitChoice & { samples?: number; seed?: number }

export interface Scored {
  units: Unit[]
  scores: Float64Array
  output: ExplainedOutput
  /** Another seed would say the same. */
  deterministic: boolean
}

const UNSIGNED: readonly ScoringMethod[] = ['gradientNorm', 'smoothGrad']
export const isSigned = (method: ScoringMethod): boolean => !UNSIGNED.includes(method)

/** `compared`: LIME ranks every piece, and explains the number that the other methods do. */
export async function scoresBy(
  desk: Desk,
  target: Target,
  method: ScoringMethod,
  request: ScoringRequest & { compared?: boolean },
  context: CallContext,
): Promise<Scored> {
  if (isSaliency(method)) {
    const { samples, compared, ...rest } = request
    // Of methods that are compared the budget is one of texts; gradients have passes of their own.
    const passes = compared || samples === undefined ? {} : { samples }
    const found = await saliency(desk, target, { ...rest, ...passes, method }, context)
    return {
      units: found.units,
      scores: found.unitScores,
      output: found.output,
      deterministic: method !== 'smoothGrad',
    }
  }
  if (method === 'lime') {
    const settings = request.compared ? ({ selection: 'none', explained: 'logit' } as const) : {}
    const { units, weights, output } = await lime(desk, target, { ...request, ...settings }, context)
    return { units, scores: weights, output, deterministic: false }
  }
  const { units, values, output, exact } = await shap(desk, target, { ...request, method }, context)
  return { units, scores: values, output, deterministic: method === 'partition' || exact }
}

const isSaliency = (method: ScoringMethod): method is SaliencyMethod & ScoringMethod =>
  (SALIENCY_METHODS as readonly string[]).includes(method)

/** The progress of part `at` of `parts` as that of the whole. */
export function partOf(context: CallContext, at: number, parts: number, label: string): CallContext {
  const started = performance.now()
  return {
    signal: context.signal,
    progress: ({ done, total }) => {
      const share = total ? Math.min(1, done / total) : 0
      const spent = (performance.now() - started) / 1000
      context.progress({
        label,
        done: Math.round(100 * (at + share)),
        total: 100 * parts,
        unit: 'items',
        ...(share > 0 && { secondsLeft: (spent / share) * (parts - at - share) }),
      })
    },
  }
}
