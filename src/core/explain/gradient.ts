// The gradient of one output logit with respect to the input embeddings: the engine's own backward walk with the
// loss replaced by a logit. Every gradient-based attribution is made from it.
import { dispose, tensor1d, tensor2d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Transformer } from '../models/transformer.ts'
import { tokenBatch } from '../nn/batch.ts'
import type { Trainable } from '../train/objective.ts'

export interface InputGradient {
  /** The explained logit for these embeddings. */
  logit: number
  /** d logit / d embeddings, [T, d] */
  gradient: Float32Array
}

/** Embeddings of a sequence, [T, d]. */
export async function embeddings(model: Transformer, ids: readonly number[]): Promise<Float32Array> {
  const x = tidy(() => model.embed(tensor1d(Int32Array.from(ids), 'int32')))
  const values = (await x.data()) as Float32Array
  x.dispose()
  return values
}

/** Logit number `output` at the last token for given embeddings [T, d], and its gradient. */
export async function inputGradient(
  model: Transformer,
  values: Float32Array,
  output: number,
  trainable: Trainable,
): Promise<InputGradient> {
  const { hidden } = model.architecture
  const { ops } = model
  const length = values.length / hidden
  const batch = tokenBatch([new Array<number>(length).fill(0)], 0, length)
  const pass = model.pass(batch, trainable.adaptation)
  const inputs: Tensor[] = []
  const x = model.forward(tensor2d(values, [length, hidden]), pass, inputs)
  const [logit, dx] = tidy(() => {
    const h = ops.gatherRows(x, tensor1d([length - 1], 'int32')) // [1, d]
    const n = model.norm(h)
    // The row of the head that makes this logit is also its gradient with respect to n.
    const index = tensor1d([output], 'int32')
    const row = trainable.score
      ? ops.gatherRows(trainable.score, index)
      : ops.embedding(model.weights.head, index) // [1, d]
    const inverse = new Int32Array(length).fill(1)
    inverse[length - 1] = 0
    const dx = ops.scatterRows(model.normBackward(row, h), tensor1d(inverse, 'int32')) // [T, d]
    return [ops.matmul(n, row, false, true), dx]
  }) as [Tensor, Tensor]
  x.dispose()
  const gradient = model.backward(dx, inputs, pass, null)
  const result = {
    logit: ((await logit.data()) as Float32Array)[0]!,
    gradient: (await gradient.data()) as Float32Array,
  }
  dispose([logit, gradient])
  batch.dispose()
  return result
}
