// Added tokens: texts that are one token wherever they stand, found before anything else happens to a text. Some stand for
// themselves, others are looked for in the normalised text; they may take the white space beside them, or demand to be words.
// After `tokenizers`' AddedVocabulary: the leftmost match, of those the longest.
import { WORD } from './characters.ts'
import { count, flag, list, object, text } from './json.ts'
import { spacesAtEnd, type Normalizer } from './normalizers.ts'

export interface AddedToken {
  content: string
  id: number
  special: boolean
  normalized: boolean
  singleWord: boolean
  lstrip: boolean
  rstrip: boolean
}

/** A stretch of text, or a token that was found in it; `start` is where it begins. */
export interface Section {
  text: string
  start: number
  token?: AddedToken
}

const WORD_AT_START = new RegExp(`^${WORD}`, 'u')
const WORD_AT_END = new RegExp(`${WORD}$`, 'u')

export function readAddedTokens(value: unknown): AddedToken[] {
  return list(value, 'added tokens').map((entry) => {
    const json = object(entry, 'added token')
    const special = flag(json.special, false)
    const content = text(json.content, 'added token')
    return {
      content,
      id: count(json.id, `id of "${content.slice(0, 40)}"`),
      special,
      normalized: flag(json.normalized, !special),
      singleWord: flag(json.single_word, false),
      lstrip: flag(json.lstrip, false),
      rstrip: flag(json.rstrip, false),
    }
  })
}

interface Node {
  token: AddedToken | undefined
  next: Map<number, Node>
}

/** Finds tokens in texts. */
export class TokenFinder {
  readonly #root: Node = { token: undefined, next: new Map() }

  /** `normalize` is applied to what is looked for. */
  constructor(tokens: AddedToken[], normalize: Normalizer = (text) => text) {
    for (const token of tokens) {
      let node = this.#root
      const content = normalize(token.content)
      for (let at = 0; at < content.length; at++) {
        const unit = content.charCodeAt(at)
        let next = node.next.get(unit)
        if (!next) node.next.set(unit, (next = { token: undefined, next: new Map() }))
        node = next
      }
      // Of two that normalise to the same the first one counts; nothing is found where nothing is looked for.
      if (content !== '') node.token ??= token
    }
  }

  /** Cuts a text into tokens and what is between them; no section is empty. */
  split(text: string): Section[] {
    const sections: Section[] = []
    let done = 0
    for (let at = 0; at < text.length;) {
      const found = this.#at(text, at)
      if (!found) {
        at++
        continue
      }
      const { token } = found
      let start = at
      let end = at + found.length
      at = end
      if (
        token.singleWord &&
        (WORD_AT_END.test(text.slice(Math.max(0, start - 2), start)) ||
          WORD_AT_START.test(text.slice(end, end + 2)))
      )
        continue
      if (token.lstrip) start = Math.max(start - spacesAtEnd(text.slice(done, start)), done)
      if (token.rstrip) while (end < text.length && /\p{White_Space}/u.test(text[end]!)) end++
      if (start > done) sections.push({ text: text.slice(done, start), start: done })
      sections.push({ text: text.slice(start, end), start, token })
      // White space that was taken is still searched, as `tokenizers` does: a token may be made of it.
      done = end
    }
    if (done < text.length) sections.push({ text: text.slice(done), start: done })
    return sections
  }

  #at(text: string, start: number): { token: AddedToken; length: number } | undefined {
    let node: Node | undefined = this.#root
    let found: { token: AddedToken; length: number } | undefined
    for (let at = start; at < text.length;) {
      node = node.next.get(text.charCodeAt(at++))
      if (!node) break
      if (node.token) found = { token: node.token, length: at - start }
    }
    return found
  }
}
