// What every layer holds: the logit lens, what each block adds, how alike layers are, and what can be read from them.
// Layer 0 is the input of the first block, layer l the output of block l.
import type { SplitName } from '../data.ts'
import type { ExplainedOutput, ExplainInput, OutputChoice } from './common.ts'

export type LogitLensRequest = ExplainInput & {
  /** A label's name or index (classify), a token id (language model), followed at every token; default: at each token
   *  the one that the last layer finds most likely. */
  output?: string | number
  /** Outputs listed for each layer and token; default 5. */
  k?: number
  /** Tokens that are read; default: all of them, of an encoder's classifier the one that it reads. */
  positions?: number[]
}

/** Arrays are row-major; L + 1 layers, P positions, k outputs. */
export interface LogitLensResult {
  tokens: string[]
  ids: number[]
  /** Blocks: L. */
  layers: number
  positions: number[]
  k: number
  /** [P]: the output that is followed at each position. */
  followed: { name: string; index: number }[]
  /** [L + 1, P]: place of the followed output; 1 is the most likely. */
  ranks: Int32Array
  /** [L + 1, P] of the followed output. */
  logits: Float32Array
  probabilities: Float32Array
  /** [L + 1, P]: of the whole distribution, nats. */
  entropies: Float32Array
  /** [L + 1, P, k], the most likely first. */
  topIds: Int32Array
  topNames: string[]
  topProbabilities: Float32Array
}

export type LayersRequest = ExplainInput & OutputChoice

export interface LayersResult {
  tokens: string[]
  ids: number[]
  /** Blocks: L. */
  layers: number
  output: ExplainedOutput
  /** [L + 1, T]: Euclidean norm of the residual. */
  residual: Float32Array
  /** [L, T]: Euclidean norm of what attention and MLP add to it. */
  attention: Float32Array
  mlp: Float32Array
  /** What each part adds to the explained value on the direct path, the last norm's scale held; null for models that
   *  normalise the residual within blocks (BERT and its kin). */
  direct: DirectContributions | null
}

/** input + sum of attention + sum of mlp + bias + residual = output.value */
export interface DirectContributions {
  /** Of what enters the first block. */
  input: number
  /** [L] each. */
  attention: Float64Array
  mlp: Float64Array
  /** Of the biases of last norm and head. */
  bias: number
  /** What rounding left. */
  residual: number
}

/** Rows to look at: texts, or rows of a dataset as the task reads them. */
export type RowsChoice =
  | { texts: string[] }
  | {
      dataset: string
      /** Default: 'train'. */
      split?: SplitName
      /** Drawn with the seed; default 128 (similarity), 500 (probe). */
      rows?: number
    }

/** One state a text: the mean over its tokens without special ones, or the state of the token its answer is read from. */
export const POOLS = ['mean', 'answer'] as const
export type Pool = (typeof POOLS)[number]

export type SimilarityRequest = RowsChoice & {
  /** Default: 'mean'. */
  pool?: Pool
  /** Default: 0. */
  seed?: number
}

/** Matrices are [L + 1, L + 1], row-major. Not a number where a layer's states are the same in all rows. */
export interface SimilarityResult {
  layers: number
  rows: number
  pool: Pool
  seed: number
  /** CKA of the target's layers with each other. */
  self: Float64Array
  /** The target against its base; null where the target is one. */
  base: {
    /** CKA of the base's layers with each other. */
    self: Float64Array
    /** CKA of layer i of the base with layer j of the target. */
    cross: Float64Array
    /** [L + 1]: CKA of each layer with itself before tuning, the diagonal of `cross`. */
    same: Float64Array
    /** [L + 1]: mean distance that a state has moved, as a share of the states' mean norm in the base. */
    moved: Float64Array
  } | null
}

export interface ProbeRequest {
  /** Set up for the task `classify`. */
  dataset: string
  /** Default: 'train'. */
  split?: SplitName
  /** Default: 500. */
  rows?: number
  /** Default: 'mean'. */
  pool?: Pool
  /** Default: 0. */
  seed?: number
  /** Shuffles of the labels that the control's accuracy is the mean of; default 1. */
  controls?: number
}

export interface ProbeResult {
  layers: number
  labels: string[]
  pool: Pool
  seed: number
  /** Shuffles that `control` is the mean of. */
  controls: number
  /** Rows learnt from, and rows that accuracies are of. */
  train: number
  test: number
  /** [L + 1]: share of held-out rows whose label the probe finds. */
  accuracy: Float64Array
  /** [L + 1]: the same with shuffled labels: what the probe learns without any meaning. */
  control: Float64Array
  /** [L + 1]: accuracy - control. */
  selectivity: Float64Array
  /** Held-out accuracy of always the label most frequent in the rows learnt from. */
  majority: number
  /** The layer with the highest accuracy, the first of equals. */
  best: number
}
