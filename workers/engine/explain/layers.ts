// graft.explain.layers: what each block adds to the residual.
import { additions } from '../../../src/core/explain/layers/contributions.ts'
import { secondsLeft } from '../time.ts'
import { openSubject, withTarget, type Explainer } from './desk.ts'

export const layers: Explainer<'layers'> = (desk, target, request, context) =>
  withTarget(desk, target, async (resolved) => {
    const { subject, tokens, output } = await openSubject(desk, resolved, request, request)
    const total = subject.model.architecture.layers
    const started = performance.now()
    const { residual, attention, mlp, direct } = await additions(subject, {
      onLayer: (done) =>
        context.progress({
          label: 'Reading layers',
          done,
          total,
          unit: 'items',
          secondsLeft: secondsLeft(started, done, total),
        }),
      signal: context.signal,
    })
    return { tokens, ids: [...subject.ids], layers: total, output, residual, attention, mlp, direct }
  })
