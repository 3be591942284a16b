// The row of a sequence that the head looks at.
import { tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Transformer } from '../models/transformer.ts'

/** Row of the last of `length` tokens of x [N, d] -> [1, d] */
export function gatherLast(model: Transformer, x: Tensor, length: number): Tensor {
  return tidy(() => model.ops.gatherRows(x, tensor1d([length - 1], 'int32')))
}
