// Column by column: scaling, and sums over the rows, which the gradients of biases and norms are.
import { mul, ones, reshape, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { product } from './matmul.ts'

/** x [N, d], s [d] -> x with column j multiplied by s[j] */
export function scaleColumns(x: Tensor, s: Tensor): Tensor {
  return tidy(() => mul(x, s))
}

/** x [N, d] -> [d]; as a product with ones, since tfjs sums along other axes than the last only after a transpose. */
export function columnSums(x: Tensor): Tensor {
  const [rows, width] = x.shape as [number, number]
  return tidy(() => reshape(product(ones([1, rows]), x), [width]))
}
