// From a batch of examples to a loss and its gradients: forward through the blocks, the head, and back.
import { concat, dispose, reshape, tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Checkpointing } from '../../protocol/run.ts'
import type { Adaptation, GradientSink } from '../nn/adaptation.ts'
import { bucketOf, placedTokens, tokenRows, type TokenBatch, type TokenRows } from '../nn/batch.ts'
import type { Changing } from '../ops/changing.ts'
import type { Transformer } from '../models/transformer.ts'

/** Label of a position that is not trained on. */
export const IGNORED = -100

/** A tokenised example: `labels` as long as the ids and unshifted (language modelling), or one class. `weight`, above 0: how
 *  much each of its labels counts in the loss. In a run without weights no example has one. */
export type Example = ({ ids: number[]; labels: number[] } | { ids: number[]; label: number }) & {
  weight?: number
}

/** A batch with the rows whose hidden state meets the head, and the head's labels for them. */
export interface ExampleRows {
  tokens: TokenRows
  /** Real tokens of the batch, and labels that count. */
  tokenCount: number
  labelCount: number
  /** Sum of the weights of the labels that count: what the loss is divided by. Without weights labelCount. */
  labelWeight: number
  /** [M]: rows of the flat batch that meet the head. Of a language model they are filled up to a bucket, without a
   *  label; of a classifier they are its examples. */
  rows: Int32Array
  /** [N]: for each flat row its place in `rows`, or M. */
  inverse: Int32Array
  /** [M] */
  labels: Int32Array
  /** [M], in a run with weights. */
  weights: Float32Array | null
}

/** The same on the device. */
export interface ExampleBatch extends Pick<ExampleRows, 'tokenCount' | 'labelCount' | 'labelWeight'> {
  tokens: TokenBatch
  /** int32 [M], [N] and [M] */
  rows: Tensor
  inverse: Tensor
  labels: Tensor
  /** f32 [M] */
  weights: Tensor | null
  dispose(): void
}

/** Flattens examples, one to a row or packed; with labels shifted by one for language modelling. Classes are read from the
 *  last real token, or from the first, as the family does. */
export function exampleRows(
  examples: readonly Example[],
  padId: number,
  context: number,
  row: 'first' | 'last' = 'last',
  packing = false,
): ExampleRows {
  const tokens = tokenRows(
    examples.map((example) => example.ids),
    padId,
    context,
    packing,
  )
  const rows: number[] = []
  const labels: number[] = []
  const weights: number[] = []
  examples.forEach((example, b) => {
    const start = tokens.starts[b]!
    const { weight = 1 } = example
    if ('label' in example) {
      const last = Math.max(0, example.ids.length - 1)
      // A row without tokens has nothing to look at: its padding must not be trained on, nor a neighbour's tokens.
      rows.push(example.ids.length === 0 ? 0 : row === 'first' ? start : start + last)
      labels.push(example.ids.length === 0 ? IGNORED : example.label)
      weights.push(weight)
      return
    }
    for (let t = 0; t + 1 < example.ids.length; t++) {
      const next = example.labels[t + 1]!
      if (next === IGNORED) continue
      rows.push(start + t)
      labels.push(next)
      weights.push(weight)
    }
  })
  const classes = examples.some((example) => 'label' in example)
  const filled = classes || rows.length === 0 ? 0 : bucketOf(rows.length) - rows.length
  rows.push(...new Array<number>(filled).fill(0))
  labels.push(...new Array<number>(filled).fill(IGNORED))
  weights.push(...new Array<number>(filled).fill(0))
  const inverse = new Int32Array(tokens.batch * tokens.length).fill(rows.length)
  rows.forEach((row, i) => {
    if (labels[i] !== IGNORED) inverse[row] = i
  })
  const labelCount = labels.filter((label) => label !== IGNORED).length
  const weighted = examples.some(({ weight }) => weight !== undefined)
  // As the device has them, so that the loss is divided by what it was multiplied with.
  const counted = Float32Array.from(weights)
  return {
    tokens,
    tokenCount: tokens.lengths.reduce((sum, length) => sum + length, 0),
    labelCount,
    labelWeight: weighted
      ? counted.reduce((sum, weight, i) => (labels[i] === IGNORED ? sum : sum + weight), 0)
      : labelCount,
    rows: Int32Array.from(rows),
    inverse,
    labels: Int32Array.from(labels),
    weights: weighted ? counted : null,
  }
}

export function placedExamples(given: ExampleRows): ExampleBatch {
  const { tokens, rows, inverse, labels, weights, ...counts } = given
  const placed = placedTokens(tokens)
  const tensors = {
    rows: tensor1d(rows, 'int32'),
    inverse: tensor1d(inverse, 'int32'),
    labels: tensor1d(labels, 'int32'),
  }
  const placedWeights = weights && tensor1d(weights, 'float32')
  return {
    ...counts,
    tokens: placed,
    ...tensors,
    weights: placedWeights,
    dispose() {
      placed.dispose()
      dispose(Object.values(tensors))
      placedWeights?.dispose()
    },
  }
}

