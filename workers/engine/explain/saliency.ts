// graft.explain.saliency: gradients with respect to the input embeddings.
import { SALIENCY_DEFAULTS, saliency as saliencyOf } from '../../../src/core/explain/saliency.ts'
import { sumsByUnit, unitsOf } from '../../../src/core/explain/units.ts'
import {
  GRANULARITIES,
  SALIENCY_BASELINES,
  SALIENCY_METHODS,
  type SaliencyRequest,
  type SaliencyResult,
} from '../../../src/protocol/explain.ts'
import { secondsLeft } from '../time.ts'
import { checkCount, checkNumber, checkOneOf, checkSeed } from './checks.ts'
import { openSubject, withTarget, type Explainer } from './desk.ts'

/** Passes of one SmoothGrad or integrated gradients. */
const SAMPLES_LIMIT = 10_000

export const saliency: Explainer<'saliency'> = async (desk, target, request, context) => {
  const { method = 'gradientXInput', samples, seed, noise, baseline, granularity } = request
  checkOneOf('method', method, SALIENCY_METHODS)
  checkOneOf('granularity', granularity, GRANULARITIES)
  checkCount('samples', samples, 1, SAMPLES_LIMIT)
  checkSeed(seed)
  checkNumber('noise', noise, 0, 100)
  checkOneOf('baseline', baseline, SALIENCY_BASELINES)
  return withTarget(desk, target, async (resolved) => {
    const { subject, tokens, output } = await openSubject(desk, resolved, request, request)
    const started = performance.now()
    const { scores, base, residual, points } = await saliencyOf(subject, {
      method,
      ...(samples !== undefined && { samples }),
      ...(seed !== undefined && { seed }),
      ...(noise !== undefined && { noise }),
      ...(baseline !== undefined && { baseline }),
      onPass: (done, total) =>
        context.progress({
          label: 'Following gradients',
          done,
          total,
          unit: 'items',
          secondsLeft: secondsLeft(started, done, total),
        }),
      signal: context.signal,
    })
    const units = unitsOf(tokens, subject.fixed, granularity ?? 'word')
    return {
      tokens,
      ids: [...subject.ids],
      scores,
      units,
      unitScores: sumsByUnit(scores, units),
      method,
      output,
      ...(base !== undefined && { base }),
      ...(residual !== undefined && { residual }),
      ...madeWith({ ...request, method, ...(points !== undefined && { samples: points }) }),
    }
  })
}

/** The settings that the method read, defaults included. */
function madeWith({
  method,
  samples,
  noise,
  seed,
  baseline,
}: SaliencyRequest): Pick<SaliencyResult, 'samples' | 'noise' | 'seed' | 'baseline'> {
  if (method === 'smoothGrad') {
    const by = SALIENCY_DEFAULTS.smoothGrad
    return { samples: samples ?? by.samples, noise: noise ?? by.noise, seed: seed ?? by.seed }
  }
  if (method !== 'integratedGradients') return {}
  const by = SALIENCY_DEFAULTS.integratedGradients
  return { samples: samples ?? by.samples, baseline: baseline ?? by.baseline }
}
