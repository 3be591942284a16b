// How alike two scorings of the same pieces are: Kendall's tau-b (Kendall 1945, "The treatment of ties in ranking
// problems"), and how much of the top they share (the feature and sign agreement of Krishna et al. 2022, arXiv
// 2202.01602). Pieces are ranked by the size of their scores, so that methods with and without a sign can be compared.
import type { AgreementScores, StabilityScores } from '../../protocol/explain.ts'

/** Tau-b between two rankings: 1 the same, -1 the reverse, NaN where one of them is a single tie. */
export function kendall(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let agree = 0
  let inA = 0
  let inB = 0
  for (let i = 0; i < a.length; i++)
    for (let j = i + 1; j < a.length; j++) {
      const [x, y] = [Math.sign(a[i]! - a[j]!), Math.sign(b[i]! - b[j]!)]
      agree += x * y
      inA += x * x
      inB += y * y
    }
  return agree / Math.sqrt(inA * inB)
}

export const sizes = (scores: ArrayLike<number>): Float64Array => Float64Array.from(scores, Math.abs)

/** The `count` pieces of the largest scores; of equals the earlier in the text. */
export function topOf(scores: ArrayLike<number>, count: number): number[] {
  return Array.from({ length: scores.length }, (_, i) => i)
    .sort((i, j) => Math.abs(scores[j]!) - Math.abs(scores[i]!) || i - j)
    .slice(0, count)
}

/** Share of the top pieces that two scorings have in common; `signed`: with the same sign too. */
export function sharedTop(a: ArrayLike<number>, b: ArrayLike<number>, count: number, signed = false): number {
  const [ours, theirs] = [topOf(a, count), topOf(b, count)]
  const same = ours.filter((i) => theirs.includes(i) && (!signed || Math.sign(a[i]!) === Math.sign(b[i]!)))
  return same.length / ours.length
}

/** `runs`: the scores of each seed, two at least. */
export function stabilityOf(runs: readonly ArrayLike<number>[], top: number): StabilityScores {
  const units = runs[0]!.length
  const mean = new Float64Array(units)
  const deviation = new Float64Array(units)
  for (let unit = 0; unit < units; unit++) {
    mean[unit] = runs.reduce((sum, run) => sum + run[unit]!, 0) / runs.length
    const squares = runs.reduce((sum, run) => sum + (run[unit]! - mean[unit]!) ** 2, 0)
    deviation[unit] = Math.sqrt(squares / (runs.length - 1))
  }
  const taus: number[] = []
  let shared = 0
  runs.forEach((one, i) =>
    runs.slice(i + 1).forEach((other) => {
      taus.push(kendall(sizes(one), sizes(other)))
      shared += sharedTop(one, other, top)
    }),
  )
  return {
    mean,
    deviation,
    kendall: taus.reduce((sum, tau) => sum + tau, 0) / taus.length,
    lowest: Math.min(...taus),
    overlap: shared / taus.length,
  }
}

/** `scorings`: of several methods; `signed`: which of them tell for and against. */
export function agreementOf(
  scorings: readonly ArrayLike<number>[],
  signed: readonly boolean[],
  top: number,
): AgreementScores {
  const matrix = (value: (i: number, j: number) => number) =>
    Float64Array.from({ length: scorings.length ** 2 }, (_, at) =>
      value(Math.floor(at / scorings.length), at % scorings.length),
    )
  return {
    kendall: matrix((i, j) => kendall(sizes(scorings[i]!), sizes(scorings[j]!))),
    overlap: matrix((i, j) => sharedTop(scorings[i]!, scorings[j]!, top)),
    signed: matrix((i, j) => sharedTop(scorings[i]!, scorings[j]!, top, signed[i]! && signed[j]!)),
  }
}
