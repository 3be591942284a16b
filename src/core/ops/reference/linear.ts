// Linear layer with a frozen matrix and optional LoRA factors (Hu et al. 2021, arXiv 2106.09685).
// Forward:  u = drop(x) A^T [N, r];  y = x W^T + bias + scale u B^T.
// Backward: du = scale dy B;  dB = scale dy^T u;  dA = du^T drop(x);  dx = dy W + undrop(du A).
import { add, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { FrozenMatrix, LinearGradients, LoraFactors } from '../ops.ts'
import { masked, maskFor } from './dropout.ts'
import { times, timesTransposed } from './frozen.ts'
import { product } from './matmul.ts'
import { ownCopy } from './rows.ts'

/** With `plus` [N, out] added. */
export function linear(x: Tensor, w: FrozenMatrix, bias?: Tensor, lora?: LoraFactors, plus?: Tensor): Tensor {
  return tidy(() => {
    const base = timesTransposed(x, w, plus && ownCopy(plus)) // [N, out]
    const y = bias ? add(base, bias) : base
    if (!lora) return y
    const u = product(masked(x, maskFor(lora.dropout, x.shape)), lora.a, false, true, lora.scale) // [N, r]
    return product(u, lora.b, false, true, 1, y) // [N, out]
  })
}

/** dx with `plus` [N, in] added. */
export function linearBackward(
  dy: Tensor,
  x: Tensor,
  w: FrozenMatrix,
  lora?: LoraFactors,
  plus?: Tensor,
): LinearGradients {
  return tidy(() => {
    const dxFrozen = times(dy, w, plus && ownCopy(plus)) // [N, in]
    if (!lora) return { dx: dxFrozen }
    const mask = maskFor(lora.dropout, x.shape) // [N, in] or none
    const dropped = masked(x, mask) // [N, in]
    const u = product(dropped, lora.a, false, true, lora.scale) // scale u [N, r]
    const du = product(dy, lora.b, false, false, lora.scale) // [N, r]
    const da = product(du, dropped, true, false) // [r, in]
    const db = product(dy, u, true, false) // [out, r]
    const dx = mask
      ? add(dxFrozen, masked(product(du, lora.a), mask))
      : product(du, lora.a, false, false, 1, dxFrozen) // [N, in]
    return { dx, da, db }
  })
}
