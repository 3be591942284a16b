// Regular expressions over module paths. They come from other people's adapters and cannot be interrupted: `(a+)+x` on one
// path runs for years. Paths are short and repeat little, so it is enough to refuse repetition of what repeats or branches
// (Weideman et al. 2016, "Analyzing matching time behavior of backtracking regular expression matchers"), and more than a
// few choices: repetitions, and options or branches that match any character.
import { GraftError } from '../../protocol/errors.ts'

/** n repetitions try at most (length of a path)^n / n! ways to share it out: some million for 6 and 60 characters. */
const CHOICES = 6
const LENGTH = 5000

/** An expression for a whole text, or, with `end`, for what follows one of its dots as well. Throws E_ARGUMENT where
 *  `place` holds none, or one that could run too long. */
export function wholeExpression(place: string, source: string, end = false): RegExp {
  if (source.length > LENGTH || mayExplode(source))
    throw new GraftError(
      'E_ARGUMENT',
      `${place} holds the expression ${shortened(source)}, which could run for hours. Name the modules in a list instead.`,
    )
  try {
    // On its own first: what wraps it would hide a bracket that is closed too often.
    return new RegExp(`^${end ? '(?:.*\\.)?' : ''}(?:${new RegExp(source).source})$`)
  } catch (cause) {
    throw new GraftError(
      'E_ARGUMENT',
      `${place} holds ${shortened(source)}, which is not a regular expression: ${cause instanceof Error ? cause.message : String(cause)}.`,
      {},
      { cause },
    )
  }
}

/** One of: an escaped character, a class, any character, the begin or end of a group, a branch, a repetition. */
const TOKEN = /\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!]|P?<\w+>)|[().|*+?]|\{\d*,?\d*\}/g
/** What matches more than one character. */
const WILD = /^(?:\.|\[|\\[wWdDsSpP])/

function mayExplode(source: string): boolean {
  const groups = [{ open: false, branches: false, wild: false }]
  let choices = 0
  /** What has just ended, and where. */
  let atom = { end: -1, open: false, wild: false }
  /** Where a repetition has just ended: a question mark there only makes it lazy. */
  let repeated = -1
  for (const { 0: token, index } of source.matchAll(TOKEN)) {
    const group = groups.at(-1)!
    const end = index + token.length
    const before = atom.end === index ? atom : { open: false, wild: false }
    if (token.startsWith('(')) groups.push({ open: false, branches: false, wild: false })
    else if (token === '|') group.branches = true
    else if (token === ')') {
      if (groups.length === 1) return false // no expression: RegExp says why
      groups.pop()
      const { wild, branches } = group
      if (branches && wild && ++choices > CHOICES) return true
      atom = { end, wild, open: group.open || branches }
      const outer = groups.at(-1)!
      outer.open ||= atom.open
      outer.wild ||= wild
    } else if (/^[*+{]/.test(token)) {
      if (before.open || ++choices > CHOICES) return true
      group.open = true
      repeated = end
    } else if (token === '?') {
      if (index === repeated) continue
      if (before.wild && ++choices > CHOICES) return true
      group.open = true
      repeated = end
    } else {
      const wild = WILD.test(token)
      group.wild ||= wild
      atom = { end, wild, open: false }
    }
  }
  return false
}

function shortened(source: string): string {
  return source.length > 80 ? `${source.slice(0, 80)}…` : source
}
