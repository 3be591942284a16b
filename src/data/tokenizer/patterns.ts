// Patterns of a tokenizer.json as JavaScript regular expressions. @huggingface/tokenizers translates Oniguruma's syntax; what
// is added is that a pattern is judged first (patternGuard.ts), and that two letters fold as Unicode says.
import { SplitPreTokenizer } from '@huggingface/tokenizers'
import { object, text, unsupported } from './json.ts'
import { guardPattern, short } from './patternGuard.ts'

/**
 * `{ "String": "…" }` or `{ "Regex": "…" }` as a global pattern. Throws E_MODEL_UNSUPPORTED where it cannot be translated or
 * could run too long.
 */
export function patternOf(value: unknown): RegExp {
  const { String: literal, Regex: pattern } = object(value, 'pattern')
  if (literal !== undefined)
    return new RegExp(text(literal, 'pattern').replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'gu')
  const source = text(pattern, 'pattern')
  guardPattern(source, translate)
  return translate(source)
}

/** All patterns of a tokenizer.json, as written; a probe runs them before the tokenizer is used. */
export function patternsIn(tokenizerJson: unknown): string[] {
  const { normalizer, pre_tokenizer, decoder } = object(tokenizerJson, 'file')
  const found = new Set<string>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const { Regex: pattern } = value as { Regex?: unknown }
    if (typeof pattern === 'string') found.add(pattern)
    for (const inner of Object.values(value)) visit(inner)
  }
  for (const stage of [normalizer, pre_tokenizer, decoder]) visit(stage)
  return [...found]
}

/** Throws E_MODEL_UNSUPPORTED where the pattern cannot be written in JavaScript. */
export function translate(source: string): RegExp {
  let pattern: RegExp | null
  try {
    pattern = new SplitPreTokenizer({
      type: 'Split',
      pattern: { Regex: source },
      behavior: 'Isolated',
      invert: false,
    }).pattern
  } catch (cause) {
    throw unsupported(
      `its pattern ${short(source)} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    )
  }
  if (!pattern) throw unsupported('one of its patterns is of an unknown kind')
  if (!source.includes('(?i:')) return pattern
  // Beside ASCII, the long s and the Kelvin sign fold to ASCII letters.
  return new RegExp(
    pattern.source.replaceAll('[sS]', '[sS\\u017f]').replaceAll('[kK]', '[kK\\u212a]'),
    pattern.flags,
  )
}
