// Word scores of many texts as one list a class: what a word adds on average, over the rows that it stands in.
import type { WordImportance } from '../../../protocol/explain/dataset.ts'
import type { Unit } from '../../../protocol/explain/common.ts'
import { meanWithInterval } from '../faithfulness.ts'
import { wordsOf } from '../rules/words.ts'

/** Scores of the words of one text: pieces that are the same word in small letters count together. */
export function wordScores(units: readonly Unit[], scores: ArrayLike<number>): Map<string, number> {
  const found = new Map<string, number>()
  units.forEach(({ text }, i) => {
    // A piece with a sign at its end is the word without it; a piece of signs alone is none.
    const word = wordsOf(text).join(' ')
    if (word !== '') found.set(word, (found.get(word) ?? 0) + scores[i]!)
  })
  return found
}

/** The words that stand in at least `least` (2 or more) of the texts, the farthest from 0 by the nearer end first. */
export function wordImportance(
  texts: readonly ReadonlyMap<string, number>[],
  least: number,
  count: number,
): WordImportance[] {
  const scores = new Map<string, number[]>()
  for (const text of texts)
    for (const [word, score] of text) {
      const known = scores.get(word)
      if (known) known.push(score)
      else scores.set(word, [score])
    }
  const words = [...scores].flatMap(([word, values]): WordImportance[] => {
    if (values.length < least) return []
    const meanAbsolute = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length
    return [{ word, rows: values.length, ...meanWithInterval(values), meanAbsolute }]
  })
  return words
    .sort((a, b) => sure(b) - sure(a) || Math.abs(b.mean) - Math.abs(a.mean) || (a.word < b.word ? -1 : 1))
    .slice(0, count)
}

/** How far from 0 the interval begins; 0 where it holds 0. */
function sure({ interval: [low, high] }: WordImportance): number {
  return Math.max(0, low, -high)
}
