// graft.explain.anchors: the pieces that hold a prediction in place.
import { anchors as anchorsOf, ANCHOR_DEFAULTS } from '../../../src/core/explain/anchors.ts'
import { decider } from '../../../src/core/explain/decisions.ts'
import type { AnchorsRequest } from '../../../src/protocol/explain.ts'
import { withTarget, type Explainer } from './desk.ts'
import { checkCount, checkPieces, checkSeed, checkShare } from './checks.ts'
import { openPieces } from './pieces.ts'

export const anchors: Explainer<'anchors'> = (desk, target, request, context) => {
  check(request)
  return withTarget(desk, target, async (resolved) => {
    const { subject, units, masking, output, granularity } = await openPieces(desk, resolved, request, {})
    const { precision, delta, tau, beam, batch, samples, size, seed } = {
      ...ANCHOR_DEFAULTS,
      ...given(request),
    }
    let furthest = 0
    const decide = decider(subject, output.index, { signal: context.signal })
    const found = await anchorsOf(
      units.length,
      async (coalitions) => {
        const decisions = await decide(coalitions.map((coalition) => masking.masked(coalition)))
        return Uint8Array.from(decisions, (decision) => Number(decision.output === output.index))
      },
      {
        precision,
        delta,
        tau,
        beam,
        batch,
        samples,
        size,
        seed,
        signal: context.signal,
        onRound: (length, done) => {
          // How many texts a rule takes nobody knows beforehand; how long rules may get is known.
          furthest = Math.max(furthest, length)
          context.progress({
            label: `Rules of up to ${furthest} ${furthest === 1 ? 'piece' : 'pieces'}, ${done.toLocaleString('en')} texts asked`,
            done: furthest,
            total: Math.min(size, units.length) + 1,
            unit: 'steps',
          })
        },
      },
    )
    return { ...found, pieces: units, output, granularity, replacement: masking.replacement, seed }
  })
}

function check(request: AnchorsRequest): void {
  checkPieces(request)
  checkSeed(request.seed)
  checkShare('precision', request.precision)
  checkShare('delta', request.delta)
  checkShare('tau', request.tau)
  checkCount('beam', request.beam, 1, 100)
  checkCount('batch', request.batch, 1, 10_000)
  checkCount('samples', request.samples, 1, 1_000_000)
  checkCount('size', request.size, 1, 100)
}

/** Settings without those that are undefined. */
function given(request: AnchorsRequest): Partial<typeof ANCHOR_DEFAULTS> {
  return Object.fromEntries(
    Object.entries(request).filter(([name, value]) => name in ANCHOR_DEFAULTS && value !== undefined),
  )
}
