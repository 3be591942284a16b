// A target in the address: ?run=run-1&strength=0.5, so that a reload or a copied link asks the same model.
import type { Target } from '../protocol/target.ts'

type Query = Readonly<Record<string, string>>

/** What the address says of a target; what is as it begins is left out. */
export function targetToQuery(target: Target): Record<string, string> {
  const { strength, ...named } = target
  return {
    ...Object.fromEntries(Object.entries(named).filter(([, id]) => id !== undefined)),
    ...(strength !== undefined && strength !== 1 && { strength: String(strength) }),
  }
}

/** The target of a query, and the query without it. */
export function targetFromQuery(query: Query): { target: Target | null; rest: Query } {
  const { run, checkpoint, model, adapter, strength, ...rest } = query
  const share = Number(strength || NaN)
  const weaker = share >= 0 && share < 1 ? { strength: share } : {}
  if (run) return { target: { run, ...(checkpoint && { checkpoint }), ...weaker }, rest }
  if (model) return { target: { model, ...(adapter && { adapter, ...weaker }) }, rest }
  return { target: null, rest }
}
