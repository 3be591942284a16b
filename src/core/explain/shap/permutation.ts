// Permutation SHAP (Strumbelj & Kononenko 2014; the shap package's antithetic form): pieces are added in a random order
// and taken away in the same one. Each pass telescopes, so values always add up, and forth and back together are exact
// for games of second order.
import { permutation } from '../../rng.ts'
import { Evaluator } from '../evaluate.ts'
import type { Game } from '../game.ts'
import { checkBudget, residualOf, type Shapley, type ShapOptions } from './shapley.ts'

const PERMUTATIONS = 10

/** Coalitions of one permutation, forth and back. */
export const permutationLeast = (players: number): number => 2 * players + 1
export const permutationSamples = (players: number): number => PERMUTATIONS * permutationLeast(players)

export async function permutationShap(game: Game, options: ShapOptions = {}): Promise<Shapley> {
  const { players } = game
  const samples = options.samples ?? permutationSamples(players)
  checkBudget('Permutation', samples, permutationLeast(players), players)
  // Two pieces make a game of second order at most: once is exact.
  const permutations = players <= 2 ? 1 : Math.floor(samples / permutationLeast(players))
  const evaluator = new Evaluator(game, permutations * 2 * players + 1, options)
  const nobody = new Uint8Array(players)
  const base = (await evaluator.values([nobody]))[0]!
  let value = base
  const sums = new Float64Array(players)
  const squares = new Float64Array(players)
  for (let p = 0; p < permutations; p++) {
    const order = permutation({ seed: options.seed ?? 0, purpose: 'sample', step: p }, players)
    const coalition = nobody.slice()
    const steps = [...order, ...order].map((player) => {
      coalition[player] = 1 - coalition[player]!
      return coalition.slice()
    })
    const found = [base, ...(await evaluator.values(steps))]
    value = found[players]!
    order.forEach((player, k) => {
      const added = found[k + 1]! - found[k]!
      const taken = found[players + k]! - found[players + k + 1]!
      const mean = (added + taken) / 2
      sums[player]! += mean
      squares[player]! += mean * mean
    })
  }
  const values = sums.map((sum) => sum / permutations)
  const exact = players <= 2
  return {
    values,
    base,
    value,
    residual: residualOf(values, base, value),
    evaluations: evaluator.done,
    exact,
    ...(!exact &&
      permutations > 1 && {
        standardErrors: values.map((mean, i) =>
          Math.sqrt(Math.max(0, squares[i]! / permutations - mean * mean) / (permutations - 1)),
        ),
      }),
  }
}
