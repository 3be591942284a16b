// Faithfulness of scores: comprehensiveness and sufficiency (DeYoung et al. 2020, "ERASER", arXiv 1911.03429) and the
// deletion curve (Petsiuk et al. 2018, arXiv 1806.07421) against random orders and against the reversed one. The game's
// value is the probability of the output.
import { FAITHFULNESS_SHARES, type DeletionCurve, type FaithfulnessScores } from '../../protocol/explain.ts'
import { permutation } from '../rng.ts'
import type { Game } from './game.ts'

const ORDERS = 20
const STEPS = 20

export interface FaithfulnessOptions {
  /** Random orders, at least 2. */
  orders?: number
  seed?: number
  /** Points of a deletion curve after its first. */
  steps?: number
  shares?: readonly number[]
}

/** `scores` [players]: how much each speaks for the output. */
export async function faithfulness(
  game: Game,
  scores: ArrayLike<number>,
  { orders = ORDERS, seed = 0, steps = STEPS, shares = FAITHFULNESS_SHARES }: FaithfulnessOptions = {},
): Promise<FaithfulnessScores> {
  const { players } = game
  const order = rankedByScore(scores)
  const counts = shares.map((share) => Math.ceil(Math.max(0, share * players - 1e-9)))
  const points = deletionPoints(players, steps)
  const drawn = Array.from({ length: orders }, (_, step) => [
    ...permutation({ seed, purpose: 'shuffle', step }, players),
  ])
  // Everything is asked at once, so that texts go through the model in full batches.
  const coalitions = [
    new Uint8Array(players).fill(1),
    new Uint8Array(players),
    ...counts.map((count) => without(order, count)),
    ...counts.map((count) => without(order, count).map((stays) => 1 - stays)),
    ...[order, order.toReversed(), ...drawn].flatMap((path) => points.map((count) => without(path, count))),
  ]
  const values = await game.values(coalitions)
  const [probability, empty] = [values[0]!, values[1]!]
  let at = 2
  const take = (count: number) => values.slice(at, (at += count))
  const comprehensiveness = take(counts.length).map((value) => probability - value)
  const sufficiency = take(counts.length).map((value) => probability - value)
  const removed = Float64Array.from(points, (count) => count / players)
  const curve = (): DeletionCurve => {
    const probabilities = take(points.length)
    return { probability: probabilities, auc: area(removed, probabilities) }
  }
  const ours = curve()
  const reversed = curve()
  const random = drawn.map(curve)
  const aucs = Float64Array.from(random, ({ auc }) => auc)
  const { mean: auc, interval } = meanWithInterval(aucs)
  return {
    probability,
    empty,
    order,
    shares: [...shares],
    counts,
    comprehensiveness,
    sufficiency,
    meanComprehensiveness: sum(comprehensiveness) / (shares.length + 1),
    meanSufficiency: sum(sufficiency) / (shares.length + 1),
    deletion: {
      removed,
      ours,
      reversed,
      random: {
        probability: removed.map((_, i) => sum(random.map((one) => one.probability[i]!)) / orders),
        auc,
        interval,
        aucs,
        beaten: sum(aucs.map((one) => (one > ours.auc ? 1 : one === ours.auc ? 0.5 : 0))) / orders,
      },
    },
  }
}

/** Pieces from the highest score to the lowest; equal ones in the order of the text. */
export function rankedByScore(scores: ArrayLike<number>): number[] {
  return Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b)
}

/** Everyone but the first `count` of an order. */
function without(order: readonly number[], count: number): Uint8Array {
  const coalition = new Uint8Array(order.length).fill(1)
  for (const player of order.slice(0, count)) coalition[player] = 0
  return coalition
}

/** How many are gone at each point of a curve: none first, all last. */
function deletionPoints(players: number, steps: number): number[] {
  const parts = Math.min(players, steps)
  return Array.from({ length: parts + 1 }, (_, i) => Math.round((i * players) / parts))
}

/** Trapezoids. */
function area(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let total = 0
  for (let i = 1; i < x.length; i++) total += ((y[i]! + y[i - 1]!) / 2) * (x[i]! - x[i - 1]!)
  return total
}

function sum(values: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]!
  return total
}

/** Mean of at least two numbers and its 95% interval by Student's t. */
export function meanWithInterval(values: ArrayLike<number>): { mean: number; interval: [number, number] } {
  const n = values.length
  const mean = sum(values) / n
  const squares = sum(Array.from(values, (value) => (value - mean) ** 2))
  const half = studentQuantile(n - 1) * Math.sqrt(squares / (n - 1) / n)
  return { mean, interval: [mean - half, mean + half] }
}

/** The 97.5% quantile of Student's t. */
function studentQuantile(freedom: number): number {
  const small = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706]
  if (freedom <= small.length) return small[freedom - 1]!
  // Cornish-Fisher expansion about the normal quantile (Abramowitz and Stegun 26.7.5); within 4e-3 from 6 degrees.
  const z = 1.959963985
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ]
  return terms.reduce((total, term, i) => total + term / freedom ** (i + 1), z)
}
