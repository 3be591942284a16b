// Linear layer with a frozen matrix and optional LoRA factors (Hu et al. 2021, arXiv 2106.09685).
// Forward:  u = drop(x) A^T [N, r];  y = x W^T + bias + scale u B^T.
// Backward: du = scale dy B;  dB = scale dy^T u;  dA = du^T drop(x);  dx = dy W + undrop(du A).
import { add, mul, tidy, transpose, type Tensor } from '@tensorflow/tfjs-core'
import type { FrozenMatrix, LinearGradients, LoraFactors } from '../ops.ts'
import { masked, maskFor } from './dropout.ts'
import { times, timesTransposed } from './frozen.ts'
import { product } from './matmul.ts'

export function linear(x: Tensor, w: FrozenMatrix, bias?: Tensor, lora?: LoraFactors): Tensor {
  return tidy(() => {
    let y = timesTransposed(x, w) // [N, out]
    if (lora) {
      const u = product(masked(x, maskFor(lora.dropout, x.shape)), lora.a, false, true) // [N, r]
      y = add(y, product(mul(u, lora.scale), lora.b, false, true)) // [N, out]
    }
    return bias ? add(y, bias) : y
  })
}

export function linearBackward(dy: Tensor, x: Tensor, w: FrozenMatrix, lora?: LoraFactors): LinearGradients {
  return tidy(() => {
    const dxFrozen = times(dy, w) // [N, in]
    if (!lora) return { dx: dxFrozen }
    const mask = maskFor(lora.dropout, x.shape) // [N, in] or none
    const dropped = masked(x, mask) // [N, in]
    const u = mul(product(dropped, lora.a, false, true), lora.scale) // scale u [N, r]
    const du = mul(product(dy, lora.b), lora.scale) // [N, r]
    const da = product(du, dropped, true, false) // [r, in]
    // (u^T dy)^T rather than dy^T u: on wasm only the small matrices are transposed.
    const db = transpose(product(u, dy, true, false)) // [out, r]
    const dx = add(dxFrozen, masked(product(du, lora.a), mask)) // [N, in]
    return { dx, da, db }
  })
}
