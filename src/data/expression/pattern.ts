// Regular expressions for `matches`, in time linear in the text: JavaScript's own backtrack, cannot be interrupted, and take
// minutes over thirty letters for `(a+)+$`. This is Thompson's construction with the automaton made deterministic as it is
// walked (Cox 2007, "Regular Expression Matching Can Be Simple And Fast"). It answers yes or no; look-around and
// back-references, which no automaton can do, are refused.
import { GraftError } from '../../protocol/errors.ts'

/** States of the automaton; counted repetitions multiply them. */
export const STATES_LIMIT = 5000
/** Sets of states remembered; when full, they are forgotten and found again. */
const SETS_LIMIT = 2000
/** Most times that `{n,m}` may ask for. */
const TIMES_LIMIT = 1000

type State =
  | { kind: 'char'; test: Atom; next: number }
  | { kind: 'split'; next: number[] }
  | { kind: 'assert'; what: '^' | '$' | 'b' | 'B'; next: number }
  | { kind: 'accept' }

/** A piece of pattern that reads one character. */
type Atom = (char: string) => boolean

/** What stands beside a place: the text's edge, a character of no word, or one of a word. */
type Side = 0 | 1 | 2
const EDGE: Side = 0

/** Whether a text has a match anywhere. Throws E_ARGUMENT for a pattern that is wrong or not supported. */
export function compilePattern(pattern: string): (text: string) => boolean {
  const { states, start } = new Builder(pattern).build()
  const walker = new Walker(states, start)
  return (text) => walker.matches(text)
}

class Builder {
  readonly #states: State[] = []
  readonly #chars: string[]
  readonly #flags: string
  #at = 0

  constructor(private readonly pattern: string) {
    const insensitive = pattern.startsWith('(?i)')
    this.#flags = insensitive ? 'ui' : 'u'
    this.#chars = Array.from(insensitive ? pattern.slice(4) : pattern)
  }

