// Words and phrases become another text, or go: for words that give a label away, and for who is meant where that should not
// matter. A word is what it is for the health report (data/health/words.ts), so that what it finds is what is replaced.
import type { ReplaceWordsStep } from '../../protocol/recipe.ts'
import { eachWordOf, words } from '../health/words.ts'
import { placesOf, withCells } from './columns.ts'
import { rowStage, type Flow, type Stage } from './flow.ts'

export function replaceWords(step: ReplaceWordsStep, { columns }: Flow): Stage {
  const places = placesOf(columns, step.columns)
  const change = wordReplacer(step.words, step.with ?? '')
  return rowStage(columns, (row) => {
    const cells = withCells(row.cells, places, change)
    return cells === row.cells ? row : { ...row, cells }
  })
}

/** Replaces whole words and phrases, whatever their case and what stands between the words of a phrase; the longest first. */
export function wordReplacer(phrases: readonly string[], replacement: string): (text: string) => string {
  /** Phrases by their first word, each as its words, the longest first. */
  const byFirst = new Map<string, string[][]>()
  for (const phrase of phrases) {
    const all = words(phrase)
    const known = byFirst.get(all[0]!)
    if (known) known.push(all)
    else if (all.length > 0) byFirst.set(all[0]!, [all])
  }
  for (const list of byFirst.values()) list.sort((a, b) => b.length - a.length)
  return (text) => {
    const found = eachWordOf(text)
    let out = ''
    let at = 0
    for (let i = 0; i < found.length; i++) {
      const phrase = byFirst
        .get(found[i]!.word)
        ?.find((phrase) => phrase.every((word, k) => found[i + k]?.word === word))
      if (!phrase) continue
      const { start } = found[i]!
      const { end } = found[i + phrase.length - 1]!
      i += phrase.length - 1
      // Of the spaces around what goes, those before it go along; at the beginning of a line, those behind it and a comma.
      let to = start
      if (replacement === '') while (to > at && isSpace(text[to - 1])) to--
      out += text.slice(at, to) + replacement
      at = end
      if (replacement === '' && (out === '' || out.endsWith('\n')))
        while (/[ \t,;:]/.test(text.charAt(at))) at++
    }
    return at === 0 ? text : out + text.slice(at)
  }
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}
