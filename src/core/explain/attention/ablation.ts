// Head ablation: the answer to one text with some heads switched off. Sets of heads share a batch, a row each, and begin
// at the first layer that differs from the model with every head on.
import { concat, dispose, tensor, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { throwIfAborted } from '../../../protocol/errors.ts'
import type { HeadFill, HeadPlace } from '../../../protocol/explain.ts'
import { tokenBatch, type TokenBatch } from '../../nn/batch.ts'
import type { Pass } from '../../nn/layer.ts'
import { answersOf, ROWS_AT_ONCE, TOKENS_AT_ONCE, type Answers, type AnswerOptions } from '../answers.ts'
import type { Asked } from '../subject.ts'

export interface AblationOptions extends AnswerOptions {
  fill?: HeadFill
}

/** The answers [n, k] with each of the sets of heads off; an empty set leaves the model as it is. */
export async function ablated(
  asked: Asked,
  { ids, position }: { ids: readonly number[]; position: number },
  sets: readonly (readonly HeadPlace[])[],
  outputs: readonly number[] | 'all',
  { fill = 'zero', signal, onBatch }: AblationOptions = {},
): Promise<Answers> {
  const { model, trainable, turns } = asked
  const { blocks } = model.parts
  const firsts = sets.map((set) => Math.min(blocks.length - 1, ...set.map(([layer]) => layer)))
  const atOnce = Math.max(1, Math.min(ROWS_AT_ONCE, Math.floor(TOKENS_AT_ONCE / ids.length)))
  const logSums = new Float32Array(sets.length)
  let logits = new Float32Array(0)
  let done = 0
  const single = tokenBatch([ids], asked.padId, ids.length)
  let x: Tensor | null = null
  try {
    const pass = model.pass(single, trainable.adaptation)
    for (const [layer, block] of blocks.entries()) {
      const places = firsts.flatMap((first, place) => (first === layer ? [place] : []))
      for (let begin = 0; begin < places.length; begin += atOnce) {
        throwIfAborted(signal)
        const chunk = places.slice(begin, begin + atOnce)
        const found = await turns.take(() => {
          x ??= model.embed(single.ids, pass)
          return answersWithout(
            asked,
            { ids, position },
            x,
            layer,
            chunk.map((place) => sets[place]!),
            outputs,
            fill,
          )
        })
        const width = found.logits.length / chunk.length
        if (logits.length === 0) logits = new Float32Array(sets.length * width)
        chunk.forEach((place, i) => {
          logits.set(found.logits.subarray(i * width, (i + 1) * width), place * width)
          logSums[place] = found.logSums[i]!
        })
        onBatch?.((done += chunk.length), sets.length)
      }
      if (done === sets.length) break
      await turns.take(() => {
        const before = x ?? model.embed(single.ids, pass)
        x = null
        try {
          x = block.forward(before, pass)
        } finally {
          before.dispose()
        }
      })
    }
  } finally {
    dispose(x ?? [])
    single.dispose()
  }
  return { logits, logSums }
}

/** From the input x [T, d] of a layer on, with one of the sets off in each row of a batch. */
async function answersWithout(
  { model, trainable, padId }: Asked,
  { ids, position }: { ids: readonly number[]; position: number },
  x: Tensor,
  from: number,
  sets: readonly (readonly HeadPlace[])[],
  outputs: readonly number[] | 'all',
  fill: HeadFill,
): Promise<Answers> {
  // As long as the text: no padding.
  const batch: TokenBatch = tokenBatch(
    sets.map(() => ids),
    padId,
    ids.length,
  )
  let made: Tensor[]
  try {
    made = tidy(() => {
      const pass = model.pass(batch, trainable.adaptation)
      let y =
        sets.length === 1
          ? x.clone()
          : concat(
              sets.map(() => x),
              0,
            ) // [B T, d]
      model.parts.blocks.slice(from).forEach((block, i) => {
        const next = block.forward(y, switchedPass(pass, from + i, sets, model.architecture.heads, fill))
        y.dispose()
        y = next
      })
      const rows = sets.map((_, b) => batch.starts[b]! + position)
      return answersOf(model, trainable, y, rows, outputs, pass)
    })
  } finally {
    batch.dispose()
  }
  const [logits, logSums] = (await Promise.all(made.map((each) => each.data()))) as Float32Array[]
  dispose(made)
  return { logits: logits!, logSums: logSums! }
}

/** The pass of one layer; the same one where all its heads are on. */
function switchedPass(
  pass: Pass,
  layer: number,
  sets: readonly (readonly HeadPlace[])[],
  heads: number,
  fill: HeadFill,
): Pass {
  const factors = new Float32Array(sets.length * heads).fill(1)
  sets.forEach((set, b) => {
    for (const [at, head] of set) if (at === layer) factors[b * heads + head] = 0
  })
  if (factors.every((factor) => factor === 1)) return pass
  return { ...pass, heads: { factors: tensor(factors, [sets.length, 1, heads, 1]), fill } }
}
