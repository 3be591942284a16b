// Words of a text as rules and word lists count them: letters and digits in small letters; an apostrophe, a hyphen or an
// underscore between them joins.

const WORD = /[\p{L}\p{M}\p{N}]+(?:['’_-][\p{L}\p{M}\p{N}]+)*/gu

export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(WORD) ?? []
}

/** Every run of `from` to `to` words, once each. */
export function ngramsOf(text: string, from: number, to: number): Set<string> {
  const words = wordsOf(text)
  const found = new Set<string>()
  for (let length = from; length <= to; length++)
    for (let at = 0; at + length <= words.length; at++) found.add(words.slice(at, at + length).join(' '))
  return found
}
