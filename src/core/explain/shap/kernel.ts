// Kernel SHAP (Lundberg & Lee 2017, arXiv 1705.07874): Shapley values as weighted least squares over coalitions, under
// the constraint that they add up. Coalitions come in pairs with their complements, which makes values exact for games
// of second order, however few are drawn (Covert & Lee 2021, arXiv 2012.01536). Coalition sizes from the outside in are
// taken whole as long as the budget covers their share, as in the shap package; the rest is drawn.
import { words } from '../../rng.ts'
import { Evaluator } from '../evaluate.ts'
import type { Game } from '../game.ts'
import { cholesky, solve } from '../linear.ts'
import { Pace } from '../pace.ts'
import { checkBudget, residualOf, type Shapley, type ShapOptions } from './shapley.ts'

/** Up to here 2M + 2048 samples are all coalitions. */
const EXTRA_SAMPLES = 2048

export const kernelSamples = (players: number): number => 2 * players + EXTRA_SAMPLES
/** The fewest: every piece alone and left out alone, and as many drawn. */
export const kernelLeast = (players: number): number => Math.min(2 ** players - 2, 4 * players)

/** A coalition without the last player; its complement is meant too, with the same weight. */
interface Pair {
  coalition: Uint8Array
  weight: number
  /** How often it was drawn; 0 where its size was taken whole. */
  draws: number
}

export async function kernelShap(game: Game, options: ShapOptions = {}): Promise<Shapley> {
  const { players } = game
  const samples = options.samples ?? kernelSamples(players)
  if (players > 1) checkBudget('Kernel', samples, kernelLeast(players), players)
  const { pairs, exact } = pairsOf(players, samples, options.seed ?? 0)
  const evaluator = new Evaluator(game, 2 * pairs.length + 2, options)
  const [base, value] = await evaluator.ends()
  const delta = value - base
  const found = await evaluator.values([
    ...pairs.map(({ coalition }) => coalition),
    ...pairs.map(({ coalition }) => coalition.map((there) => 1 - there)),
  ])
  // With phi_last = delta - sum of the others, a pair z, 1 - z says twice that z . phi is about half of:
  const targets = pairs.map((_, i) => found[i]! - found[pairs.length + i]! + delta)
  const free = players - 1
  const a = new Float64Array(free * free) // sum 2 w z z'
  const b = new Float64Array(free) // sum w z (f(z) - f(1 - z) + delta)
  const pace = new Pace(options.signal)
  await pace.each(pairs.length, (p) => {
    const { coalition, weight } = pairs[p]!
    const there = members(coalition)
    for (const i of there) {
      b[i]! += weight * targets[p]!
      for (const j of there) if (j <= i) a[i * free + j]! += 2 * weight
    }
  })
  const factor = cholesky(a, free)
  const solved = solve(factor, free, b)
  const values = new Float64Array(players)
  values.set(solved)
  values[free] = delta - solved.reduce((sum, phi) => sum + phi, 0)
  return {
    values,
    base,
    value,
    residual: residualOf(values, base, value),
    evaluations: evaluator.done,
    exact,
    ...(!exact && { standardErrors: await sandwich(pairs, targets, solved, factor, pace) }),
  }
}

const members = (coalition: Uint8Array): number[] => {
  const there: number[] = []
  coalition.forEach((is, i) => is && there.push(i))
  return there
}

/**
 * Standard errors of the drawn part: A^-1 (sum over draws of the centred scores' products) A^-1, where a draw's score is
 * what it adds to the normal equations at the solution.
 */
async function sandwich(
  pairs: readonly Pair[],
  targets: readonly number[],
  solved: Float64Array,
  factor: Float64Array,
  pace: Pace,
): Promise<Float64Array> {
  const free = solved.length
  const drawn = pairs.flatMap((pair, p) => (pair.draws > 0 ? [{ ...pair, p }] : []))
  const draws = drawn.reduce((sum, pair) => sum + pair.draws, 0)
  const sums = new Float64Array(free + 1)
  const squares = new Float64Array(free + 1)
  await pace.each(drawn.length, (k) => {
    const { coalition, weight, draws: times, p } = drawn[k]!
    const there = members(coalition)
    const missed = targets[p]! - 2 * there.reduce((sum, i) => sum + solved[i]!, 0)
    const score = new Float64Array(free)
    for (const i of there) score[i] = (weight / times) * missed
    const moved = solve(factor, free, score)
    const add = (i: number, by: number) => {
      sums[i]! += times * by
      squares[i]! += times * by * by
    }
    moved.forEach((by, i) => add(i, by))
    // The last player's value moves against all others.
    add(free, -moved.reduce((sum, by) => sum + by, 0))
  })
  return squares.map((square, i) => {
    const centred = Math.max(0, square - sums[i]! ** 2 / draws)
    return Math.sqrt((centred * draws) / Math.max(1, draws - 1))
  })
}

