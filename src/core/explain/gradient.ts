// The gradient of one output logit with respect to the input embeddings: the engine's own backward walk with the
// loss replaced by a logit. Every gradient-based attribution is made from it.
import { add, dispose, mul, slice, sum, tensor1d, tensor2d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Transformer } from '../models/transformer.ts'
import { tokenBatch } from '../nn/batch.ts'
import type { Pass } from '../nn/layer.ts'
import type { Trainable } from '../train/objective.ts'

export interface InputGradient {
  /** The explained logit for these embeddings. */
  logit: number
  /** d logit / d embeddings, [T, d] */
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

/** Logit number `output` at a token for given rows [T, d], and its gradient. `position`: the token that is looked at; by
 *  default the classifier's, and for a language model the last. */
export async function inputGradient(
  model: Transformer,
  values: Float32Array,
  output: number,
  { adaptation, classify }: Trainable,
  position?: number,
): Promise<InputGradient> {
  const { hidden } = model.architecture
  const { ops } = model
  const length = values.length / hidden
  const at = position ?? (classify && model.family.classifier.row === 'first' ? 0 : length - 1)
  const batch = tokenBatch([new Array<number>(length).fill(0)], 0, length)
  const run = () => {
    const pass = model.pass(batch, adaptation)
    const entered = model.enter(tensor2d(values, [length, hidden]), pass) // [T, d]
    const through = model.forwardAndBack(entered.y.clone(), pass, 0, 'block')
    const h = ops.gatherRows(through.y, tensor1d([at], 'int32')) // [1, d]
    const final = model.final(h, pass)
    const { logit, dn } = oneLogit(model, final.y, output, pass, classify)
    const inverse = new Int32Array(length).fill(1)
    inverse[at] = 0
    const dx = ops.scatterRows(final.back(dn, null), tensor1d(inverse, 'int32')) // [T, d]
    return [logit, entered.back(through.back(dx, null), null)]
  }
  let logit: Tensor
  let gradient: Tensor
  try {
    ;[logit, gradient] = tidy(run) as [Tensor, Tensor]
  } finally {
    batch.dispose()
  }
  const result = {
    logit: ((await logit.data()) as Float32Array)[0]!,
    gradient: (await gradient.data()) as Float32Array,
  }
  dispose([logit, gradient])
  return result
}

/** One logit of a row n [1, d], and its gradient dn [1, d]. */
function oneLogit(
  model: Transformer,
  n: Tensor,
  output: number,
  pass: Pass,
  classify: boolean,
): { logit: Tensor; dn: Tensor } {
  const { ops } = model
  if (classify) {
    const head = model.parts.classifier.trace(n, pass) // [1, C]
    const chosen = indicator(output, head.y.shape[1]!) // [1, C]
    return { logit: sum(mul(head.y, chosen)), dn: head.back(chosen, null) }
  }
  // The row of the head that makes this logit is also its gradient.
  const { head } = model
  const transformed = head.transformed(n, pass)
  const row = ops.embedding(head.matrix(pass.adaptation), tensor1d([output], 'int32')) // [1, d]
  const product = ops.matmul(transformed.y, row, false, true) // [1, 1]
  const { bias } = head.parts
  return {
    logit: bias ? add(product, slice(bias, [output], [1])) : product,
    dn: transformed.back(row, null),
  }
}

/** 1 at one place and 0 elsewhere, [1, size]. tfjs's own oneHot does not compile for integers on WebGPU. */
function indicator(at: number, size: number): Tensor {
  const values = new Float32Array(size)
  values[at] = 1
  return tensor2d(values, [1, size])
}
