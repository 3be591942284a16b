// What a word is, for the index, for the query and for what is marked in a row: a run of letters and digits, compared without
// case and accents. Scripts written without spaces have no such runs; there every character is a word, and several of them
// are searched as a phrase.
import { fold } from '../view/values.ts'

const UNSPACED =
  '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}'
const WORD = new RegExp(`[${UNSPACED}]\\p{M}*|(?:(?![${UNSPACED}])[\\p{L}\\p{N}\\p{M}])+`, 'gu')

/** Longer words are cut here in the index; a query for a longer one is checked against the text. In UTF-16 units. */
export const WORD_LIMIT = 32

export interface Word {
  from: number
  to: number
  /** Without case and accents. */
  text: string
}

export function* wordsOf(text: string): Generator<Word> {
  for (const match of text.matchAll(WORD)) {
    const from = match.index
    yield { from, to: from + match[0].length, text: fold(match[0]) }
  }
}

/** Of an ASCII code unit: its lower-case form where it is part of a word, else 0. */
const LETTERS = new Uint8Array(128)
for (const code of Array.from('abcdefghijklmnopqrstuvwxyz0123456789', (letter) => letter.charCodeAt(0)))
  LETTERS[code] = code
for (let code = 65; code <= 90; code++) LETTERS[code] = code + 32

/**
 * The folded words of a text, one after the other in `room` (which holds WORD_LIMIT units), cut at WORD_LIMIT. Plain ASCII,
 * which most text is, goes letter by letter without making a string of any word.
 */
export function eachWord(text: string, room: Uint16Array, take: (length: number) => void): void {
  let length = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code > 127) return slowly(text.slice(at - length), room, take)
    const letter = LETTERS[code]!
    if (letter !== 0) {
      if (length < WORD_LIMIT) room[length] = letter
      length++
    } else if (length > 0) {
      take(Math.min(length, WORD_LIMIT))
      length = 0
    }
  }
  if (length > 0) take(Math.min(length, WORD_LIMIT))
}

function slowly(text: string, room: Uint16Array, take: (length: number) => void): void {
  for (const { text: word } of wordsOf(text)) {
    const length = Math.min(word.length, WORD_LIMIT)
    for (let i = 0; i < length; i++) room[i] = word.charCodeAt(i)
    if (length > 0) take(length)
  }
}
