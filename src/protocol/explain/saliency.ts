// Saliency: what gradients say about each token.
import type { ExplainedOutput, ExplainInput, Granularity, OutputChoice, Unit } from './common.ts'

export const SALIENCY_METHODS = [
  'gradientNorm',
  'gradientXInput',
  'smoothGrad',
  'integratedGradients',
] as const
export type SaliencyMethod = (typeof SALIENCY_METHODS)[number]

export type SaliencyRequest = ExplainInput & SaliencyOptions

export interface SaliencyOptions extends OutputChoice {
  method: SaliencyMethod
  /** smoothGrad: noisy copies (default 10); integratedGradients: Gauss-Legendre points (default 50). */
  samples?: number
  seed?: number
  /** integratedGradients: the path begins at the padding token's embedding (default) or at zero. */
  baseline?: 'pad' | 'zero'
  /** The pieces that `unitScores` are for; default: 'word'. */
  granularity?: Granularity
}

export interface SaliencyResult {
  tokens: string[]
  ids: number[]
  /** One number a token. Signed for gradientXInput and integratedGradients. */
  scores: Float32Array
  /** The pieces of the text, and the sum of the scores over each. */
  units: Unit[]
  unitScores: Float64Array
  method: SaliencyMethod
  output: ExplainedOutput
  /** integratedGradients: sum of the scores minus (f(x) - f(baseline)). */
  residual?: number
}
