// Heads switched off: what a head found is replaced before the output projection reads it (head ablation, Michel et al.
// 2019, arXiv 1905.10650).
import { add, mean, mul, reshape, sub, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { HeadFill } from '../../protocol/explain.ts'
import type { AttentionShape } from './attention.ts'
import type { Traced } from './layer.ts'

export interface HeadSwitches {
  /** [B, 1, H, 1]: 1 leaves a head as it is, 0 switches it off in that row of the batch. */
  factors: Tensor
  /** What stands in its place: nothing, or its mean over the row's tokens. Rows with padding have no such mean. */
  fill: HeadFill
}

/** context [N, H hd] with some heads off, and the way back. */
export function switched(
  context: Traced,
  { factors, fill }: HeadSwitches,
  { heads, headSize }: AttentionShape,
  batch: number,
): Traced {
  // A mean over tokens is linear and symmetric, so that the way back is the way forward.
  const through = (x: Tensor): Tensor =>
    tidy(() => {
      const rows = x.shape[0]!
      const split = reshape(x, [batch, rows / batch, heads, headSize])
      const kept = mul(split, factors)
      const all = fill === 'mean' ? add(kept, mul(mean(split, 1, true), sub(1, factors))) : kept
      return reshape(all, [rows, heads * headSize])
    })
  return { y: through(context.y), back: (dy, sink, plus) => context.back(through(dy), sink, plus) }
}
