// Tokens as a readable line: spaces and line breaks made visible, special tokens told apart, values scaled for tints.

export interface ShownToken {
  index: number
  text: string
  /** Drawn subdued: it is no text of the user's. */
  special: boolean
  /** The line may break before it: a word begins. */
  begins: boolean
  /** The line breaks after it. */
  breaks: boolean
}

const SPECIAL = /^(<\|.*\|>|<\/?(s|unk|pad|bos|eos|mask|cls|sep)>|\[(CLS|SEP|PAD|MASK|UNK)\])$/i

export function shownTokens(tokens: string[]): ShownToken[] {
  // BERT's tokens have no spaces: what goes on with a word says so.
  const spaced = tokens.some((token) => /\s/.test(token))
  return tokens.map((token, index) => ({
    index,
    text: visible(token),
    special: SPECIAL.test(token),
    begins: spaced ? /^\s/.test(token) || /\s$/.test(tokens[index - 1] ?? '') : !token.startsWith('##'),
    breaks: token.includes('\n'),
  }))
}

/** A token's text with its white space visible; an empty one is ∅. */
export function visible(token: string): string {
  if (token === '') return '∅'
  return token.replaceAll('\n', '↵').replaceAll('\t', '→').replaceAll(' ', '·')
}

/** Scores divided by the largest magnitude: -1 to 1, or 0 to 1 when none is negative. */
export function scaled(scores: ArrayLike<number>): number[] {
  const values = Array.from(scores)
  const top = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
  return values.map((value) => (top > 0 ? value / top : 0))
}
