// The shape of a pattern of a tokenizer.json (Oniguruma's syntax): alternatives, groups, quantifiers, and everything else as
// atoms whose meaning does not matter here. Only what patternGuard.ts needs to judge how long a pattern may run.
import { unsupported } from './json.ts'

export interface Atom {
  kind: 'atom'
  /** The pattern of one character, or of no width (an anchor). */
  source: string
}
export interface Group {
  kind: 'group'
  /** Looks ahead or behind: what it matches is not consumed. */
  look: boolean
  alternatives: Item[][]
}
export interface Item {
  node: Atom | Group
  /** How often it may stand there, at most. */
  most: number
  /** Whether it may be absent. */
  optional: boolean
}

/** Groups inside groups that are followed; no tokenizer has more than a few. */
const DEPTH_LIMIT = 50
const PREFIX = /^\((?:\?(?:[:>]|<?[=!]|[imsx-]+:|<[A-Za-z_]\w*>))?/
const ESCAPE = /^\\(?:[pPxu]\{[^}]*\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|c[A-Za-z]|[^])/u
const QUANTIFIER = /^(?:[*+?]|\{(\d*)(?:(,)(\d*))?\})([+?]?)/

/** Throws E_MODEL_UNSUPPORTED for a pattern that is not closed, or looks back at what it has matched. */
export function parsePattern(pattern: string): Item[][] {
  let at = 0

  const alternatives = (depth: number): Item[][] => {
    if (depth > DEPTH_LIMIT) throw unsupported('one of its patterns is nested too deeply')
    const all: Item[][] = [[]]
    while (at < pattern.length && pattern[at] !== ')') {
      if (pattern[at] === '|') {
        at++
        all.push([])
      } else all.at(-1)!.push(item(depth))
    }
    return all
  }

  const item = (depth: number): Item => {
    const node = pattern[at] === '(' ? group(depth) : { kind: 'atom' as const, source: atom() }
    let most = 1
    let optional = false
    for (;;) {
      const found = QUANTIFIER.exec(pattern.slice(at, at + 40))
      // A brace that holds no numbers is a brace.
      if (!found || found[0].startsWith('{}') || found[0].startsWith('{,}')) break
      at += found[0].length
      const [whole, low, comma, high] = found
      if (whole[0] === '*' || whole[0] === '?' || (whole[0] === '{' && Number(low || 0) === 0))
        optional = true
      most *=
        whole[0] === '?' ? 1 : whole[0] === '{' ? (comma && !high ? Infinity : Number(high || low)) : Infinity
    }
    return { node, most, optional }
  }

  const group = (depth: number): Group => {
    const prefix = PREFIX.exec(pattern.slice(at, at + 40))![0]
    at += prefix.length
    const inside = alternatives(depth + 1)
    if (pattern[at] !== ')') throw unsupported('one of its patterns has an open group')
    at++
    return { kind: 'group', look: /[=!]$/.test(prefix), alternatives: inside }
  }

  const atom = (): string => {
    const start = at
    if (pattern[at] === '[') {
      skipClass()
      return pattern.slice(start, at)
    }
    const escape = ESCAPE.exec(pattern.slice(at, at + 80))?.[0]
    if (escape && /^\\[1-9kg]/.test(escape))
      throw unsupported('one of its patterns refers back to what it has matched')
    at += escape?.length ?? String.fromCodePoint(pattern.codePointAt(at)!).length
    return pattern.slice(start, at)
  }

  const skipClass = (): void => {
    let depth = 0
    do {
      const char = pattern[at]
      if (char === undefined) throw unsupported('one of its patterns has an open class')
      if (char === '\\') at += 2
      else {
        at++
        if (char === '[') {
          depth++
          if (pattern[at] === '^') at++
          // A bracket right at the start is a letter.
          if (pattern[at] === ']') at++
        } else if (char === ']') depth--
      }
    } while (depth > 0)
  }

  const all = alternatives(0)
  if (at < pattern.length) throw unsupported('one of its patterns closes a group that is not open')
  return all
}
