// graft.explain.saliency: gradients with respect to the input embeddings.
import { saliency as saliencyOf } from '../../../src/core/explain/saliency.ts'
import { sumsByUnit, unitsOf } from '../../../src/core/explain/units.ts'
import { GRANULARITIES, SALIENCY_BASELINES, SALIENCY_METHODS } from '../../../src/protocol/explain.ts'
import { checkCount, checkNumber, checkOneOf, checkSeed } from './checks.ts'
import { openSubject, withTarget, type Explainer } from './desk.ts'

/** Passes of one SmoothGrad or integrated gradients. */
const SAMPLES_LIMIT = 10_000

export const saliency: Explainer<'saliency'> = async (desk, target, request, context) => {
  const { method, samples, seed, noise, baseline, granularity } = request
  checkOneOf('method', method, SALIENCY_METHODS)
  checkOneOf('granularity', granularity, GRANULARITIES)
  checkCount('samples', samples, 1, SAMPLES_LIMIT)
  checkSeed(seed)
  checkNumber('noise', noise, 0, 100)
  checkOneOf('baseline', baseline, SALIENCY_BASELINES)
  return withTarget(desk, target, async (resolved) => {
    const { subject, tokens, output } = await openSubject(desk, resolved, request, request)
    const { scores, residual } = await saliencyOf(subject, {
      method,
      ...(samples !== undefined && { samples }),
      ...(seed !== undefined && { seed }),
      ...(noise !== undefined && { noise }),
      ...(baseline !== undefined && { baseline }),
      onPass: (done, total) => context.progress({ label: 'Following gradients', done, total, unit: 'items' }),
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
      ...(residual !== undefined && { residual }),
    }
  })
}
