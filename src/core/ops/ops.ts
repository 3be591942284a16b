// The one interface between the model code (nn/, models/, train/) and the arithmetic.
// Two implementations: reference/ (plain tf ops, on every backend) and webgpu/ (WGSL; whatever has no kernel yet
// falls through to the reference on the same device). An op is a pair, forward and backward, both explicit calls:
// nothing is taped, and what a backward needs beyond its arguments it computes again.
//
// Layouts. Tokens are flat: N = batch x length rows. x [N, d]; q [N, H, hd]; k, v [N, Hkv, hd]; weights [out, in].
// Ownership. An op never disposes its arguments; the caller owns every returned tensor.
import type { Tensor, TensorContainer } from '@tensorflow/tfjs-core'
import type { RngKey } from '../rng.ts'
import type { AttentionLayout, AttentionMask } from './layout.ts'
import type { FrozenMatrix } from './matrix.ts'
import type { FusedOps } from './fused.ts'
import type { KeyValueCache, StepOps } from './step.ts'
import type { Changing } from './changing.ts'
import type { Recorder } from './recorder.ts'

export type { FrozenMatrix } from './matrix.ts'

/** Dropout on the input of an adapter: element i is kept where uniforms(key)[i] >= rate, and scaled by 1 / (1 - rate). */
export interface Dropout {
  rate: number
  key: RngKey
}

/** LoRA factors beside a frozen matrix: y = x W^T + scale (drop(x) A^T) B^T. */
export interface LoraFactors {
  /** [r, in] */
  a: Tensor
  /** [out, r] */
  b: Tensor
  scale: number
  dropout?: Dropout
  /** Where a and b lie in a flat tensor, if they do: fused kernels read them there. Gradients have the same layout. */
  places?: { parameters: Tensor; r: number; a: number; b: number }
}

/** Cosines and sines of RoPE by position: f32 [positions, hd / 2] each. */
export interface RopeTable {
  cos: Tensor
  sin: Tensor
}

/** Smooth steps of an MLP or a head: GELU exact (erf) and in its tanh form (Hendrycks & Gimpel 2016, arXiv 1606.08415). */
export type Activation = 'silu' | 'gelu' | 'geluTanh' | 'relu' | 'tanh'

export interface LinearGradients {
  /** [N, in] */
  dx: Tensor
  /** [r, in] and [out, r]: present when factors were given. */
  da?: Tensor
  db?: Tensor
}

/** Where a step is recorded, these are read again at each replay. */
export interface AdamwHyper {
  learningRate: number
  beta1: number
  beta2: number
  epsilon: number
  weightDecay: number
  /** Largest global norm; 0 switches clipping off. */
  clip: number
  /** 1 for the first step. */
  step: number
}

/** What training asks of a loss beyond the sum of cross-entropies. */
export interface LossOptions {
  /** e: the target is (1 - e) onehot + e / V in place of the label alone (arXiv 1512.00567); default 0. */
  smoothing?: number
  /** f32 [M], what each row's cross-entropy is multiplied by; absent: nothing. */
  weights?: Tensor
  /** headCrossEntropy alone: is handed what it adds up, factor x weight x cross-entropy of consecutive rows, f32 [n]. The
   *  tensors live for the call. Changes no bit of the results. */
  each?: (losses: Tensor) => void
}

/** One trainable tensor inside the flat buffers. */
export interface Slot {
  name: string
  shape: number[]
  /** First element; a multiple of SLOT_ALIGNMENT. */
  offset: number
  size: number
  /** Weight decay applies (never to biases and norms). */
  decay: boolean
  /** Its learning rate / the step's: 1, or LoRA+'s ratio for B. */
  rate: number
}

/** AdamW over the flat state of some slots. */
export interface Optimizer {
  /** One step in PyTorch's order over state [3, P] = values, first and second moments.
   *  The gradient [P] is clipped to hyper.clip by `norm` ([]); where norm is not finite the state stays as it was.
   *  Consumes `state` and returns the new one (the same tensor where it is updated in place). */
  step(state: Tensor, gradient: Tensor, norm: Tensor, hyper: AdamwHyper): Tensor
  dispose(): void
}

