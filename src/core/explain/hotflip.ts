// HotFlip (Ebrahimi et al. 2018, arXiv 1712.06751): which words, put in the place of which, should lower a margin most.
// To first order, token x_t becoming c changes the margin by g_t . (e_c - e_t), with g_t its gradient at the embedding of t
// and e the embedding table: one backward pass judges the whole vocabulary. A word of several tokens becomes one: the others
// count as taken away. What it proposes must be asked of the model.
import { matMul, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core'
import { throwIfAborted } from '../../protocol/errors.ts'
import type { Unit } from '../../protocol/explain.ts'
import { embeddings, inputGradient } from './gradient.ts'
import type { Subject } from './subject.ts'

/** A word in the place of a piece. */
export interface Flip {
  unit: number
  id: number
  /** What the margin changes by, to first order, at the rival for which that is least. */
  estimate: number
}

export interface FlipOptions {
  /** Outputs that may win instead: the margin to each is lowered. */
  rivals: readonly number[]
  /** Words that may stand in the place of each unit. */
  words: readonly Int32Array[]
  /** The best of each unit. */
  each: number
  signal?: AbortSignal
  onRows?: (done: number, total: number) => void
}

/** Rows of the embedding table that are looked at between two breaths. */
const ROWS_AT_ONCE = 4096

/** The words that should lower the margin most, for each unit in ascending order of the estimate. */
export async function flipsOf(
  subject: Subject,
  units: readonly Unit[],
  { rivals, words, each, signal, onRows }: FlipOptions,
): Promise<Flip[]> {
  const { model, trainable, turns, ids, explained } = subject
  const { hidden } = model.architecture
  const x = await turns.take(() => embeddings(model, ids, trainable.adaptation)) // [T, d]
  const columns = units.length * rivals.length
  const slopes = new Float32Array(columns * hidden) // [units * rivals, d]
  const losses = new Float64Array(columns)
  for (const [r, rival] of rivals.entries()) {
    throwIfAborted(signal)
    const question = { ...explained, contrast: rival }
    const { gradient } = await turns.take(() => inputGradient(model, x, question, trainable)) // [T, d]
    units.forEach(({ from, to }, unit) => {
      const column = unit * rivals.length + r
      slopes.set(gradient.subarray(from * hidden, (from + 1) * hidden), column * hidden)
      for (let i = from * hidden; i < to * hidden; i++) losses[column]! -= gradient[i]! * x[i]!
    })
  }

  // Units that may become the same words are judged together.
  const lists = [...new Set(words)]
  const total = lists.reduce((sum, list) => sum + list.length, 0)
  const best = units.map((): Flip[] => [])
  let done = 0
  for (const list of lists) {
    const mine = units.flatMap((_, unit) => (words[unit] === list ? [unit] : []))
    for (let start = 0; start < list.length; start += ROWS_AT_ONCE) {
      throwIfAborted(signal)
      const some = list.subarray(start, start + ROWS_AT_ONCE)
      const products = await turns.take(() => {
        const made = tidy(() => {
          const rows = model.rows(tensor1d(some, 'int32'), trainable.adaptation) // [n, d]
          return matMul(rows, tensor2d(slopes, [columns, hidden]), false, true) // [n, units * rivals]
        })
        return made.data().finally(() => made.dispose())
      })
      for (const unit of mine) {
        const { from, to } = units[unit]!
        const own = to - from === 1 ? ids[from] : -1
        const found = best[unit]!
        some.forEach((id, row) => {
          if (id === own) return
          let estimate = Infinity
          for (let column = unit * rivals.length; column < (unit + 1) * rivals.length; column++)
            estimate = Math.min(estimate, products[row * columns + column]! + losses[column]!)
          found.push({ unit, id, estimate })
        })
        found.sort((a, b) => a.estimate - b.estimate)
        found.length = Math.min(found.length, each)
      }
      done += some.length
      onRows?.(done, total)
    }
  }
  return best.flat()
}
