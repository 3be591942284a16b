// Saliency: what gradients say about each token.
import type { ExplainedOutput, ExplainInput, OutputChoice } from './common.ts'

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
}

export interface SaliencyResult {
  tokens: string[]
  ids: number[]
  /** One number a token. Signed for gradientXInput and integratedGradients. */
  scores: Float32Array
  method: SaliencyMethod
  output: ExplainedOutput
  /** integratedGradients: sum of the scores minus (f(x) - f(baseline)). */
  residual?: number
}
