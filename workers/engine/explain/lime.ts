// graft.explain.lime: a line through the model's answers near one text.
import { lime as limeOf, LIME_LEAST } from '../../../src/core/explain/lime.ts'
import { LIME_SELECTIONS } from '../../../src/protocol/explain.ts'
import { checkAttribution, openGame, SAMPLES_LIMIT, reporting } from './attribution.ts'
import { checkCount, checkNumber, checkOneOf } from './checks.ts'
import { withTarget, type Explainer } from './desk.ts'

export const lime: Explainer<'lime'> = async (desk, target, request, context) => {
  const { samples, features, selection, kernelWidth, alpha, seed } = request
  checkAttribution(request)
  checkOneOf('selection', selection, LIME_SELECTIONS)
  checkCount('samples', samples, LIME_LEAST, SAMPLES_LIMIT)
  checkCount('features', features, 1, 10_000)
  checkNumber('kernelWidth', kernelWidth, 1e-3, 1e6)
  checkNumber('alpha', alpha, 0, 1e6)
  const explained = request.explained ?? (request.contrast === undefined ? 'probability' : 'logit')
  return withTarget(desk, target, async (resolved) => {
    const { game, said } = await openGame(desk, resolved, { ...request, explained }, context)
    const found = await limeOf(game, {
      ...reporting('Asking without some of the pieces', context),
      ...(samples !== undefined && { samples }),
      ...(seed !== undefined && { seed }),
      ...(features !== undefined && { features }),
      ...(selection !== undefined && { selection }),
      ...(kernelWidth !== undefined && { kernelWidth }),
      ...(alpha !== undefined && { alpha }),
    })
    return { ...said, ...found }
  })
}
