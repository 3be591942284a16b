// Ops over several layers at once, for devices on which a step is bound by its number of dispatches. What is made together
// lies side by side in the columns of one matrix: queries, keys and values; gate and up. Each is the composition of ops that
// ops.ts has too, and is tested against them.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { AttentionLayout, AttentionMask } from './layout.ts'
import type { WholeMatrix } from './matrix.ts'
import type { Activation, LoraFactors, RopeTable } from './ops.ts'

/** A frozen layer, and its adapter in the flat parameters. */
export interface JoinedLayer {
  w: WholeMatrix
  lora?: Required<Pick<LoraFactors, 'places' | 'scale'>>
}

/** Queries, keys and values of N tokens side by side, and how they become heads. */
export interface JointHeads {
  /** [N, (H + 2 Hkv) hd]; where there are no norms, its queries and keys are turned in place. */
  joint: Tensor
  heads: number
  keyValueHeads: number
  headSize: number
  /** RMSNorm over the head size, before the rotation: weights [hd]. */
  norms?: { q: Tensor; k: Tensor; eps: number }
  rope?: { table: RopeTable; positions: Tensor }
  layout: AttentionLayout
  mask: AttentionMask
}

/** What attention leaves for its way back. */
export interface SeenHeads {
  /** [N, H hd] */
  output: Tensor
  /** [N, H] */
  logSumExp: Tensor
  /** Normalised and turned queries and keys [N, (H + Hkv) hd], where there are norms. */
  turned?: Tensor
}

export interface FusedOps {
  /** The low-rank halves s x A^T of the adapters, side by side [N, ranks]; null where no layer has one. */
  joinedHalves(x: Tensor, layers: readonly JoinedLayer[]): Tensor | null
  /** [x W_0^T | x W_1^T ...] + bias [sum of out] + plus, with the adapters: [N, sum of out]. */
  joined(
    x: Tensor,
    layers: readonly JoinedLayer[],
    halves: Tensor | null,
    bias?: Tensor,
    plus?: Tensor,
  ): Tensor
  /** dy [N, sum of out] -> dx [N, in] (+ plus); dA and dB are added to the flat gradients where these are given. */
  joinedBackward(
    dy: Tensor,
    x: Tensor,
    layers: readonly JoinedLayer[],
    halves: Tensor | null,
    gradients: Tensor | null,
    plus?: Tensor,
  ): Tensor

  attention(heads: JointHeads): SeenHeads
  /** dOutput [N, H hd] -> the gradient of `joint` as it was before it was turned. */
  attentionBackward(dOutput: Tensor, heads: JointHeads, seen: SeenHeads): Tensor

  /** joint [N, 2 f] = gate and up -> act(gate) * up [N, f] */
  gated(act: Activation, joint: Tensor): Tensor
  /** dh [N, f] -> [N, 2 f] */
  gatedBackward(act: Activation, dh: Tensor, joint: Tensor): Tensor
}
