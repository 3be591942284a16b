// A search as a person types it: words that begin words, "words that stand together", -without.
import type { Hits } from '../../protocol/table.ts'
import { wordsOf, type Word } from './words.ts'

export interface Term {
  /** Folded words that stand one after the other; a single word is a list of one. */
  words: string[]
  /** Whether the last word may go on. */
  prefix: boolean
  not: boolean
}

const PART = /(-?)(?:"([^"]*)("?)|(\S+))/gu

/** A text without any letter or digit is no condition. */
export function parseQuery(query: string): Term[] {
  const terms: Term[] = []
  for (const [, minus, quoted, close, plain] of query.matchAll(PART)) {
    const words = Array.from(wordsOf(quoted ?? plain!), ({ text }) => text).filter((text) => text !== '')
    // Words in quotation marks that are still open are being typed.
    if (words.length) terms.push({ words, prefix: !close, not: minus === '-' })
  }
  return terms
}

/** Whether a row with these cells is found. */
export function matches(cells: readonly string[], terms: readonly Term[]): boolean {
  const words = cells.map((cell) => Array.from(wordsOf(cell)))
  return terms.every((term) => words.some((list) => places(list, term).next().done !== true) !== term.not)
}

/** Whether a term occurs in one of the cells, whatever its `not` says. */
export function occurs(cells: readonly string[], term: Term): boolean {
  return cells.some((cell) => places(Array.from(wordsOf(cell)), term).next().done !== true)
}

/** Where the terms that must occur are in a text, in order and without overlaps. */
export function hitsIn(text: string, terms: readonly Term[]): Hits {
  const words = Array.from(wordsOf(text))
  const found: Hits = []
  for (const term of terms) if (!term.not) found.push(...places(words, term))
  found.sort((a, b) => a[0] - b[0] || b[1] - a[1])
  const hits: Hits = []
  for (const hit of found) {
    const last = hits.at(-1)
    if (!last || hit[0] >= last[1]) hits.push(hit)
    else last[1] = Math.max(last[1], hit[1])
  }
  return hits
}

function* places(words: readonly Word[], { words: wanted, prefix }: Term): Generator<[number, number]> {
  for (let first = 0; first + wanted.length <= words.length; first++) {
    const agrees = wanted.every((want, i) => {
      const { text } = words[first + i]!
      return prefix && i === wanted.length - 1 ? text.startsWith(want) : text === want
    })
    if (!agrees) continue
    const last = words[first + wanted.length - 1]!
    // Of a longer word only the beginning is marked, unless folding has changed its length.
    const want = wanted.at(-1)!
    const whole = last.text.length !== last.to - last.from
    yield [words[first]!.from, whole ? last.to : last.from + want.length]
  }
}