/** Adds up gradients by name into one flat f32 [P] buffer. */
export interface GradientBuffer {
  /** The flat sum, where kernels may add to it in place; absent where it is put together only when it is asked for. */
  readonly inPlace?: Tensor
  /** Adds `gradient` to the slot's range; does not dispose it. */
  add(name: string, gradient: Tensor): void
  /** The flat sum, [P]; stays owned by the buffer and valid until the next add, clear or dispose. */
  flat(): Tensor
  clear(): void
  dispose(): void
}

export interface Ops {
  readonly name: 'reference' | 'webgpu'
  /** Kernels that make several layers in one dispatch; absent where dispatches cost nothing. */
  readonly fused?: FusedOps
  /** Kernels for one token's way through a model; absent where dispatches cost nothing. */
  readonly step?: StepOps

  // `plus`, where an op takes it, is added to what it returns (to dx on the way back): residual paths need no op of their own.

  /** table [V, d], ids int32 [N] -> [N, d] */
  embedding(table: FrozenMatrix, ids: Tensor): Tensor
  /** The gradient of a trained table: rows of dy [N, d] added up by their ids -> [V, d]. */
  embeddingGradient(dy: Tensor, ids: Tensor, rows: number): Tensor

  /** x [N, in] -> x W^T + bias (+ LoRA) [N, out]; bias [out] */
  linear(x: Tensor, w: FrozenMatrix, bias?: Tensor, lora?: LoraFactors, plus?: Tensor): Tensor
  /** dy [N, out] -> dx = dy W (+ LoRA), and with factors dA, dB. A frozen W has no gradient. */
  linearBackward(dy: Tensor, x: Tensor, w: FrozenMatrix, lora?: LoraFactors, plus?: Tensor): LinearGradients

  /** y = w x / sqrt(mean(x^2) + eps), row by row. Zhang & Sennrich 2019. */
  rmsNorm(x: Tensor, w: Tensor, eps: number, plus?: Tensor): Tensor
  rmsNormBackward(dy: Tensor, x: Tensor, w: Tensor, eps: number, plus?: Tensor): Tensor
  /** dw [d] of a trained norm weight. */
  rmsNormWeightGradient(dy: Tensor, x: Tensor, eps: number): Tensor

  /** y = w (x - mean x) / sqrt(var x + eps) + b, row by row. Ba et al. 2016 (arXiv 1607.06450). */
  layerNorm(x: Tensor, w: Tensor, b: Tensor, eps: number, plus?: Tensor): Tensor
  layerNormBackward(dy: Tensor, x: Tensor, w: Tensor, eps: number, plus?: Tensor): Tensor
  /** dw [d] and db [d] of trained norm weights. */
  layerNormWeightGradients(dy: Tensor, x: Tensor, eps: number): { dw: Tensor; db: Tensor }

  /** Half-split rotation of x [N, H, hd] by the rows' positions int32 [N]; `inverse` rotates back (the backward). */
  rope(x: Tensor, positions: Tensor, table: RopeTable, inverse?: boolean): Tensor

