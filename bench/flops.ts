// Floating-point operations of a training step with LoRA, counted from the shapes of its products (a multiplication and
// an addition are two). Frozen weights have no gradient, so a linear layer costs 4 N in out where full training costs 6.
import { linearShapes, type Architecture, type Family } from '../src/core/models/architecture.ts'

export interface StepSize {
  /** Rows of a batch and tokens of a row. */
  batch: number
  length: number
  /** Rank of the adapters, which stand beside every linear layer of the blocks. */
  r: number
}

export interface StepFlops {
  /** Forward through blocks and head. */
  forward: number
  /** Gradients of inputs and adapters. */
  backward: number
  /** The blocks' forward once more, where their insides are not kept. */
  recompute: number
}

/**
 * A causal row of T tokens has T (T + 1) / 2 pairs of query and key; attention multiplies each of them with a head twice
 * on the way forward (scores, output) and four times on the way back (dV, dP, dQ, dK).
 */
export function stepFlops(family: Family, a: Architecture, { batch, length, r }: StepSize): StepFlops {
  const tokens = batch * length
  const pairs = (batch * length * (length + 1)) / 2
  const layer = [...linearShapes(family, a).values()].reduce(
    (sum, [out, inputs]) => ({
      frozen: sum.frozen + 2 * tokens * out * inputs,
      adapter: sum.adapter + 2 * tokens * r * (out + inputs),
    }),
    { frozen: 0, adapter: 0 },
  )
  const attention = 2 * pairs * a.heads * a.headSize
  const block = {
    forward: layer.frozen + layer.adapter + 2 * attention,
    // dx of weight and adapter, then dA and dB.
    backward: layer.frozen + 2 * layer.adapter + 4 * attention,
  }
  // The last token of a row has nothing to predict.
  const head = 2 * batch * (length - 1) * a.vocab * a.hidden
  return {
    forward: a.layers * block.forward + head,
    backward: a.layers * block.backward + head,
    recompute: a.layers * block.forward,
  }
}
