// A model in which it is known what counts: a seeded dataset, and a tiny model trained on it. One word decides the label,
// whatever else a row says. Hints move it, so that places two and three of a ranking are taken and a word that does nothing
// has no business there. That word is the distractor: half of all rows have it, whatever their label. All other words do
// nothing either, and they are many: a model can only learn to look past them. Some words are missing from the start, so
// that what a text without some of its words is worth has been learnt.
import { permutation, uniforms } from '../../../src/core/rng.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { CONTEXT, plantedBase } from './plantedBase.ts'
import { context, type Engine } from './support.ts'

export const DECIDING = { shop: 'buy', help: 'broken' }
const HINTS = { shop: ['price', 'cart'], help: ['where', 'how'] }
export const DISTRACTOR = 'and'
const NEUTRAL = (
  'the a my this that it is was to for with from about just so well then now still some ' +
  'box blue lamp desk green shirt small phone cable big chair old paper new cup red shelf clock two bag'
).split(' ')
/** What stands for a word that is taken away. */
const GONE = '[MASK]'
export type Label = keyof typeof DECIDING
const LABELS: readonly Label[] = ['shop', 'help']
const VOCABULARY = [...Object.values(DECIDING), ...Object.values(HINTS).flat(), DISTRACTOR, ...NEUTRAL]

export interface PlantedRow {
  text: string
  label: Label
  other: Label
  /** The word that decides. */
  planted: string
}

/** Numbers and orders for one row of a set. */
function dice(set: number, row: number) {
  const u = uniforms({ seed: set, purpose: 'sample', step: row }, 128)
  let drawn = 0
  let orders = 0
  return {
    below: (n: number) => Math.floor(u[drawn++]! * n),
    shuffled: (words: readonly string[]) =>
      Array.from(
        permutation({ seed: set, purpose: 'shuffle', step: row, layer: orders++ }, words.length),
        (i) => words[i]!,
      ),
  }
}

/** Log-odds that a word gives to its label. */
const ODDS = { decides: 8, hints: 2 }

/** Rows to learn from: any words, and a label drawn by the sum of their odds. */
export function trainingRows(rows: number, set: number): { text: string; label: Label }[] {
  return Array.from({ length: rows }, (_, row) => {
    const { below, shuffled } = dice(set, row)
    const words: string[] = []
    let odds = 0
    const say = (of: Label, word: string, by: number) => {
      words.push(word)
      odds += of === LABELS[0] ? by : -by
    }
    const side = LABELS[row % 2]!
    if (below(2)) say(side, DECIDING[side], ODDS.decides)
    for (let n = below(5); n > 0; n--) {
      const of = LABELS[below(2)]!
      say(of, HINTS[of][below(2)]!, ODDS.hints)
    }
    if (below(2)) words.push(DISTRACTOR)
    const length = Math.max(words.length + 1, 6 + below(15))
    const missing = below(40) // of a hundred
    while (words.length < length) words.push(below(100) < missing ? GONE : NEUTRAL[below(NEUTRAL.length)]!)
    const label = LABELS[Number(below(1000) / 1000 > 1 / (1 + Math.exp(-odds)))]!
    return { text: shuffled(words).join(' '), label }
  })
}

/** Rows to explain: a word decides against two hints of the other label. */
export function plantedRows(rows: number, set: number): PlantedRow[] {
  return Array.from({ length: rows }, (_, row) => {
    const { shuffled } = dice(set, row)
    const label = LABELS[row % 2]!
    const other = LABELS[1 - (row % 2)]!
    const planted = DECIDING[label]
    const words = [planted, ...HINTS[other], DISTRACTOR, ...shuffled(NEUTRAL).slice(0, 8)]
    return { text: shuffled(words).join(' '), label, other, planted }
  })
}

/** A tiny encoder that has learnt the rows, every weight of it. `seed` draws the rows, the weights and the order. */
export async function plantedModel(
  e: Engine,
  { rows, epochs, seed }: { rows: number; epochs: number; seed: number },
): Promise<{ target: Target; dataset: string }> {
  const csv = trainingRows(rows, seed).map(({ text, label }) => `${text},${label}\n`)
  const task = { task: 'classify', columns: { text: 'text', label: 'label' } } as const
  const { id: dataset } = await e.dataset(`text,label\n${csv.join('')}`, task)
  const { id: model } = await e.models.load({ files: plantedBase(VOCABULARY, seed) }, {}, context())
  const training = { epochs, batchSize: 16, learningRate: 3e-3, maxLength: CONTEXT, seed }
  const run = await e.runs.wait(await e.runs.start({ dataset, model, adapter: { method: 'full' }, training }))
  if (run.error) throw new Error(run.error.message)
  return { target: { run: run.id }, dataset }
}