  /** q [Nq, H, hd], k and v [Nk, Hkv, hd] -> output [Nq, H, hd], logSumExp [Nq, H] of the masked, scaled scores. */
  attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    layout: AttentionLayout,
    mask: AttentionMask,
  ): { output: Tensor; logSumExp: Tensor }
  attentionBackward(
    dOutput: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    output: Tensor,
    logSumExp: Tensor,
    layout: AttentionLayout,
    mask: AttentionMask,
  ): { dq: Tensor; dk: Tensor; dv: Tensor }
  /** The attention of new tokens of one sequence, q [N, H, hd], over a cache that takes in their k and v [N, Hkv, hd]:
   *  a prompt where the cache is empty, whose layout it is, then one token at a time -> [N, H, hd]. Where there are
   *  `step` ops, they take the single tokens. */
  cachedAttention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cache: KeyValueCache,
    layout: AttentionLayout,
    mask: AttentionMask,
  ): Tensor
  /** The probabilities themselves, [B, H, Tq, Tk], for the Explain view only; masked cells are exactly 0. */
  attentionProbabilities(q: Tensor, k: Tensor, layout: AttentionLayout, mask: AttentionMask): Tensor

  /** act(x), elementwise. */
  activation(act: Activation, x: Tensor): Tensor
  activationBackward(act: Activation, dy: Tensor, x: Tensor): Tensor
  /** act(gate) * up, elementwise: SwiGLU, GeGLU (Shazeer 2020, arXiv 2002.05202). */
  gated(act: Activation, gate: Tensor, up: Tensor): Tensor
  gatedBackward(act: Activation, dh: Tensor, gate: Tensor, up: Tensor): { dGate: Tensor; dUp: Tensor }

  /** a + b; b is as large as a, or one row [d] for all of a's. */
  add(a: Tensor, b: Tensor): Tensor
  scale(x: Tensor, factor: number): Tensor
  /** x [N, d] with the elements that the dropout leaves out set to 0 and the others scaled: its own backward, too. */
  dropout(x: Tensor, dropout: Dropout): Tensor
  /** x [N, d] with column j multiplied by s[j]; s [d]. */
  scaleColumns(x: Tensor, s: Tensor): Tensor
  /** x [N, d] -> sum over rows [d] */
  columnSums(x: Tensor): Tensor

  /** The elements of x from `start` on, x read as one flat row, as a new tensor of the given shape. */
  part(x: Tensor, start: number, shape: number[]): Tensor

  /** rows of x [N, d] at indices int32 [M] (+ offset) -> [M, d] */
  gatherRows(x: Tensor, indices: Tensor, offset?: number): Tensor
  /** The backward of gatherRows for distinct indices: dy [M, d] -> [N, d], zero elsewhere.
   *  `inverse` int32 [N] is the row of dy for each row of x, or M where there is none. */
  scatterRows(dy: Tensor, inverse: Tensor): Tensor

  /** Tied or untied output head fused with cross-entropy; the [M, V] logits never exist as a whole.
   *  h [M, d], w [V, d], labels int32 [M] with -100 ignored.
   *  loss = factor x sum of cross-entropies (scalar []); dh [M, d] is its gradient, and dw [V, d] that of a trained head. */
  headCrossEntropy(
    h: Tensor,
    w: FrozenMatrix,
    labels: Tensor,
    factor: Changing,
    options?: LossOptions & { trained?: boolean },
  ): { loss: Tensor; dh: Tensor; dw?: Tensor }
  /** The same without the gradient, for evaluation. */
  headLoss(h: Tensor, w: FrozenMatrix, labels: Tensor, factor: Changing): Tensor
  /** For small trained heads: logits [M, C], labels int32 [M] -> loss [], dLogits [M, C]. */
  crossEntropy(
    logits: Tensor,
    labels: Tensor,
    factor: Changing,
    options?: LossOptions,
  ): { loss: Tensor; dLogits: Tensor }

  /** a [m, k] b [k, n] with optional transposes, for small trained matrices. */
  matmul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor

  /**
   * Where kernels come in several settings: runs `work`, a pass whose results mean nothing, and tries out the settings for
   * shapes that it meets first. Gradients that it adds to must be cleared afterwards. What it returns is disposed.
   * @throws what the signal was aborted with
   */
  rehearse?(work: () => TensorContainer, signal?: AbortSignal): Promise<void>

  gradientBuffer(slots: readonly Slot[], size: number): GradientBuffer
  /** sqrt(sum g^2) of the flat gradient [P] -> scalar []; not finite where any element is not. */
  globalNorm(gradient: Tensor): Tensor
  /** sum x^2 -> scalar []; not finite where any element is not. */
  sumOfSquares(x: Tensor): Tensor
  optimizer(slots: readonly Slot[]): Optimizer

  /** Work on frozen numbers alone, whose result is kept beyond the step: done at once, even while a step is recorded. */
  once<T>(work: () => T): T
  /** Records steps; absent where ops run at once. */
  recorder?(): Recorder
}

/** Slots begin at multiples of this many elements: 256 bytes, WebGPU's strictest offset alignment. */
export const SLOT_ALIGNMENT = 64