/** As exampleRows, on the device. */
export function exampleBatch(...given: Parameters<typeof exampleRows>): ExampleBatch {
  return placedExamples(exampleRows(...given))
}

/** What stands beside the base in a pass, and which head is meant: the vocabulary's, or a classifier's. */
export interface Trainable {
  adaptation: Adaptation | null
  classify: boolean
  /** Share of each target that goes to all words or classes alike; training alone knows it. Default 0. */
  smoothing?: number
}

/** What a pass leaves on the device to be read later, both []. */
export interface StepScalars {
  loss: Tensor
  /** Sum of squares of the rows that meet the head. Where it overflows, RMSNorm turns them into zeros (x / infinity):
   *  the loss looks sound and learns nothing. So it is looked at as the loss is. */
  energy: Tensor
}

/** Is handed what a pass says of each of its rows, in tensors that live for the call: of a classifier its dLogits [B, C], of
 *  a language model its losses [M], in one or more parts (LossOptions.each). Changes no bit of the results. */
export type RowWatch = (values: Tensor) => void

/** factor x sum of the cross-entropies, each times the weight of its example, as a scalar; its gradients go to the sink.
 *  A full step of many micro-batches uses factor = 1 / (labelWeight of the whole step), so the sum over micro-batches is the
 *  mean over labels. */
export function lossAndGradients(
  model: Transformer,
  batch: ExampleBatch,
  trainable: Trainable,
  factor: Changing,
  sink: GradientSink,
  checkpointing: Checkpointing = 'block',
  watch?: RowWatch,
): StepScalars {
  const { ops } = model
  const { adaptation, classify, smoothing } = trainable
  const options = { smoothing, ...(batch.weights && { weights: batch.weights }) }
  // Tidy, so that a failure half-way (a full memory) leaves nothing behind.
  const [loss, energy] = tidy(() => {
    const pass = model.pass(batch.tokens, adaptation)
    const rows = model.rows(batch.tokens.ids, adaptation) // [N, d]
    const entered = model.enter(rows, pass) // [N, d]
    const lowest = adaptation?.lowest ?? Infinity
    // The blocks dispose their inputs as they go; the original is needed on the way back to a trained table.
    const through = model.forwardAndBack(entered.y.clone(), pass, Math.max(0, lowest), checkpointing)
    const h = ops.gatherRows(through.y, batch.rows) // [M, d]
    through.y.dispose()
    const energy = ops.sumOfSquares(h)
    const final = model.final(h, pass) // [M, d]
    let loss: Tensor
    let dn: Tensor // [M, d]
    if (classify) {
      const head = model.parts.classifier.trace(final.y, pass) // [M, C]
      const result = ops.crossEntropy(head.y, batch.labels, factor, options)
      loss = result.loss
      watch?.(result.dLogits)
      dn = head.back(result.dLogits, sink)
    } else {
      const result = model.head.lossAndGradient(final.y, batch.labels, factor, pass, sink, {
        ...options,
        ...(watch && { each: watch }),
      })
      loss = result.loss
      dn = result.dn
    }
    const dh = final.back(dn, sink) // [M, d]
    if (lowest < Infinity) {
      const dx = through.back(ops.scatterRows(dh, batch.inverse), sink) // [N, d]
      if (lowest < 0) {
        const dRows = entered.back(dx, sink) // [N, d]
        model.parts.inputs.rowsBackward(ops, dRows, batch.tokens.ids, adaptation, sink)
      }
    }
    return [loss, energy]
  }) as [Tensor, Tensor]
  return { loss, energy }
}

/** The loss alone (factor x sum), whatever the weights, and for a classifier its logits [B, C]. */
export function evaluateBatch(
  model: Transformer,
  batch: ExampleBatch,
  { adaptation, classify }: Trainable,
  factor: number,
): { loss: Tensor; logits: Tensor | null } {
  const { ops } = model
  const [loss, logits] = tidy(() => {
    const pass = model.pass(batch.tokens, adaptation)
    const x = model.forward(model.embed(batch.tokens.ids, pass), pass)
    const n = model.final(ops.gatherRows(x, batch.rows), pass).y // [M, d]
    if (!classify) {
      const h = model.head.transformed(n, pass).y
      return [ops.headLoss(h, model.head.matrix(adaptation), batch.labels, factor)]
    }
    const logits = model.parts.classifier.trace(n, pass).y // [M, C]
    return [ops.crossEntropy(logits, batch.labels, factor).loss, logits]
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
