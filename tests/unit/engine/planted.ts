// A model in which it is known what counts: a seeded dataset, and a tiny model trained on it. One word decides the label, in
// 99 of 100 rows whatever else they say. Hints move it a little, so that places two and three of a ranking are taken and a
// word that does nothing has no business there. That word is the distractor: half of all rows have it, whatever their
// label. Some words are missing from the start, so that what a text without some of its words is worth has been learnt.
import { permutation, uniforms } from '../../../src/core/rng.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { modelFiles } from '../../golden/load.ts'
import { context, type Engine } from './support.ts'

export const DECIDING = { shop: 'order', help: 'please' }
const HINTS = { shop: ['my', 'the'], help: ['where', 'is'] }
export const DISTRACTOR = 'and'
const FILLER = ['a', 'b', 'c', 'd', 'h', 'o', 's', 't']
/** What stands for a word that is taken away. */
const GONE = '[MASK]'
export type Label = keyof typeof DECIDING
const LABELS: readonly Label[] = ['shop', 'help']

export interface PlantedRow {
  text: string
  label: Label
  other: Label
  /** The word that decides. */
  planted: string
}

/** Numbers and orders for one row of a set. */
function dice(set: number, row: number) {
  let drawn = 0
  const u = uniforms({ seed: set, purpose: 'sample', step: row }, 64)
  const below = (n: number) => Math.floor(u[drawn++]! * n)
  return {
    below,
    shuffled: (words: string[]) =>
      Array.from(
        permutation({ seed: set, purpose: 'shuffle', step: row }, words.length),
        (i) => words[i]!,
      ).join(' '),
  }
}

/** Log-odds that a word gives to its label: the word that decides has the last word in 99 of 100 rows. */
const ODDS = { decides: 6, hints: 1 }

/** Rows to learn from: any words, and a label by the sum of their odds. */
export function trainingRows(rows: number, set = 1): { text: string; label: Label }[] {
  return Array.from({ length: rows }, (_, row) => {
    const { below, shuffled } = dice(set, row)
    const words: string[] = []
    let odds = 0
    const say = (of: Label, word: string, by: number) => {
      words.push(word)
      odds += of === LABELS[0] ? by : -by
    }
    const side = LABELS[row % 2]!
    if (row % 6 < 4) say(side, DECIDING[side], ODDS.decides)
    for (let n = below(3); n > 0; n--) {
      const of = LABELS[below(2)]!
      say(of, HINTS[of][below(2)]!, ODDS.hints)
    }
    for (let n = 1 + below(3); n > 0; n--) words.push(FILLER[below(FILLER.length)]!)
    for (let n = below(4); n > 0; n--) words.push(GONE)
    if (below(2)) words.push(DISTRACTOR)
    const label = LABELS[Number(below(1000) / 1000 > 1 / (1 + Math.exp(-odds)))]!
    return { text: shuffled(words), label }
  })
}

/** Rows to explain: a word decides against both hints of the other label. */
export function plantedRows(rows: number, set = 2): PlantedRow[] {
  return Array.from({ length: rows }, (_, row) => {
    const { below, shuffled } = dice(set, row)
    const label = LABELS[row % 2]!
    const other = LABELS[1 - (row % 2)]!
    const planted = DECIDING[label]
    const filler = FILLER.filter((_, i) => i % 3 === below(3)).slice(0, 2)
    const words = [planted, ...HINTS[other], DISTRACTOR, ...filler]
    return { text: shuffled(words), label, other, planted }
  })
}

/** A tiny encoder that has learnt the rows, every weight of it. */
export async function plantedModel(
  e: Engine,
  learnt: { rows: number; epochs: number },
): Promise<{ target: Target; dataset: string }> {
  const csv = trainingRows(learnt.rows).map(({ text, label }) => `${text},${label}\n`)
  const task = { task: 'classify', columns: { text: 'text', label: 'label' } } as const
  const { id: dataset } = await e.dataset(`text,label\n${csv.join('')}`, task)
  const { id: model } = await e.models.load({ files: modelFiles('tiny-bert') }, {}, context())
  const training = { epochs: learnt.epochs, batchSize: 16, learningRate: 3e-3, maxLength: 32, seed: 3 }
  const run = await e.runs.wait(await e.runs.start({ dataset, model, adapter: { method: 'full' }, training }))
  if (run.error) throw new Error(run.error.message)
  return { target: { run: run.id }, dataset }
}
