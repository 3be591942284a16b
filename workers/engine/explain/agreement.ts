// graft.explain.agreement: do several methods say the same of one text?
import { agreementOf } from '../../../src/core/explain/ranks.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import { COMPARED_METHODS, SCORING_METHODS } from '../../../src/protocol/explain.ts'
import { SAMPLES_LIMIT } from './attribution.ts'
import { checkCount, checkOneOf, checkPieces, checkSeed } from './checks.ts'
import type { Explainer } from './desk.ts'
import { isSigned, partOf, scoresBy, type Scored } from './scoring.ts'

const TOP = 3

export const agreement: Explainer<'agreement'> = async (desk, target, request, context) => {
  const { methods = [...COMPARED_METHODS], seed = 0, top = TOP, ...rest } = request
  checkPieces(request)
  for (const method of methods) checkOneOf('method', method, SCORING_METHODS)
  if (methods.length < 2 || new Set(methods).size < methods.length)
    throw new GraftError('E_ARGUMENT', 'Name at least two methods to compare, each once.', { methods })
  checkSeed(seed)
  checkCount('top', top, 1, 100)
  checkCount('samples', request.samples, 1, SAMPLES_LIMIT)
  const runs: Scored[] = []
  for (const [i, method] of methods.entries()) {
    const part = partOf(context, i, methods.length, `Method ${i + 1} of ${methods.length}`)
    runs.push(await scoresBy(desk, target, method, { ...rest, seed, compared: true }, part))
  }
  const scores = runs.map((run) => run.scores)
  return {
    ...agreementOf(scores, methods.map(isSigned), top),
    methods: [...methods],
    units: runs[0]!.units,
    scores: Float64Array.from(scores.flatMap((each) => [...each])),
    top,
    output: runs[0]!.output,
    granularity: request.granularity ?? 'word',
    seed,
  }
}
