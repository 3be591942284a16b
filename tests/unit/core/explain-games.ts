// Games with a closed form; the same as in tools/golden/attribution.py.
import type { Game } from '../../../src/core/explain/game.ts'

export type Formula = (there: ArrayLike<number>) => number

/** A game, and how often it was asked. */
export function gameOf(players: number, formula: Formula): Game & { asked: number } {
  return {
    players,
    asked: 0,
    values(coalitions) {
      this.asked += coalitions.length
      return Promise.resolve(Float64Array.from(coalitions, formula))
    },
  }
}

const sum = (there: ArrayLike<number>, term: (i: number) => number) => {
  let total = 0
  for (let i = 0; i < there.length; i++) if (there[i]) total += term(i)
  return total
}

export const FORMULAS = {
  rough: (there) => 3 * Math.sin(12.9898 * sum(there, (i) => 2 ** i)),
  pairwise: (there) =>
    sum(there, (i) => i + 1) + sum(there, (i) => sum(there, (j) => (j > i ? Math.cos(i + 2 * j) : 0))),
  smooth: (there) =>
    1 / (1 + Math.exp(-(sum(there, (i) => 1.5 * Math.cos(3 * i)) + 2 * there[0]! * there[1]! - 1))),
} satisfies Record<string, Formula>

/** Shapley values by their definition. */
export function bruteForce(players: number, formula: Formula): number[] {
  const factorials = [1]
  for (let i = 1; i <= players; i++) factorials.push(factorials[i - 1]! * i)
  const coalition = (bits: number) => Array.from({ length: players }, (_, i) => (bits >> i) & 1)
  return Array.from({ length: players }, (_, player) => {
    let value = 0
    for (let bits = 0; bits < 2 ** players; bits++) {
      if ((bits >> player) & 1) continue
      const size = coalition(bits).reduce((total, there) => total + there, 0)
      const weight = (factorials[size]! * factorials[players - size - 1]!) / factorials[players]!
      value += weight * (formula(coalition(bits | (1 << player))) - formula(coalition(bits)))
    }
    return value
  })
}
