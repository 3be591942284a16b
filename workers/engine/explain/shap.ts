// graft.explain.shap: Shapley values of a text's pieces.
import { kernelShap } from '../../../src/core/explain/shap/kernel.ts'
import { partitionShap } from '../../../src/core/explain/shap/partition.ts'
import { permutationShap } from '../../../src/core/explain/shap/permutation.ts'
import type { Shapley, ShapOptions } from '../../../src/core/explain/shap/shapley.ts'
import { treeOf } from '../../../src/core/explain/shap/tree.ts'
import { unitsOf } from '../../../src/core/explain/units.ts'
import { SHAP_METHODS, type Granularity, type ShapMethod } from '../../../src/protocol/explain.ts'
import { checkAttribution, openGame, reporting, type Played } from './attribution.ts'
import { checkOneOf } from './checks.ts'
import { withTarget, type Explainer } from './desk.ts'

export const shap: Explainer<'shap'> = async (desk, target, request, context) => {
  const { method = 'partition', samples, seed, explained = 'logit' } = request
  checkAttribution(request)
  checkOneOf('method', method, SHAP_METHODS)
  return withTarget(desk, target, async (resolved) => {
    const played = await openGame(desk, resolved, { ...request, explained }, context)
    const found = await WAYS[method](played, {
      ...reporting('Asking without some of the pieces', context),
      ...(samples !== undefined && { samples }),
      ...(seed !== undefined && { seed }),
    })
    return { ...played.said, ...found, method }
  })
}

const COARSER: Record<Granularity, Granularity[]> = {
  token: ['word', 'sentence'],
  word: ['sentence'],
  sentence: [],
}

const WAYS: Record<ShapMethod, (played: Played, options: ShapOptions) => Promise<Shapley>> = {
  kernel: ({ game }, options) => kernelShap(game, options),
  permutation: ({ game }, options) => permutationShap(game, options),
  partition: ({ game, opened: { subject, tokens }, said: { units, granularity } }, options) => {
    const levels = COARSER[granularity].map((level) => unitsOf(tokens, subject.fixed, level))
    return partitionShap(game, treeOf(units, levels), options)
  },
}
