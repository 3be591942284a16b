// graft.explain.faithfulness: what becomes of the answer without the pieces that an explanation calls important.
import { faithfulness as faithfulnessOf } from '../../../src/core/explain/faithfulness.ts'
import { textGame } from '../../../src/core/explain/game.ts'
import { sumsByUnit, unitsOf } from '../../../src/core/explain/units.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { FaithfulnessRequest } from '../../../src/protocol/explain.ts'
import type { ResolvedTarget } from '../targets.ts'
import { checkCount, checkPieces, checkSeed } from './checks.ts'
import { readInput, withTarget, type Explainer } from './desk.ts'
import { asking, openPieces } from './pieces.ts'

export const faithfulness: Explainer<'faithfulness'> = (desk, target, request, context) => {
  check(request)
  return withTarget(desk, target, async (resolved) => {
    const { orders, steps, seed = 0, method, output: asked } = request
    const scores = scoresByUnit(resolved, request)
    const { subject, masking, units, output, granularity } = await openPieces(
      desk,
      resolved,
      request,
      asked === undefined ? {} : { output: asked },
    )
    const game = textGame(subject, masking, 'probability', asking(context, 'Taking pieces away'))
    const found = await faithfulnessOf(game, scores, {
      seed,
      ...(orders !== undefined && { orders }),
      ...(steps !== undefined && { steps }),
    })
    return {
      ...found,
      units,
      scores,
      ...(method !== undefined && { method }),
      output,
      granularity,
      replacement: masking.replacement,
      seed,
    }
  })
}

function check(request: FaithfulnessRequest): void {
  checkPieces(request)
  checkSeed(request.seed)
  checkCount('orders', request.orders, 2, 1000)
  checkCount('steps', request.steps, 1, 1000)
  const scores = request.scores as ArrayLike<number> | undefined
  const wrong = scores && Array.from(scores).findIndex((score) => !Number.isFinite(score))
  if (wrong === undefined || wrong >= 0)
    throw new GraftError(
      'E_ARGUMENT',
      wrong === undefined
        ? 'There are no scores. Give a number a piece, for example those of graft.explain.saliency.'
        : `Score ${wrong} is not a number (${String(scores![wrong])}).`,
    )
}

/** Throws E_ARGUMENT for scores of another length than the text's, before the model is asked. */
function scoresByUnit(resolved: ResolvedTarget, request: FaithfulnessRequest): Float64Array {
  const { scores, granularity = 'word' } = request
  const { tokens, fixed } = readInput(resolved, request)
  const units = unitsOf(tokens, fixed, granularity)
  if (scores.length === units.length) return Float64Array.from(scores)
  if (scores.length === tokens.length) return sumsByUnit(scores, units)
  throw new GraftError(
    'E_ARGUMENT',
    `There are ${scores.length} scores, but the text has ${units.length} pieces (${granularity}) and ${tokens.length} ` +
      'tokens. Give one score a piece, or one a token.',
    { scores: scores.length, units: units.length, tokens: tokens.length },
  )
}
