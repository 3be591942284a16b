// Many texts to one model at once: the logits at the token where each is answered. Everything that explains by asking
// again (LIME, SHAP, anchors, counterfactuals, rules, deletion curves) asks here.
import { dispose, gather, logSumExp, tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { throwIfAborted } from '../../protocol/errors.ts'
import type { Transformer } from '../models/transformer.ts'
import { bucketOf, tokenBatch } from '../nn/batch.ts'
import type { Pass } from '../nn/layer.ts'
import type { Trainable } from '../train/objective.ts'
import type { Asked } from './subject.ts'

/** A text and the token that its answer is read from. */
export interface Question {
  ids: readonly number[]
  position: number
}

export interface Answers {
  /** [n, k]: logits of the outputs that were asked for. */
  logits: Float32Array
  /** [n]: ln sum exp over all outputs, so that logit - logSum is a log-probability. */
  logSums: Float32Array
}

export interface AnswerOptions {
  signal?: AbortSignal
  onBatch?: (done: number, total: number) => void
}

/** Tokens, padding included, that go through the model at once. */
export const TOKENS_AT_ONCE = 2048
export const ROWS_AT_ONCE = 64

/**
 * Logits of some outputs (all classes of a classifier where `outputs` is 'all') for each question. Texts are sorted by
 * length for the batches, so that little padding is computed; answers come in the order of the questions.
 */
export async function answers(
  asked: Asked,
  questions: readonly Question[],
  outputs: readonly number[] | 'all',
  { signal, onBatch }: AnswerOptions = {},
): Promise<Answers> {
  const order = questions.map((_, i) => i).sort((a, b) => questions[a]!.ids.length - questions[b]!.ids.length)
  const logSums = new Float32Array(questions.length)
  let logits = new Float32Array(0)
  let done = 0
  while (done < order.length) {
    throwIfAborted(signal)
    const places = batchFrom(order, done, questions)
    const batch = places.map((place) => questions[place]!)
    const found = await asked.turns.take(() => answerBatch(asked, batch, outputs))
    const width = found.logits.length / batch.length
    if (logits.length === 0) logits = new Float32Array(questions.length * width)
    places.forEach((place, i) => {
      logits.set(found.logits.subarray(i * width, (i + 1) * width), place * width)
      logSums[place] = found.logSums[i]!
    })
    done += places.length
    onBatch?.(done, questions.length)
  }
  return { logits, logSums }
}

/** Questions from `start` of the order that fit into one batch; at least one. */
export function batchFrom(
  order: readonly number[],
  start: number,
  questions: readonly Pick<Question, 'ids'>[],
): number[] {
  let end = start
  while (end < order.length && end - start < ROWS_AT_ONCE) {
    // Sorted by length: the one that is added is the longest.
    const length = bucketOf(questions[order[end]!]!.ids.length)
    if (end > start && (end - start + 1) * length > TOKENS_AT_ONCE) break
    end++
  }
  return order.slice(start, end)
}

async function answerBatch(
  { model, trainable, padId }: Asked,
  questions: readonly Question[],
  outputs: readonly number[] | 'all',
): Promise<Answers> {
  const batch = tokenBatch(
    questions.map(({ ids }) => ids),
    padId,
    model.architecture.context,
  )
  let made: Tensor[]
  try {
    made = tidy(() => {
      const pass = model.pass(batch, trainable.adaptation)
      const x = model.forward(model.embed(batch.ids, pass), pass) // [N, d]
      const rows = questions.map(({ position }, b) => batch.starts[b]! + position)
      return answersOf(model, trainable, x, rows, outputs, pass)
    })
  } finally {
    batch.dispose()
  }
  const [logits, logSums] = (await Promise.all(made.map((tensor) => tensor.data()))) as Float32Array[]
  dispose(made)
  return { logits: logits!, logSums: logSums! }
}

/** Logits [n, k] and their ln sum exp [n] that rows of the last block's output x [N, d] give. Inside a tidy. */
export function answersOf(
  model: Transformer,
  { classify }: Pick<Trainable, 'classify'>,
  x: Tensor,
  rows: readonly number[],
  outputs: readonly number[] | 'all',
  pass: Pass,
): [Tensor, Tensor] {
  const n = model.final(model.ops.gatherRows(x, tensor1d([...rows], 'int32')), pass).y // [n, d]
  const all = classify ? model.parts.classifier.trace(n, pass).y : model.head.logits(n, pass) // [n, V]
  const logits = outputs === 'all' ? all.clone() : gather(all, tensor1d([...outputs], 'int32'), 1) // [n, k]
  return [logits, logSumExp(all, 1)]
}
