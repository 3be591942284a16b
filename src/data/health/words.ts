// Words of a text, the same for every check: runs of letters, marks and digits in lower case; scripts that are written
// without spaces give a word a character.

const WORD = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]|[\p{L}\p{M}\p{N}]+(?:['’][\p{L}]+)*/gu
const PLAIN = /^[\0-\u007f]*$/
const PLAIN_WORD = /[a-z0-9]+(?:'[a-z]+)*/g
const PLAIN_WORD_ANY_CASE = /[a-z0-9]+(?:'[a-z]+)*/gi

export function words(text: string): string[] {
  const lower = text.toLowerCase()
  // Nearly all texts are of few characters; the plain pattern is several times as fast.
  if (PLAIN.test(lower)) return lower.match(PLAIN_WORD) ?? []
  return lower.normalize('NFKC').match(WORD) ?? []
}

/** Each word as `words` has it, and where it stands. */
export function eachWordOf(text: string): { word: string; start: number; end: number }[] {
  return Array.from(text.matchAll(PLAIN.test(text) ? PLAIN_WORD_ANY_CASE : WORD), (match) => ({
    word: match[0].toLowerCase().normalize('NFKC'),
    start: match.index,
    end: match.index + match[0].length,
  }))
}

/** What two texts have in common when only white space and letter case differ. */
export function normalised(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase()
}
