// Words of a text, the same for every check: runs of letters, marks and digits in lower case; scripts that are written
// without spaces give a word a character.

const WORD = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]|[\p{L}\p{M}\p{N}]+(?:['’][\p{L}]+)*/gu
const PLAIN = /^[\0-\u007f]*$/
const PLAIN_WORD = /[a-z0-9]+(?:'[a-z]+)*/g

export function words(text: string): string[] {
  const lower = text.toLowerCase()
  // Nearly all texts are of few characters; the plain pattern is several times as fast.
  if (PLAIN.test(lower)) return lower.match(PLAIN_WORD) ?? []
  return lower.normalize('NFKC').match(WORD) ?? []
}

/** What two texts have in common when only white space and letter case differ. */
export function normalised(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase()
}
