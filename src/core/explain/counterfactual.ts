// Minimal edits: the smallest sets of changes that flip an answer, such that no strict subset does. Sizes are tried in
// ascending order; where there are too many sets of a size, those whose parts lower the margin most are tried.
import type { MinimalEdit } from '../../protocol/explain.ts'
import type { Decision } from './decisions.ts'

/** The model's decision after each set of changes. */
export type DecideEdits = (sets: readonly (readonly number[])[]) => Promise<Decision[]>

export const COUNTERFACTUAL_DEFAULTS = { flips: 3, count: 5, tries: 2000 }

export interface CounterfactualOptions {
  flips?: number
  count?: number
  /** Sets of one size at most. */
  tries?: number
  /** Piece that each change is of: two changes of one piece exclude each other, and of several edits of the same pieces
   *  only the surest is told. By default each change is of a piece of its own. */
  pieces?: readonly number[]
}

export interface MinimalEdits {
  margin: number
  /** Of changes. */
  edits: MinimalEdit[]
  exhaustive: boolean
}

/** `changes` possible changes that can be made together. */
export async function minimalEdits(
  changes: number,
  decide: DecideEdits,
  options: CounterfactualOptions = {},
): Promise<MinimalEdits> {
  const { flips, count, tries } = { ...COUNTERFACTUAL_DEFAULTS, ...options }
  const pieceOf = (change: number) => options.pieces?.[change] ?? change
  const piecesOf = (set: readonly number[]) => [...new Set(set.map(pieceOf))].sort((a, b) => a - b)
  const margin = (await decide([[]]))[0]!.margin
  let exhaustive = true
  let alone: number[] = []
  for (let size = 1; size <= Math.min(flips, changes); size++) {
    // The strongest changes come first; with too many sets only those of the strongest are made.
    const strongest = size === 1 ? Array.from({ length: changes }, (_, i) => i) : alone
    let pool = strongest.length
    while (size > 1 && pool > size && binomial(pool, size) > tries) pool--
    exhaustive &&= pool === changes
    const sets = subsets(strongest.slice(0, pool), size).filter((set) => piecesOf(set).length === size)
    const decisions = await decide(sets)
    const found = sets
      .map((set, i): MinimalEdit => ({ units: set.toSorted((a, b) => a - b), ...decisions[i]! }))
      .filter((edit) => edit.margin < 0)
      .sort((a, b) => a.margin - b.margin)
    // Smaller sets of the same changes have all been tried: the pool of a size is part of the one before.
    if (found.length > 0) {
      const surest = new Map<string, MinimalEdit>()
      for (const edit of found) {
        const key = piecesOf(edit.units).join()
        if (!surest.has(key)) surest.set(key, edit)
      }
      return { margin, edits: [...surest.values()].slice(0, count), exhaustive }
    }
    if (size === 1)
      alone = sets
        .map(([change], i) => ({ change: change!, margin: decisions[i]!.margin }))
        .sort((a, b) => a.margin - b.margin)
        .map(({ change }) => change)
  }
  return { margin, edits: [], exhaustive }
}

function binomial(n: number, k: number): number {
  let value = 1
  for (let i = 0; i < k; i++) value = (value * (n - i)) / (i + 1)
  return value
}

function subsets(of: readonly number[], size: number): number[][] {
  if (size === 0) return [[]]
  return of.flatMap((first, i) => subsets(of.slice(i + 1), size - 1).map((rest) => [first, ...rest]))
}
