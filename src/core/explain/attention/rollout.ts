// Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928): heads averaged, half of each row given to the token itself
// for the residual path, and the layers multiplied: R = A_L ... A_from with A = rows of (mean of heads + I), normalised.
// It is done on the device, a layer at a time: the maps of the heads are never read, and T^3 a layer is a matmul.
import {
  add,
  div,
  eye,
  matMul,
  mean,
  reshape,
  sum,
  tidy,
  type Tensor,
  type Tensor2D,
} from '@tensorflow/tfjs-core'

/** One layer on: its probabilities [1, H, T, T] and the flow [T, T] of the layers before it (null: the first) -> [T, T].
 *  Disposes the flow that it takes. */
export function through(probabilities: Tensor, flow: Tensor | null): Tensor {
  const n = probabilities.shape.at(-1)!
  const next = tidy(() => {
    const heads = reshape(probabilities, [-1, n, n]) // [H, T, T]
    const mixture = add(mean(heads, 0), eye(n)) // [T, T]
    const shares = div(mixture, sum(mixture, 1, true))
    return flow ? matMul(shares as Tensor2D, flow as Tensor2D) : shares
  })
  flow?.dispose()
  return next
}
