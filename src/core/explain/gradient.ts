// The gradient of one output logit, or of the difference of two, with respect to the input embeddings: the engine's own
// backward walk with the loss replaced by that number. Every gradient-based attribution is made from it.
import {
  add,
  dispose,
  mul,
  slice,
  sub,
  sum,
  tensor1d,
  tensor2d,
  tidy,
  type Tensor,
} from '@tensorflow/tfjs-core'
import type { Transformer } from '../models/transformer.ts'
import { tokenBatch } from '../nn/batch.ts'
import type { Pass } from '../nn/layer.ts'
import type { Trainable } from '../train/objective.ts'
import type { Explained } from './subject.ts'

export interface InputGradient {
  /** The explained number for these embeddings. */
  value: number
  /** d value / d embeddings, [T, d] */
  gradient: Float32Array
}

/** Rows of the token table for a sequence, [T, d]: before positions and norms are added to them. */
export async function embeddings(
  model: Transformer,
  ids: readonly number[],
  adaptation: Trainable['adaptation'] = null,
): Promise<Float32Array> {
  const x = tidy(() => model.rows(tensor1d(Int32Array.from(ids), 'int32'), adaptation))
  const values = (await x.data()) as Float32Array
  x.dispose()
  return values
}

/** The explained number for given rows [T, d], and its gradient. */
export async function inputGradient(
  model: Transformer,
  values: Float32Array,
  explained: Explained,
  { adaptation, classify }: Trainable,
): Promise<InputGradient> {
  const { hidden } = model.architecture
  const { ops } = model
  const length = values.length / hidden
  const at = explained.position
  const batch = tokenBatch([new Array<number>(length).fill(0)], 0, length)
  const run = () => {
    const pass = model.pass(batch, adaptation)
    const entered = model.enter(tensor2d(values, [length, hidden]), pass) // [T, d]
    const through = model.forwardAndBack(entered.y.clone(), pass, 0, 'block')
    const h = ops.gatherRows(through.y, tensor1d([at], 'int32')) // [1, d]
    const final = model.final(h, pass)
    const { value, dn } = outputAndGradient(model, final.y, explained, pass, classify)
    const inverse = new Int32Array(length).fill(1)
    inverse[at] = 0
    const dx = ops.scatterRows(final.back(dn, null), tensor1d(inverse, 'int32')) // [T, d]
    return [value, entered.back(through.back(dx, null), null)]
  }
  let value: Tensor
  let gradient: Tensor
  try {
    ;[value, gradient] = tidy(run) as [Tensor, Tensor]
  } finally {
    batch.dispose()
  }
  const result = {
    value: ((await value.data()) as Float32Array)[0]!,
    gradient: (await gradient.data()) as Float32Array,
  }
  dispose([value, gradient])
  return result
}

/** The explained number of a row n [1, d], and its gradient dn [1, d]. */
export function outputAndGradient(
  model: Transformer,
  n: Tensor,
  { index, contrast }: Pick<Explained, 'index' | 'contrast'>,
  pass: Pass,
  classify: boolean,
): { value: Tensor; dn: Tensor } {
  const { ops } = model
  if (classify) {
    const head = model.parts.classifier.trace(n, pass) // [1, C]
    const signs = new Float32Array(head.y.shape[1]!)
    signs[index]! += 1
    if (contrast !== null) signs[contrast]! -= 1
    const chosen = tensor2d(signs, [1, signs.length])
    return { value: sum(mul(head.y, chosen)), dn: head.back(chosen, null) }
  }
  // The row of the head that makes a logit is also its gradient.
  const { head } = model
  const transformed = head.transformed(n, pass)
  const matrix = head.matrix(pass.adaptation)
  const row = (output: number) => ops.embedding(matrix, tensor1d([output], 'int32')) // [1, d]
  const difference = contrast === null ? row(index) : sub(row(index), row(contrast))
  const product = ops.matmul(transformed.y, difference, false, true) // [1, 1]
  const { bias } = head.parts
  const at = (output: number) => slice(bias!, [output], [1])
  const shift = bias && (contrast === null ? at(index) : sub(at(index), at(contrast)))
  return {
    value: shift ? add(product, shift) : product,
    dn: transformed.back(difference, null),
  }
}