  build(): { states: State[]; start: number } {
    const accept = this.#add({ kind: 'accept' })
    const whole = this.#alternation()
    if (this.#at < this.#chars.length) throw this.#wrong('a closing parenthesis has no opening one')
    return { states: this.#states, start: whole(accept) }
  }

  /** A part of the pattern as a function of what follows it, so that it can be written out more than once. */
  #alternation(): (next: number) => number {
    const branches = [this.#row()]
    while (this.#take('|')) branches.push(this.#row())
    if (branches.length === 1) return branches[0]!
    return (next) => this.#add({ kind: 'split', next: branches.map((branch) => branch(next)) })
  }

  #row(): (next: number) => number {
    const items: ((next: number) => number)[] = []
    while (this.#at < this.#chars.length && !this.#sees('|') && !this.#sees(')')) items.push(this.#repeated())
    return (next) => items.reduceRight((after, item) => item(after), next)
  }

  #repeated(): (next: number) => number {
    const item = this.#item()
    const times = this.#times()
    if (!times) return item
    this.#take('?')
    if (this.#sees('*') || this.#sees('+') || this.#sees('?')) throw this.#wrong('two repetitions in a row')
    const { least, most } = times
    return (next) => {
      let after = next
      if (most === Infinity) {
        const loop = this.#add({ kind: 'split', next: [] })
        ;(this.#states[loop] as { next: number[] }).next = [item(loop), next]
        after = loop
      } else
        for (let i = least; i < most; i++) after = this.#add({ kind: 'split', next: [item(after), next] })
      for (let i = 0; i < least; i++) after = item(after)
      return after
    }
  }

  #times(): { least: number; most: number } | null {
    if (this.#take('*')) return { least: 0, most: Infinity }
    if (this.#take('+')) return { least: 1, most: Infinity }
    if (this.#take('?')) return { least: 0, most: 1 }
    if (!this.#sees('{')) return null
    const found = /^\{(\d+)(,(\d*))?\}/.exec(this.#chars.slice(this.#at, this.#at + 20).join(''))
    if (!found)
      throw this.#wrong('a brace needs a number of times, such as {2,5}; write \\{ for the character')
    const least = Number(found[1])
    const most = found[2] === undefined ? least : found[3] === '' ? Infinity : Number(found[3])
    if (least > TIMES_LIMIT || (most !== Infinity && (most > TIMES_LIMIT || most < least)))
      throw this.#wrong(`${found[0]} is not a number of times up to ${TIMES_LIMIT}`)
    this.#at += found[0].length
    return { least, most }
  }

  #item(): (next: number) => number {
    const char = this.#chars[this.#at]!
    if (char === '(') return this.#group()
    if (char === '[') return this.#class()
    if (char === '\\') return this.#escape()
    if ('*+?{'.includes(char)) throw this.#wrong(`"${char}" has nothing to repeat`)
    this.#at++
    if (char === '^' || char === '$') return (next) => this.#add({ kind: 'assert', what: char, next })
    return this.#reads(/[\]}/-]/.test(char) ? `\\${char}` : char)
  }

  #group(): (next: number) => number {
    const at = this.#at++
    if (this.#take('?')) {
      if (this.#sees('<') && /[=!]/.test(this.#chars[this.#at + 1] ?? ''))
        throw this.#wrong('looking behind is not supported')
      if (this.#take('<')) {
        while (this.#at < this.#chars.length && !this.#take('>')) this.#at++
      } else if (!this.#take(':'))
        throw this.#wrong('looking ahead and flags within the pattern are not supported')
    }
    const inner = this.#alternation()
    if (!this.#take(')')) throw this.#wrong('this parenthesis is not closed', at)
    return inner
  }

  #class(): (next: number) => number {
    const at = this.#at
    let end = at + 1
    while (end < this.#chars.length && this.#chars[end] !== ']') end += this.#chars[end] === '\\' ? 2 : 1
    if (end >= this.#chars.length) throw this.#wrong('this bracket is not closed')
    this.#at = end + 1
    return this.#reads(this.#chars.slice(at, end + 1).join(''), at)
  }

  #escape(): (next: number) => number {
    const at = this.#at
    const rest = this.#chars.slice(at).join('')
    const char = this.#chars[at + 1]
    if (char === 'b' || char === 'B') {
      this.#at += 2
      return (next) => this.#add({ kind: 'assert', what: char, next })
    }
    if (char === undefined || /[1-9k]/.test(char)) throw this.#wrong('back-references are not supported')
    const long = /^\\(u\{[0-9a-f]+\}|u[0-9a-f]{4}|x[0-9a-f]{2}|[pP]\{[^}]*\})/i.exec(rest)?.[0]
    const source = long ?? `\\${char}`
    this.#at += Array.from(source).length
    // JavaScript refuses to escape what needs no escape.
    return this.#reads(
      long === undefined && !/[\^$\\.*+?()[\]{}|/\-dDwWsStnrvf0]/.test(char) ? char : source,
      at,
    )
  }

  #reads(source: string, at = this.#at - 1): (next: number) => number {
    let test: Atom
    try {
      test = atom(source === '\\-' ? '-' : source, this.#flags)
    } catch {
      throw this.#wrong(`${source} is no set of characters`, at)
    }
    return (next) => this.#add({ kind: 'char', test, next })
  }

  #add(state: State): number {
    if (this.#states.push(state) > STATES_LIMIT)
      throw this.#wrong('it is too large; use fewer or smaller counted repetitions', 0)
    return this.#states.length - 1
  }

  #sees(char: string): boolean {
    return this.#chars[this.#at] === char
  }

  #take(char: string): boolean {
    if (!this.#sees(char)) return false
    this.#at++
    return true
  }

  #wrong(what: string, at = this.#at): GraftError {
    return new GraftError(
      'E_ARGUMENT',
      `The pattern "${this.pattern.slice(0, 100)}" cannot be used: ${what} (its character ${at + 1}).`,
      { pattern: this.pattern.slice(0, 1000), at },
    )
  }
}

function atom(source: string, flags: string): Atom {
  const pattern = new RegExp(`^(?:${source})$`, flags)
  return (char) => pattern.test(char)
}

interface StateSet {
  /** States to go on from, before what needs no character is followed. */
  core: number[]
  side: Side
  next: Map<string, StateSet | 'found'>
}

class Walker {
  readonly #sets = new Map<string, StateSet>()
  readonly #first: StateSet

  constructor(
    private readonly states: readonly State[],
    private readonly start: number,
  ) {
    this.#first = { core: [start], side: EDGE, next: new Map() }
  }

  matches(text: string): boolean {
    let set = this.#first
    for (const char of text) {
      const known = set.next.get(char)
      const next = known ?? this.#step(set, char)
      if (!known) set.next.set(char, next)
      if (next === 'found') return true
      set = next
    }
    const end = set.next.get('') ?? (this.#closure(set, EDGE) === null ? 'found' : this.#first)
    set.next.set('', end)
    return end === 'found'
  }

  /** The set after one more character; every place may begin a match. */
  #step(set: StateSet, char: string): StateSet | 'found' {
    const side: Side = /^\w$/.test(char) ? 2 : 1
    const reached = this.#closure(set, side)
    if (reached === null) return 'found'
    const core = new Set([this.start])
    for (const index of reached) {
      const state = this.states[index]!
      if (state.kind === 'char' && state.test(char)) core.add(state.next)
    }
    const sorted = [...core].sort((a, b) => a - b)
    const key = `${side}:${sorted.join(',')}`
    let found = this.#sets.get(key)
    if (!found) {
      if (this.#sets.size >= SETS_LIMIT) {
        this.#sets.clear()
        this.#first.next.clear()
      }
      found = { core: sorted, side, next: new Map() }
      this.#sets.set(key, found)
    }
    return found
  }

  /** Everything reachable without reading, given what stands on both sides; null once a match is complete. */
  #closure({ core, side: left }: StateSet, right: Side): Set<number> | null {
    const seen = new Set<number>()
    const open = [...core]
    const border = (left === 2) !== (right === 2)
    while (open.length > 0) {
      const index = open.pop()!
      if (seen.has(index)) continue
      seen.add(index)
      const state = this.states[index]!
      if (state.kind === 'accept') return null
      if (state.kind === 'split') open.push(...state.next)
      if (state.kind !== 'assert') continue
      const holds = { '^': left === EDGE, $: right === EDGE, b: border, B: !border }[state.what]
      if (holds) open.push(state.next)
    }
    return seen
  }
}
