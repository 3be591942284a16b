// Token saliency: how much each input token matters for one output logit. Definitions and defaults:
//   gradientNorm        |g|                     Li et al. 2016, arXiv 1506.01066
//   gradientXInput      g . x                   Shrikumar et al. 2016, arXiv 1605.01713
//   smoothGrad          mean |g(x + noise)|     Smilkov et al. 2017, arXiv 1706.03825
//   integratedGradients (x - b) . mean g from a baseline b to x    Sundararajan et al. 2017, arXiv 1703.01365
// The baseline is the padding token's embedding, or the mask token's. Zero embeddings are on offer too, but a model that normalises by the
// root mean square jumps there, so that the scores no longer add up to the difference (the residual says by how much).
import { GraftError, throwIfAborted } from '../../protocol/errors.ts'
import type { SaliencyBaseline, SaliencyMethod } from '../../protocol/explain.ts'
import { normals } from '../rng.ts'
import { embeddings, inputGradient } from './gradient.ts'
import { gaussLegendre } from './quadrature.ts'
import type { Subject } from './subject.ts'

/** `noise`: SmoothGrad's, as a share of the embeddings' standard deviation. */
export const SALIENCY_DEFAULTS = {
  smoothGrad: { samples: 10, noise: 0.15, seed: 0 },
  integratedGradients: { samples: 50, baseline: 'pad' },
} as const

/**
 * Integrated gradients are complete where their sum is off by no more than this times max(1, |difference|). The error of
 * Gauss-Legendre quadrature falls exponentially in its points on a smooth path: where 50 leave more, 100 leave next to
 * nothing (on Graft-7M 4e-3 and 2e-5 of the difference).
 */
const COMPLETE = 1e-3

export interface SaliencyOptions {
  method: SaliencyMethod
  samples?: number
  seed?: number
  /** smoothGrad: standard deviation of the noise, as a share of the embeddings'. */
  noise?: number
  /** integratedGradients: where the path begins. */
  baseline?: SaliencyBaseline
  onPass?: (done: number, total: number) => void
  signal?: AbortSignal
}

export interface Saliency {
  /** [T] */
  scores: Float32Array
  /** The number that was explained. */
  value: number
  /** integratedGradients: that of the baseline, and what the scores' sum is above the difference. */
  base?: number
  residual?: number
  /** integratedGradients: points of the path. */
  points?: number
}

export async function saliency(subject: Subject, options: SaliencyOptions): Promise<Saliency> {
  const { model, turns, trainable, ids, explained } = subject
  const { method, signal } = options
  const { hidden } = model.architecture
  const x = await turns.take(() => embeddings(model, ids, trainable.adaptation)) // [T, d]
  const noisy = { ...SALIENCY_DEFAULTS.smoothGrad, ...options }
  const integrated = { ...SALIENCY_DEFAULTS.integratedGradients, ...options }
  let total =
    method === 'integratedGradients'
      ? integrated.samples + 2
      : method === 'smoothGrad'
        ? noisy.samples + 1
        : 1
  let passes = 0
  const gradientAt = async (values: Float32Array) => {
    throwIfAborted(signal)
    const result = await turns.take(() => inputGradient(model, values, explained, trainable))
    options.onPass?.(++passes, total)
    return result
  }
  const norms = (g: Float32Array) => perToken(g, hidden, (i) => g[i]! * g[i]!).map(Math.sqrt)

  switch (method) {
    case 'gradientNorm': {
      const { gradient, value } = await gradientAt(x)
      return { scores: norms(gradient), value }
    }
    case 'gradientXInput': {
      const { gradient, value } = await gradientAt(x)
      return { scores: perToken(gradient, hidden, (i) => gradient[i]! * x[i]!), value }
    }
    case 'smoothGrad': {
      const { samples, seed } = noisy
      const sigma = noisy.noise * standardDeviation(x)
      const { value } = await gradientAt(x)
      const scores = new Float32Array(ids.length)
      for (let k = 0; k < samples; k++) {
        const noise = normals({ seed, purpose: 'noise', step: k }, x.length)
        const { gradient } = await gradientAt(x.map((element, i) => element + sigma * noise[i]!))
        norms(gradient).forEach((norm, t) => (scores[t]! += norm / samples))
      }
      return { scores, value }
    }
    case 'integratedGradients': {
      const filler = baselineToken(subject, integrated.baseline)
      const { value } = await gradientAt(x)
      const from =
        filler === null
          ? new Float32Array(x.length)
          : await turns.take(() =>
              embeddings(
                model,
                ids.map(() => filler),
                trainable.adaptation,
              ),
            )
      const { value: base } = await gradientAt(from)
      const along = async (points: number) => {
        const mean = new Float64Array(x.length)
        for (const { node, weight } of gaussLegendre(points)) {
          const { gradient } = await gradientAt(x.map((element, i) => from[i]! + node * (element - from[i]!)))
          gradient.forEach((g, i) => (mean[i]! += weight * g))
        }
        const scores = perToken(x, hidden, (i) => mean[i]! * (x[i]! - from[i]!))
        const residual = scores.reduce((sum, score) => sum + score, 0) - (value - base)
        return { scores, value, base, residual, points }
      }
      const found = await along(integrated.samples)
      const isOpen = Math.abs(found.residual) > COMPLETE * Math.max(1, Math.abs(value - base))
      // At zero a norm jumps: no number of points would do.
      if (options.samples !== undefined || filler === null || !isOpen) return found
      total += 2 * integrated.samples
      return along(2 * integrated.samples)
    }
    default:
      return method satisfies never
  }
}

/** The token whose embedding stands everywhere in the baseline; null for zeros. */
function baselineToken({ padId, maskId }: Subject, baseline: SaliencyBaseline): number | null {
  if (baseline === 'zero') return null
  if (baseline === 'pad') return padId
  if (maskId === null)
    throw new GraftError(
      'E_ARGUMENT',
      'This model has no mask token to begin from. Choose the padding token as baseline, or zero.',
      { baseline },
    )
  return maskId
}

/** Sums f(i) over the d elements of every token of a [T, d] array. */
function perToken(values: Float32Array, hidden: number, f: (i: number) => number): Float32Array {
  return Float32Array.from({ length: values.length / hidden }, (_, t) => {
    let sum = 0
    for (let i = t * hidden; i < (t + 1) * hidden; i++) sum += f(i)
    return sum
  })
}

function standardDeviation(x: Float32Array): number {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length
  return Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length)
}
