// One state a text and layer, for what compares layers over many texts.
import { dispose, tensor2d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { throwIfAborted } from '../../../protocol/errors.ts'
import type { Pool } from '../../../protocol/explain.ts'
import { tokenBatch } from '../../nn/batch.ts'
import { batchFrom } from '../answers.ts'
import { answerPosition, type Asked } from '../subject.ts'

export interface StatesOptions {
  pool: Pool
  /** Tokens that a mean leaves out; a text of such tokens alone is taken whole. */
  isSpecial: (id: number) => boolean
  onBatch?: (done: number, total: number) => void
  signal?: AbortSignal
}

/** For each layer, the input of the first block included: [n, d], rows in the order of the texts. */
export async function pooledStates(
  asked: Asked,
  texts: readonly (readonly number[])[],
  { pool, isSpecial, onBatch, signal }: StatesOptions,
): Promise<Float32Array[]> {
  const { model, turns } = asked
  const { hidden } = model.architecture
  const states = Array.from(
    { length: model.parts.blocks.length + 1 },
    () => new Float32Array(texts.length * hidden),
  )
  const sharesOf = (ids: readonly number[]): Float32Array => {
    const at = pool === 'answer' ? answerPosition(asked, ids.length) : -1
    const kept = Float32Array.from(ids, (id, t) => (at < 0 ? Number(!isSpecial(id)) : Number(t === at)))
    if (!kept.includes(1)) kept.fill(1)
    const total = kept.reduce((sum, share) => sum + share, 0)
    return kept.map((share) => share / total)
  }
  const questions = texts.map((ids) => ({ ids }))
  const order = texts.map((_, i) => i).sort((a, b) => texts[a]!.length - texts[b]!.length)
  let done = 0
  while (done < order.length) {
    throwIfAborted(signal)
    const places = batchFrom(order, done, questions)
    const batch = places.map((place) => texts[place]!)
    const found = await turns.take(() => poolBatch(asked, batch, sharesOf))
    found.forEach((rows, layer) =>
      places.forEach((place, i) =>
        states[layer]!.set(rows.subarray(i * hidden, (i + 1) * hidden), place * hidden),
      ),
    )
    done += places.length
    onBatch?.(done, texts.length)
  }
  return states
}

async function poolBatch(
  { model, trainable, padId }: Asked,
  texts: readonly (readonly number[])[],
  sharesOf: (ids: readonly number[]) => Float32Array,
): Promise<Float32Array[]> {
  const batch = tokenBatch(texts, padId, model.architecture.context)
  const tokens = batch.batch * batch.length
  const shares = new Float32Array(texts.length * tokens)
  texts.forEach((ids, b) => shares.set(sharesOf(ids), b * tokens + batch.starts[b]!))
  const pooled: Tensor[] = []
  const pool = tensor2d(shares, [texts.length, tokens])
  let x: Tensor | null = null
  try {
    const pass = model.pass(batch, trainable.adaptation)
    const take = (from: Tensor) => pooled.push(tidy(() => model.ops.matmul(pool, from)))
    x = model.embed(batch.ids, pass)
    take(x)
    for (const block of model.parts.blocks) {
      const from: Tensor = x
      x = block.forward(from, pass)
      from.dispose()
      take(x)
    }
    return (await Promise.all(pooled.map((tensor) => tensor.data()))) as Float32Array[]
  } finally {
    x?.dispose()
    pool.dispose()
    batch.dispose()
    dispose(pooled)
  }
}