function pairsOf(players: number, samples: number, seed: number): { pairs: Pair[]; exact: boolean } {
  const last = players - 1
  const pairs: Pair[] = []
  if (players < 2) return { pairs, exact: true }
  /** The side of a pair that the last player is not in. */
  const side = (coalition: Uint8Array) => (coalition[last] ? coalition.map((there) => 1 - there) : coalition)
  const half = Math.floor(players / 2)
  // masses[s - 1]: the kernel's mass on sizes s and M - s; counts: pairs of that size.
  const masses = Array.from({ length: half }, (_, i) => {
    const size = i + 1
    return ((2 * size === players ? 1 : 2) * (players - 1)) / (size * (players - size))
  })
  let left = Math.min(samples, 2 ** players - 2)
  let size = 1
  for (; size <= half; size++) {
    const count = choose(players, size) / (2 * size === players ? 2 : 1)
    const rest = masses.slice(size - 1).reduce((sum, mass) => sum + mass, 0)
    // Single pieces always, so that each value is determined.
    if (size > 1 && (left * masses[size - 1]!) / rest < 2 * count - 1e-6) break
    const weight = masses[size - 1]! / (2 * count)
    for (const coalition of subsets(players, size)) {
      // Of two halves only the one without the last player.
      if (2 * size === players && coalition[last]) continue
      pairs.push({ coalition: side(coalition), weight, draws: 0 })
    }
    left -= 2 * count
  }
  if (size > half) return { pairs, exact: true }

  const rest = masses.slice(size - 1)
  const mass = rest.reduce((sum, each) => sum + each, 0)
  const drawn = new Map<string, Pair>()
  const wanted = Math.max(1, Math.floor(left / 2))
  let draws = 0
  // Repetitions weigh more and cost nothing; among few coalitions they could go on for ever.
  while (drawn.size < wanted && draws < 4 * wanted) {
    const random = words({ seed, purpose: 'sample', step: draws++ }, players + 1)
    const unit = (i: number) => random[i]! / 0x100000000
    let at = unit(players) * mass
    let chosen = 0
    while (chosen < rest.length - 1 && at >= rest[chosen]!) at -= rest[chosen++]!
    const coalition = side(randomSubset(players, size + chosen, unit))
    const key = coalition.join('')
    const known = drawn.get(key)
    if (known) known.draws++
    else drawn.set(key, { coalition, weight: 0, draws: 1 })
  }
  for (const pair of drawn.values()) {
    pair.weight = (mass * pair.draws) / (2 * draws)
    pairs.push(pair)
  }
  return { pairs, exact: false }
}

/** `size` of the players, each set as likely (the beginning of a Fisher-Yates shuffle). */
function randomSubset(players: number, size: number, unit: (i: number) => number): Uint8Array {
  const order = Array.from({ length: players }, (_, i) => i)
  const coalition = new Uint8Array(players)
  for (let i = 0; i < size; i++) {
    const j = i + Math.floor(unit(i) * (players - i))
    const player = order[j]!
    order[j] = order[i]!
    order[i] = player
    coalition[player] = 1
  }
  return coalition
}

function choose(n: number, k: number): number {
  let count = 1
  for (let i = 1; i <= k; i++) count = (count * (n - k + i)) / i
  return count
}

/** All coalitions of one size, in lexical order. */
function* subsets(players: number, size: number): Generator<Uint8Array> {
  const places = Array.from({ length: size }, (_, i) => i)
  for (;;) {
    const coalition = new Uint8Array(players)
    for (const place of places) coalition[place] = 1
    yield coalition
    let i = size - 1
    while (i >= 0 && places[i] === players - size + i) i--
    if (i < 0) return
    places[i]!++
    for (let j = i + 1; j < size; j++) places[j] = places[j - 1]! + 1
  }
}
