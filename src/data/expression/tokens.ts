// The words of an expression: numbers, texts, names and operators, each with its place.
import { fault } from './fault.ts'

export type Token =
  | { kind: 'number'; value: number; at: number }
  /** 'text' in single quotes. */
  | { kind: 'text'; value: string; at: number }
  /** "..." in double quotes: a column if there is one of that name, else a text. */
  | { kind: 'quoted'; value: string; at: number }
  /** [a column]. */
  | { kind: 'column'; value: string; at: number }
  | { kind: 'name'; value: string; at: number }
  | { kind: 'operator'; value: string; at: number }
  | { kind: 'end'; value: ''; at: number }

/** Longest expression, in characters; what a person types has a few hundred. */
export const EXPRESSION_LIMIT = 10_000

const SPACE = /\s+/y
const NUMBER = /(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/iy
const NAME = /[\p{L}_][\p{L}\p{M}\p{N}_]*/uy
const OPERATOR = /==|!=|<>|<=|>=|&&|\|\||[=<>+\-*/%(),!]/y

/** Throws E_ARGUMENT for a character that begins nothing, or a quotation that does not end. */
export function tokensOf(source: string): Token[] {
  if (source.length > EXPRESSION_LIMIT)
    throw fault(
      source.slice(0, 100),
      EXPRESSION_LIMIT,
      `it is longer than ${EXPRESSION_LIMIT} characters; shorten it.`,
    )
  const tokens: Token[] = []
  let at = 0
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(source)?.[0]
  }
  while (at < source.length) {
    const space = match(SPACE)
    if (space !== undefined) {
      at += space.length
      continue
    }
    const start = at
    const char = source[at]!
    if (char === "'" || char === '"') {
      const { value, end } = quotation(source, at, char)
      tokens.push({ kind: char === "'" ? 'text' : 'quoted', value, at: start })
      at = end
      continue
    }
    if (char === '[') {
      const { value, end } = quotation(source, at, ']')
      tokens.push({ kind: 'column', value, at: start })
      at = end
      continue
    }
    const number = match(NUMBER)
    const name = number === undefined ? match(NAME) : undefined
    const found = number ?? name ?? match(OPERATOR)
    if (found === undefined)
      throw fault(source, at, `"${String.fromCodePoint(source.codePointAt(at)!)}" has no meaning here.`)
    at += found.length
    if (number !== undefined) tokens.push({ kind: 'number', value: Number(number), at: start })
    else tokens.push({ kind: name === undefined ? 'operator' : 'name', value: found, at: start })
  }
  tokens.push({ kind: 'end', value: '', at: source.length })
  return tokens
}

/** What stands between quotation marks; a doubled mark is one of the text, and so are \n, \t, \\ and \' in quotes. */
function quotation(source: string, start: number, mark: string): { value: string; end: number } {
  const ESCAPES: Record<string, string> = { n: '\n', t: '\t', '\\': '\\', "'": "'", '"': '"' }
  let value = ''
  for (let at = start + 1; at < source.length; at++) {
    const char = source[at]!
    if (char === mark) {
      if (source[at + 1] !== mark) return { value, end: at + 1 }
      at++
    } else if (char === '\\' && mark !== ']') {
      const escaped = ESCAPES[source[at + 1] ?? '']
      if (escaped !== undefined) {
        value += escaped
        at++
        continue
      }
    }
    value += char
  }
  throw fault(source, start, `what begins here has no closing ${mark}`)
}
