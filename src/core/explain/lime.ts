// LIME for texts (Ribeiro et al. 2016, arXiv 1602.04938), as marcotcr/lime computes it: a ridge regression on which pieces
// are there, over texts with a random number of pieces taken away, each weighted by its closeness to the whole text.
import { GraftError } from '../../protocol/errors.ts'
import type { LimeSelection } from '../../protocol/explain.ts'
import { permutation, words } from '../rng.ts'
import { Evaluator, type EvaluateOptions } from './evaluate.ts'
import type { Game } from './game.ts'
import { cholesky, solve } from './linear.ts'
import { Pace } from './pace.ts'

export const LIME_SAMPLES = 5000
const KERNEL_WIDTH = 25
const ALPHA = 1
const FEATURES = 10
/** 'auto' selects forward up to here. */
const FORWARD_UP_TO = 6
/** Ridge of the regression that 'highest' ranks by. */
const RANKING_ALPHA = 0.01
/** Fewer say nothing. */
export const LIME_LEAST = 10

export interface FitOptions {
  /** Pieces with a weight of their own in the answer. */
  features?: number
  selection?: LimeSelection
  kernelWidth?: number
  alpha?: number
}

export interface LimeOptions extends FitOptions, EvaluateOptions {
  /** Texts in all, the whole one included. */
  samples?: number
  seed?: number
}

export interface Fit {
  /** [players]: 0 for pieces that were not selected. */
  weights: Float64Array
  /** [players] */
  standardErrors: Float64Array
  /** The selected pieces, the largest weight first. */
  selected: number[]
  intercept: number
  /** Weighted R squared: how much of the model the line explains near this text. */
  score: number
  /** What the line says of the whole text. */
  local: number
}

export interface Lime extends Fit {
  /** What the model says of the whole text. */
  value: number
  evaluations: number
}

export async function lime(game: Game, options: LimeOptions = {}): Promise<Lime> {
  const samples = options.samples ?? LIME_SAMPLES
  if (!(Number.isInteger(samples) && samples >= LIME_LEAST))
    throw new GraftError(
      'E_ARGUMENT',
      `LIME needs a whole number of at least ${LIME_LEAST} samples, but was given ${samples}.`,
      { samples },
    )
  const coalitions = await drawLime(game.players, samples, options.seed ?? 0, options.signal)
  const evaluator = new Evaluator(game, samples, options)
  const values = await evaluator.values(coalitions)
  const fit = await fitLime(coalitions, values, options)
  return { ...fit, value: values[0]!, evaluations: samples }
}

/** The whole text, then texts without 1..n pieces, each number as likely, and each choice of so many. */
export async function drawLime(
  players: number,
  samples: number,
  seed: number,
  signal?: AbortSignal,
): Promise<Uint8Array[]> {
  const sizes = words({ seed, purpose: 'sample' }, samples)
  const coalitions: Uint8Array[] = []
  await new Pace(signal).each(samples, (sample) => {
    const coalition = new Uint8Array(players).fill(1)
    coalitions.push(coalition)
    if (sample === 0) return
    const gone = 1 + Math.floor((sizes[sample]! / 0x100000000) * players)
    const order = permutation({ seed, purpose: 'sample', step: sample, layer: 1 }, players)
    for (let i = 0; i < gone; i++) coalition[order[i]!] = 0
  })
  return coalitions
}

/** How much a text counts with a share of its pieces kept: cosine distance x 100 under an exponential kernel. */
export function closeness(kept: number, players: number, kernelWidth = KERNEL_WIDTH): number {
  const distance = 100 * (1 - Math.sqrt(kept / players))
  return Math.sqrt(Math.exp(-(distance ** 2) / kernelWidth ** 2))
}

/** Sums of products about the weighted means, from which every regression on some of the pieces follows. */
interface Moments {
  n: number
  /** [n, n] */
  gram: Float64Array
  /** [n] */
  cross: Float64Array
  squares: number
  means: Float64Array
  mean: number
}

