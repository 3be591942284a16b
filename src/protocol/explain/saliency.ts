// Saliency: what gradients say about each token.
import type { ExplainedOutput, ExplainInput, Granularity, OutputChoice, Unit } from './common.ts'

export const SALIENCY_METHODS = [
  'gradientNorm',
  'gradientXInput',
  'smoothGrad',
  'integratedGradients',
] as const
export type SaliencyMethod = (typeof SALIENCY_METHODS)[number]

/** Where the path of integrated gradients begins: every token is the padding one, the mask, or zeros. */
export const SALIENCY_BASELINES = ['pad', 'mask', 'zero'] as const
export type SaliencyBaseline = (typeof SALIENCY_BASELINES)[number]

export type SaliencyRequest = ExplainInput & SaliencyOptions

export interface SaliencyOptions extends OutputChoice {
  /** Default: 'gradientXInput'. */
  method?: SaliencyMethod
  /** smoothGrad: noisy copies (default 10); integratedGradients: Gauss-Legendre points (default 50, or 100
   *  where 50 leave more than 0.001 max(1, |difference|) unexplained and the baseline is a token). */
  samples?: number
  seed?: number
  /** smoothGrad: standard deviation of the noise, as a share of that of the text's embeddings (default 0.15). */
  noise?: number
  /** integratedGradients: default 'pad'. */
  baseline?: SaliencyBaseline
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
  /** integratedGradients: the explained number of the baseline, f(baseline); `output.value` is f(x). */
  base?: number
  /** integratedGradients: sum of the scores minus (f(x) - f(baseline)). */
  residual?: number
  /** What it was made with: smoothGrad samples, noise and seed, integratedGradients samples and baseline. */
  samples?: number
  noise?: number
  seed?: number
  baseline?: SaliencyBaseline
}
