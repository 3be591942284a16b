// LayerNorm (Ba et al. 2016, arXiv 1607.06450): y = w n + b with n = (x - mean x) rho, rho = 1 / sqrt(var x + eps),
// row by row.
// Backward, with g = w dy: dx = rho (g - mean g - n mean(g n));  dw = columns' sums of dy n;  db = those of dy.
import { add, mean, mul, rsqrt, square, sub, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { columnSums } from './columns.ts'

export function layerNorm(x: Tensor, w: Tensor, b: Tensor, eps: number): Tensor {
  return tidy(() => add(mul(normalised(x, eps).n, w), b)) // [N, d]
}

export function layerNormBackward(dy: Tensor, x: Tensor, w: Tensor, eps: number): Tensor {
  return tidy(() => {
    const { n, rho } = normalised(x, eps)
    const g = mul(dy, w) // [N, d]
    const projection = mul(n, mean(mul(g, n), 1, true)) // [N, d]
    return mul(sub(sub(g, mean(g, 1, true)), projection), rho) // [N, d]
  })
}

export function layerNormWeightGradients(dy: Tensor, x: Tensor, eps: number): { dw: Tensor; db: Tensor } {
  return tidy(() => ({
    dw: columnSums(mul(dy, normalised(x, eps).n)), // [d]
    db: columnSums(dy), // [d]
  }))
}

/** n [N, d] and rho [N, 1] */
function normalised(x: Tensor, eps: number): { n: Tensor; rho: Tensor } {
  const centred = sub(x, mean(x, 1, true)) // [N, d]
  const rho = rsqrt(add(mean(square(centred), 1, true), eps)) // [N, 1]
  return { n: mul(centred, rho), rho }
}
