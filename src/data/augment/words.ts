// A text as words and what stands between them, so that words can change and the rest stays.

export interface WordText {
  words: string[]
  /** One more than words: before the first, between, after the last. */
  gaps: string[]
}

export function wordsOf(text: string): WordText {
  const words: string[] = []
  const gaps: string[] = []
  let end = 0
  for (const match of text.matchAll(/\S+/g)) {
    gaps.push(text.slice(end, match.index))
    words.push(match[0])
    end = match.index + match[0].length
  }
  gaps.push(text.slice(end))
  return { words, gaps }
}

export function textOf({ words, gaps }: WordText): string {
  return words.map((word, i) => gaps[i]! + word).join('') + gaps.at(-1)!
}

/** A word with its punctuation set apart: `"Hello,"` is `"`, `Hello`, `,"`. */
export function coreOf(word: string): { before: string; core: string; after: string } {
  const match = /^([^\p{L}\p{N}]*)(.*?)([^\p{L}\p{N}]*)$/su.exec(word)!
  return { before: match[1]!, core: match[2]!, after: match[3]! }
}

/** A word in the letter case of another: all capitals, a capital first, or as it is. */
export function inCaseOf(word: string, model: string): string {
  if (model.length > 1 && model === model.toUpperCase() && model !== model.toLowerCase())
    return word.toUpperCase()
  const [first = ''] = model
  if (first !== first.toLowerCase()) return word.charAt(0).toUpperCase() + word.slice(1)
  return word
}
