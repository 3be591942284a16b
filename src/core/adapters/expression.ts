// Regular expressions over module paths. They come from other people's adapters and cannot be interrupted: `(a+)+x` on one
// path runs for years. Paths are short, so it is enough to refuse repetition of what repeats or branches (Weideman et al.
// 2016, "Analyzing matching time behavior of backtracking regular expression matchers"), and more than a few repetitions.
import { GraftError } from '../../protocol/errors.ts'

/** n repetitions try at most (length of a path)^n / n! ways to share it out: some million for 6 and 60 characters. */
const REPETITIONS = 6
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

/** One of: an escaped character, a class, the begin or end of a group, a branch, a repetition. */
const TOKEN = /\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!]|P?<\w+>)|[()|]|[*+]|\{\d*,?\d*\}/g

function mayExplode(source: string): boolean {
  /** Whether each open group has something that repeats or branches. */
  const groups: boolean[] = [false]
  let repetitions = 0
  /** Where such a group has just ended. */
  let ended = -1
  for (const { 0: token, index } of source.matchAll(TOKEN)) {
    const last = groups.length - 1
    if (token.startsWith('(')) groups.push(false)
    else if (token === '|') groups[last] = true
    else if (token === ')') {
      if (last === 0) return false // no expression: RegExp says why
      if (!groups.pop()) continue
      groups[last - 1] = true
      ended = index + 1
    } else if (/^[*+{]/.test(token)) {
      if (index === ended || ++repetitions > REPETITIONS) return true
      groups[last] = true
    }
  }
  return false
}

function shortened(source: string): string {
  return source.length > 80 ? `${source.slice(0, 80)}…` : source
}
