// graft.explain.counterfactual: the fewest pieces without which the answer is another.
import { minimalEdits, COUNTERFACTUAL_DEFAULTS } from '../../../src/core/explain/counterfactual.ts'
import { decider } from '../../../src/core/explain/decisions.ts'
import { withTarget, type Explainer } from './desk.ts'
import { checkCount, checkPieces } from './checks.ts'
import { asking, openPieces } from './pieces.ts'

export const counterfactual: Explainer<'counterfactual'> = (desk, target, request, context) => {
  checkPieces(request)
  checkCount('flips', request.flips, 1, 3)
  checkCount('count', request.count, 1, 100)
  return withTarget(desk, target, async (resolved) => {
    const { subject, units, masking, output, granularity } = await openPieces(desk, resolved, request, {})
    const { tokenizer } = resolved.base
    const decide = decider(subject, output.index, asking(context, 'Taking pieces away'))
    const without = (gone: readonly number[]) =>
      masking.masked(Uint8Array.from(units, (_, unit) => Number(!gone.includes(unit))))
    const { margin, edits, exhaustive } = await minimalEdits(
      units.length,
      (sets) => decide(sets.map(without)),
      {
        flips: request.flips ?? COUNTERFACTUAL_DEFAULTS.flips,
        count: request.count ?? COUNTERFACTUAL_DEFAULTS.count,
      },
    )
    return {
      pieces: units,
      edits: edits.map((edit) => ({
        ...edit,
        name: resolved.labels?.[edit.output] ?? tokenizer.tokens([edit.output])[0]!,
        text: tokenizer.tokens(without(edit.units).ids).join(''),
      })),
      output,
      margin,
      exhaustive,
      granularity,
      replacement: masking.replacement,
    }
  })
}
