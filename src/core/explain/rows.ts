// The row of a sequence that a head looks at.
import { tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Transformer } from '../models/transformer.ts'
import type { Pass } from '../nn/layer.ts'

/** Row `at` of x [N, d] -> [1, d] */
export function gatherRow(model: Transformer, x: Tensor, at: number): Tensor {
  return tidy(() => model.ops.gatherRows(x, tensor1d([at], 'int32')))
}

/** The row of a text of `length` tokens that its classifier reads, as the classifier sees it: x [N, d] -> [1, d] */
export function readRow(model: Transformer, x: Tensor, length: number, pass: Pass): Tensor {
  const at = model.family.classifier.row === 'first' ? 0 : length - 1
  return model.final(gatherRow(model, x, at), pass).y
}
