// A single text through the model for inspection: its logits, and the attention probabilities of every layer.
import { tidy, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError, throwIfAborted } from '../../protocol/errors.ts'
import type { Transformer } from '../models/transformer.ts'
import { tokenBatch } from '../nn/batch.ts'
import type { Trainable } from '../train/objective.ts'
import { gatherRow, readRow } from './rows.ts'

/** Logits of one sequence: [T, V] of a language model (one row of them, [1, V], with `position`), or [1, labels] of a
 *  classifier. Throws E_LIMIT where they would not fit in memory. */
export async function inspectLogits(
  model: Transformer,
  ids: readonly number[],
  trainable: Trainable,
  padId: number,
  position?: number,
): Promise<{ shape: [number, number]; logits: Float32Array }> {
  if (!trainable.classify && position === undefined)
    checkSize(ids.length, ids.length * model.architecture.vocab)
  const batch = tokenBatch([ids], padId, ids.length)
  let logits: Tensor
  try {
    logits = tidy(() => {
      const pass = model.pass(batch, trainable.adaptation)
      const x = model.forward(model.embed(batch.ids, pass), pass)
      if (trainable.classify) return model.parts.classifier.trace(readRow(model, x, ids.length, pass), pass).y
      const rows = position === undefined ? x : gatherRow(model, x, position)
      return model.head.logits(model.final(rows, pass).y, pass)
    })
  } finally {
    batch.dispose()
  }
  const values = (await logits.data()) as Float32Array
  const shape: [number, number] = [logits.shape[0]!, logits.shape[1]!]
  logits.dispose()
  return { shape, logits: values }
}

/** Attention probabilities [L, H, T, T] of one sequence, layer by layer. */
export async function inspectAttention(
  model: Transformer,
  ids: readonly number[],
  trainable: Trainable,
  padId: number,
  onLayer: (done: number) => void = () => undefined,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { layers, heads } = model.architecture
  const size = heads * ids.length * ids.length
  checkSize(ids.length, layers * size)
  const weights = new Float32Array(layers * size)
  await eachAttention(
    model,
    ids,
    trainable,
    padId,
    async (probabilities, layer) => {
      weights.set((await probabilities.data()) as Float32Array, layer * size)
      onLayer(layer + 1)
    },
    signal,
  )
  return weights
}

/** Shows the attention probabilities [1, H, T, T] of each layer of one sequence, and frees them afterwards. */
export async function eachAttention(
  model: Transformer,
  ids: readonly number[],
  trainable: Trainable,
  padId: number,
  visit: (probabilities: Tensor, layer: number) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const batch = tokenBatch([ids], padId, ids.length)
  const pass = model.pass(batch, trainable.adaptation)
  let x: Tensor | null = null
  let probabilities: Tensor | null = null
  try {
    x = model.embed(batch.ids, pass)
    for (const [layer, block] of model.parts.blocks.entries()) {
      throwIfAborted(signal)
      probabilities = block.attentionProbabilities(x, pass) // [1, H, T, T]
      const next = block.forward(x, pass)
      x.dispose()
      x = next
      await visit(probabilities, layer)
      probabilities.dispose()
    }
  } finally {
    x?.dispose()
    probabilities?.dispose()
    batch.dispose()
  }
}

/** Numbers that one answer may hold: 1 GiB of float32, what browsers allocate at once without trouble. */
const NUMBERS_LIMIT = 2 ** 28

/** Throws E_LIMIT for more numbers than one answer may hold. */
export function checkSize(tokens: number, numbers: number): void {
  if (numbers > NUMBERS_LIMIT)
    throw new GraftError(
      'E_LIMIT',
      `The answer for ${tokens} tokens would hold ${numbers.toLocaleString('en')} numbers; at most ${NUMBERS_LIMIT.toLocaleString('en')} are given at once. Shorten the text.`,
      { tokens, numbers, limit: NUMBERS_LIMIT },
    )
}
