// graft.explain.stability: does a method say the same with another seed?
import { stabilityOf } from '../../../src/core/explain/ranks.ts'
import { SCORING_METHODS } from '../../../src/protocol/explain.ts'
import { checkCount, checkOneOf, checkPieces, checkSeed } from './checks.ts'
import type { Explainer } from './desk.ts'
import { partOf, scoresBy, type Scored } from './scoring.ts'

const SEEDS = 5
const TOP = 3

export const stability: Explainer<'stability'> = async (desk, target, request, context) => {
  const { method, seeds: count = SEEDS, seed = 0, top = TOP, ...rest } = request
  checkPieces(request)
  checkOneOf('method', method, SCORING_METHODS, { needed: true })
  checkCount('seeds', count, 2, 50)
  checkCount('seed', seed, 0, 2 ** 32 - count)
  checkSeed(seed)
  checkCount('top', top, 1, 100)
  const seeds = Array.from({ length: count }, (_, i) => seed + i)
  const runs: Scored[] = []
  for (const [i, one] of seeds.entries()) {
    const part = partOf(context, i, count, `Seed ${i + 1} of ${count}`)
    runs.push(await scoresBy(desk, target, method, { ...rest, seed: one }, part))
    if (runs[0]!.deterministic) break
  }
  const { units, output, deterministic } = runs[0]!
  const scores = deterministic ? [runs[0]!.scores, runs[0]!.scores] : runs.map((run) => run.scores)
  return {
    ...stabilityOf(scores, top),
    method,
    units,
    seeds: seeds.slice(0, runs.length),
    deterministic,
    scores: Float64Array.from(runs.flatMap((run) => [...run.scores])),
    top,
    output,
    granularity: request.granularity ?? 'word',
  }
}
