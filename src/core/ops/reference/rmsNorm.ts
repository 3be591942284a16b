// RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467): y = w x rho, rho = 1 / sqrt(mean(x^2) + eps), row by row.
// Backward: dx = rho (w dy) - x rho^3 / d sum(w dy x);  dw = columns' sums of dy x rho.
import { add, mean, mul, rsqrt, square, sub, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { columnSums } from './columns.ts'
import { rowKernel } from './wasmRows.ts'

/** With `plus` [N, d] added. */
export function rmsNorm(x: Tensor, w: Tensor, eps: number, plus?: Tensor): Tensor {
  const [rows, width] = x.shape as [number, number]
  const out = rowKernel('rmsNorm', rows, width, { inputs: [x, w], outputs: [x.shape], more: [plus] }, [
    1 / width,
    eps,
  ])
  if (out) return out[0]!
  return tidy(() => {
    const y = mul(mul(x, inverseRms(x, eps)), w) // [N, d]
    return plus ? add(y, plus) : y
  })
}

/** dx with `plus` [N, d] added. */
export function rmsNormBackward(dy: Tensor, x: Tensor, w: Tensor, eps: number, plus?: Tensor): Tensor {
  const [rows, width] = x.shape as [number, number]
  const tensors = { inputs: [dy, x, w], outputs: [x.shape], more: [plus] }
  const out = rowKernel('rmsNormBackward', rows, width, tensors, [1 / width, eps])
  if (out) return out[0]!
  return tidy(() => {
    const rho = inverseRms(x, eps) // [N, 1]
    const g = mul(dy, w) // [N, d]
    const projection = mul(mean(mul(g, x), 1, true), square(rho)) // [N, 1]
    const dx = mul(sub(g, mul(x, projection)), rho) // [N, d]
    return plus ? add(dx, plus) : dx
  })
}

export function rmsNormWeightGradient(dy: Tensor, x: Tensor, eps: number): Tensor {
  return tidy(() => columnSums(mul(dy, mul(x, inverseRms(x, eps))))) // [d]
}

/** rho [N, 1] */
function inverseRms(x: Tensor, eps: number): Tensor {
  return rsqrt(add(mean(square(x), 1, true), eps))
}
