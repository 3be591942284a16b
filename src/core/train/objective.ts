// From a batch of examples to a loss and its gradients: forward through the blocks, the head, and back.
import { concat, dispose, reshape, square, sum, tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { SCORE_NAME, type Adaptation, type GradientSink } from '../nn/adaptation.ts'
import { tokenBatch, type TokenBatch } from '../nn/batch.ts'
import type { Transformer } from '../models/transformer.ts'

/** Label of a position that is not trained on. */
export const IGNORED = -100

/** A tokenised example: `labels` as long as the ids and unshifted (language modelling), or one class. */
export type Example = { ids: number[]; labels: number[] } | { ids: number[]; label: number }

/** A batch with the rows whose hidden state meets the head, and the head's labels for them. */
export interface ExampleBatch {
  tokens: TokenBatch
  /** Real tokens of the batch, and labels that count. */
  tokenCount: number
  labelCount: number
  /** int32 [M]: rows of the flat batch that meet the head. */
  rows: Tensor
  /** int32 [N]: for each flat row its place in `rows`, or M. */
  inverse: Tensor
  /** int32 [M] */
  labels: Tensor
  dispose(): void
}

/** Pads and flattens examples; with labels shifted by one for language modelling, the last real token for classes. */
export function exampleBatch(examples: readonly Example[], padId: number, context: number): ExampleBatch {
  const tokens = tokenBatch(
    examples.map((example) => example.ids),
    padId,
    context,
  )
  const rows: number[] = []
  const labels: number[] = []
  examples.forEach((example, b) => {
    const start = b * tokens.length
    if ('label' in example) {
      rows.push(start + Math.max(0, example.ids.length - 1))
      // A row without tokens has nothing to look at: its padding must not be trained on.
      labels.push(example.ids.length === 0 ? IGNORED : example.label)
      return
    }
    for (let t = 0; t + 1 < example.ids.length; t++) {
      const next = example.labels[t + 1]!
      if (next === IGNORED) continue
      rows.push(start + t)
      labels.push(next)
    }
  })
  const inverse = new Int32Array(tokens.batch * tokens.length).fill(rows.length)
  rows.forEach((row, i) => (inverse[row] = i))
  const rowTensor = tensor1d(rows, 'int32')
  const inverseTensor = tensor1d(inverse, 'int32')
  const labelTensor = tensor1d(labels, 'int32')
  return {
    tokens,
    tokenCount: tokens.lengths.reduce((sum, length) => sum + length, 0),
    labelCount: labels.filter((label) => label !== IGNORED).length,
    rows: rowTensor,
    inverse: inverseTensor,
    labels: labelTensor,
    dispose() {
      tokens.dispose()
      dispose([rowTensor, inverseTensor, labelTensor])
    },
  }
}

/** What is trained in a pass: adapters beside the blocks, a score head [labels, d] in place of the vocabulary. */
export interface Trainable {
  adaptation: Adaptation | null
  score: Tensor | null
}

/** Rows of the last block's output where the head is applied, [M, d], before the final norm. Consumes nothing. */
function headRows(
  model: Transformer,
  batch: ExampleBatch,
  adaptation: Adaptation | null,
  inputs?: Tensor[],
): Tensor {
  const x = model.forward(model.embed(batch.tokens.ids), model.pass(batch.tokens, adaptation), inputs)
  const h = model.ops.gatherRows(x, batch.rows)
  x.dispose()
  return h
}

/** What a pass leaves on the device to be read later, both []. */
export interface StepScalars {
  loss: Tensor
  /** Sum of squares of the rows that meet the head. Where it overflows, RMSNorm turns them into zeros (x / infinity):
   *  the loss looks sound and learns nothing. So it is looked at as the loss is. */
  energy: Tensor
}

/** factor x sum of the cross-entropies, as a scalar; its gradients go to the sink. A full step of many micro-batches
 *  uses factor = 1 / (labels of the whole step), so the sum over micro-batches is the mean over labels. */
export function lossAndGradients(
  model: Transformer,
  batch: ExampleBatch,
  trainable: Trainable,
  factor: number,
  sink: GradientSink,
): StepScalars {
  const { ops } = model
  const { adaptation, score } = trainable
  // Tidy, so that a failure half-way (a full memory) leaves nothing behind.
  const [loss, energy] = tidy(() => {
    // Without adapters nothing below the head is trained, so no block input is worth keeping.
    const inputs: Tensor[] | undefined = adaptation ? [] : undefined
    const h = headRows(model, batch, adaptation, inputs) // [M, d]
    const n = model.norm(h) // [M, d]
    let loss: Tensor
    let dn: Tensor // [M, d]
    if (score) {
      const logits = ops.matmul(n, score, false, true) // [M, C]
      const result = ops.crossEntropy(logits, batch.labels, factor)
      loss = result.loss
      sink.add(SCORE_NAME, ops.matmul(result.dLogits, n, true, false))
      dn = ops.matmul(result.dLogits, score)
    } else {
      const result = ops.headCrossEntropy(n, model.weights.head, batch.labels, factor)
      loss = result.loss
      dn = result.dh
    }
    if (inputs) {
      const dx = ops.scatterRows(model.normBackward(dn, h), batch.inverse) // [N, d]
      model.backward(dx, inputs, model.pass(batch.tokens, adaptation), sink)
    }
    return [loss, sum(square(h))]
  }) as [Tensor, Tensor]
  return { loss, energy }
}

/** The loss alone (factor x sum), and for a classifier its logits [B, C]. */
export function evaluateBatch(
  model: Transformer,
  batch: ExampleBatch,
  trainable: Trainable,
  factor: number,
): { loss: Tensor; logits: Tensor | null } {
  const [loss, logits] = tidy(() => {
    const n = model.norm(headRows(model, batch, trainable.adaptation)) // [M, d]
    if (!trainable.score) return [model.ops.headLoss(n, model.weights.head, batch.labels, factor)]
    const logits = model.ops.matmul(n, trainable.score, false, true)
    return [model.ops.crossEntropy(logits, batch.labels, factor).loss, logits]
  }) as [Tensor, Tensor?]
  return { loss, logits: logits ?? null }
}

/** Reads scalars in one go: one readback for any number of them. Disposes them. */
export async function readScalars(tensors: Tensor[]): Promise<Float32Array> {
  if (tensors.length === 0) return new Float32Array(0)
  const all = tidy(() => concat(tensors.map((tensor) => reshape(tensor, [1]))))
  dispose(tensors)
  const values = (await all.data()) as Float32Array
  all.dispose()
  return values
}
