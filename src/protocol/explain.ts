// Explanations as numbers; the Explain view and scripts draw or test the same ones.
import type { Message } from './target.ts'

/** What is read: a text as it stands, or messages in the model's chat template, up to where its answer begins. */
export type ExplainInput = { text: string } | { messages: Message[] }

export interface AttentionResult {
  tokens: string[]
  ids: number[]
  layers: number
  heads: number
  /** [L, H, T, T]: probability with which token i (third axis) looks at token j (fourth axis). */
  weights: Float32Array
}

export const SALIENCY_METHODS = [
  'gradientNorm',
  'gradientXInput',
  'smoothGrad',
  'integratedGradients',
] as const
export type SaliencyMethod = (typeof SALIENCY_METHODS)[number]

export type SaliencyRequest = ExplainInput & SaliencyOptions

export interface SaliencyOptions {
  method: SaliencyMethod
  /** A label's name or index (classify), a token id (language model); default: the most likely one. */
  output?: string | number
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
  /** What was explained: the label or token, its logit. */
  output: { name: string; index: number; logit: number }
  /** integratedGradients: sum of the scores minus (f(x) - f(baseline)). */
  residual?: number
}
