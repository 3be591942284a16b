// The pieces that a text is explained in: tokens, words or sentences. A word begins where a token begins with white space
// or follows it (white space alone is none), and punctuation is a word of its own; a sentence ends after . ! ? ... and at a
// line break.
import type { Granularity, Unit } from '../../protocol/explain.ts'

const PUNCTUATION = /^[\p{P}\p{S}]+$/u
const WORD_INSIDE = /^['’_-]$/u
const SENTENCE_END = /[.!?…。！？]["'”’)\]]*\s*$|\n/u

/** The pieces of a text from its tokens' own texts; tokens with fixed[t] = 1 belong to none and end the piece before. */
export function unitsOf(
  tokens: readonly string[],
  fixed: ArrayLike<number>,
  granularity: Granularity,
): Unit[] {
  const begins = granularity === 'token' ? () => true : granularity === 'word' ? beginsWord : beginsSentence
  const units: Unit[] = []
  let open: Unit | null = null
  tokens.forEach((token, t) => {
    if (fixed[t]) {
      open = null
      return
    }
    if (!open || begins(tokens[t - 1]!, token, tokens[t + 1]))
      units.push((open = { text: '', from: t, to: t }))
    open.text += token
    open.to = t + 1
  })
  return units.map((unit) => ({ ...unit, text: unit.text.trim() || unit.text }))
}

function beginsWord(before: string, token: string, after: string | undefined): boolean {
  // White space alone belongs to the word that it stands before, at the end to the one behind.
  if (token.trim() === '') return after !== undefined && before.trim() !== ''
  if (before.trim() === '') return false
  if (/^\s/u.test(token) || /\s$/u.test(before)) return true
  // don't, e-mail and snake_case are one word where they are one in the text.
  const joins = (sign: string) => WORD_INSIDE.test(sign.trim())
  if (joins(token)) return after === undefined || /^\s|^$/u.test(after)
  if (joins(before)) return false
  return PUNCTUATION.test(token.trim()) !== PUNCTUATION.test(before.trim())
}

function beginsSentence(before: string, token: string): boolean {
  // White space alone still belongs to the sentence that it follows.
  return SENTENCE_END.test(before) && token.trim() !== ''
}

/** Sums of a number a token over each piece. */
export function sumsByUnit(scores: ArrayLike<number>, units: readonly Unit[]): Float64Array {
  return Float64Array.from(units, ({ from, to }) => {
    let sum = 0
    for (let t = from; t < to; t++) sum += scores[t]!
    return sum
  })
}