/** The regression for given coalitions and their values; the first coalition is everybody. */
export async function fitLime(
  coalitions: readonly Uint8Array[],
  values: ArrayLike<number>,
  {
    features = FEATURES,
    selection = 'auto',
    kernelWidth,
    alpha = ALPHA,
    signal,
  }: FitOptions & { signal?: AbortSignal } = {},
): Promise<Fit> {
  const pace = new Pace(signal)
  const n = coalitions[0]!.length
  const counts = coalitions.map((coalition) => coalition.reduce((sum, there) => sum + there, 0))
  const weights = counts.map((kept) => closeness(kept, n, kernelWidth))
  const moments = await momentsOf(coalitions, values, weights, pace)
  const chosen = await select(moments, Math.min(features, n), selection, pace)
  const { beta, factor } = regress(moments, chosen, alpha)
  const intercept = moments.mean - beta.reduce((sum, b, k) => sum + b * moments.means[chosen[k]!]!, 0)
  const fitted = (coalition: Uint8Array) =>
    intercept + beta.reduce((sum, b, k) => sum + b * coalition[chosen[k]!]!, 0)

  let missed = 0
  const spread = new Float64Array(chosen.length)
  await pace.each(coalitions.length, (s) => {
    const coalition = coalitions[s]!
    const error = values[s]! - fitted(coalition)
    missed += weights[s]! * error * error
    // One text's pull on each weight (a sandwich estimate of the variance).
    const pull = solve(
      factor,
      chosen.length,
      chosen.map((i) => weights[s]! * error * (coalition[i]! - moments.means[i]!)),
    )
    pull.forEach((each, k) => (spread[k]! += each * each))
  })
  const result: Fit = {
    weights: new Float64Array(n),
    standardErrors: new Float64Array(n),
    selected: chosen
      .map((piece, k) => ({ piece, size: Math.abs(beta[k]!) }))
      .sort((a, b) => b.size - a.size)
      .map(({ piece }) => piece),
    intercept,
    // A model that says the same of every text is explained in full.
    score: moments.squares > 0 ? 1 - missed / moments.squares : 1,
    local: fitted(coalitions[0]!),
  }
  chosen.forEach((piece, k) => {
    result.weights[piece] = beta[k]!
    result.standardErrors[piece] = Math.sqrt(spread[k]!)
  })
  return result
}

async function momentsOf(
  coalitions: readonly Uint8Array[],
  values: ArrayLike<number>,
  weights: readonly number[],
  pace: Pace,
): Promise<Moments> {
  const n = coalitions[0]!.length
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const gram = new Float64Array(n * n)
  const cross = new Float64Array(n)
  const means = new Float64Array(n)
  const mean = weights.reduce((sum, weight, s) => sum + weight * values[s]!, 0) / total
  let squares = 0
  await pace.each(coalitions.length, (s) => {
    const coalition = coalitions[s]!
    const weight = weights[s]!
    const off = values[s]! - mean
    squares += weight * off * off
    const there: number[] = []
    coalition.forEach((is, i) => is && there.push(i))
    for (const i of there) {
      means[i]! += weight / total
      cross[i]! += weight * off
      for (const j of there) gram[i * n + j]! += weight
    }
  })
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) gram[i * n + j]! -= total * means[i]! * means[j]!
  return { n, gram, cross, squares, means, mean }
}

/** Ridge regression on some of the pieces, the intercept free. */
function regress({ n, gram, cross }: Moments, chosen: readonly number[], alpha: number) {
  const k = chosen.length
  const a = Float64Array.from({ length: k * k }, (_, at) => {
    const [i, j] = [Math.floor(at / k), at % k]
    return gram[chosen[i]! * n + chosen[j]!]! + (i === j ? alpha : 0)
  })
  const factor = cholesky(a, k)
  const beta = solve(
    factor,
    k,
    chosen.map((i) => cross[i]!),
  )
  return { beta, factor }
}

async function select(
  moments: Moments,
  features: number,
  selection: LimeSelection,
  pace: Pace,
): Promise<number[]> {
  const all = Array.from({ length: moments.n }, (_, i) => i)
  switch (selection) {
    case 'none':
      return all
    case 'highest': {
      const { beta } = regress(moments, all, RANKING_ALPHA)
      return all.sort((i, j) => Math.abs(beta[j]!) - Math.abs(beta[i]!)).slice(0, features)
    }
    case 'forward':
      return forward(moments, features, pace)
    case 'auto':
      return select(moments, features, features <= FORWARD_UP_TO ? 'forward' : 'highest', pace)
    default:
      return selection satisfies never
  }
}

/** Adds, again and again, the piece that explains most beside those that are in. */
async function forward(moments: Moments, features: number, pace: Pace): Promise<number[]> {
  const chosen: number[] = []
  while (chosen.length < features) {
    let best = { piece: -1, explained: -Infinity }
    await pace.each(moments.n, (piece) => {
      if (chosen.includes(piece)) return
      const tried = [...chosen, piece]
      const { beta } = regress(moments, tried, 0)
      const explained = beta.reduce((sum, b, k) => sum + b * moments.cross[tried[k]!]!, 0)
      if (explained > best.explained) best = { piece, explained }
    })
    chosen.push(best.piece)
  }
  return chosen
}
