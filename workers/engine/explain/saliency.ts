// graft.explain.saliency: gradients with respect to the input embeddings.
import { saliency as saliencyOf } from '../../../src/core/explain/saliency.ts'
import { sumsByUnit, unitsOf } from '../../../src/core/explain/units.ts'
import { checkSaliency } from '../questions.ts'
import { openSubject, withTarget, type Explainer } from './desk.ts'

export const saliency: Explainer<'saliency'> = (desk, target, request, context) =>
  withTarget(desk, target, async (resolved) => {
    checkSaliency(request)
    const { subject, tokens, output } = await openSubject(desk, resolved, request, request)
    const { method, samples, seed, baseline } = request
    const { scores, residual } = await saliencyOf(subject, {
      method,
      ...(samples !== undefined && { samples }),
      ...(seed !== undefined && { seed }),
      ...(baseline !== undefined && { baseline }),
      onPass: (done, total) => context.progress({ label: 'Following gradients', done, total, unit: 'items' }),
      signal: context.signal,
    })
    const units = unitsOf(tokens, subject.fixed, request.granularity ?? 'word')
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
