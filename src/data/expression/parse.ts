// From an expression to its tree, by recursive descent: or, and, not, comparison, sum, product, sign, value.
import { fault } from './fault.ts'
import { tokensOf, type Token } from './tokens.ts'

export type Node =
  | { kind: 'value'; value: string | number | boolean; at: number }
  | { kind: 'column'; place: number; at: number }
  | { kind: 'call'; name: string; args: Node[]; at: number }
  | { kind: 'not' | 'negative'; inner: Node; at: number }
  | { kind: 'binary'; operator: string; left: Node; right: Node; at: number }
  | { kind: 'in'; left: Node; list: Node[]; at: number }

/** Parentheses inside parentheses; more overflow the stack before they help anyone. */
const DEPTH_LIMIT = 100
const WORDS = new Set(['and', 'or', 'not', 'in', 'contains', 'startswith', 'endswith', 'matches'])
const TESTS = new Set(['contains', 'startswith', 'endswith', 'matches'])
const COMPARISONS: Record<string, string> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '<>': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
}

/** Throws E_ARGUMENT with the place of the fault. */
export function parseExpression(source: string, columns: readonly string[]): Node {
  return new Parser(source, columns).whole()
}

class Parser {
  readonly #tokens: Token[]
  #next = 0
  #depth = 0

  constructor(
    private readonly source: string,
    private readonly columns: readonly string[],
  ) {
    this.#tokens = tokensOf(source)
  }

  whole(): Node {
    if (this.#peek.kind === 'end')
      throw this.#fault(0, 'it is empty; write a condition such as length(text) > 10.')
    const node = this.#or()
    if (this.#tokens[this.#next]!.kind !== 'end') throw this.#unexpected('the end, or a word such as "and"')
    return node
  }

  get #peek(): Token {
    return this.#tokens[this.#next]!
  }

  #or(): Node {
    let left = this.#and()
    for (let at = this.#peek.at; this.#word('or') || this.#operator('||'); at = this.#peek.at)
      left = { kind: 'binary', operator: 'or', left, right: this.#and(), at }
    return left
  }

  #and(): Node {
    let left = this.#not()
    for (let at = this.#peek.at; this.#word('and') || this.#operator('&&'); at = this.#peek.at)
      left = { kind: 'binary', operator: 'and', left, right: this.#not(), at }
    return left
  }

  #not(): Node {
    const { at } = this.#peek
    if (this.#word('not') || this.#operator('!'))
      return this.#nested(() => ({ kind: 'not', inner: this.#not(), at }))
    return this.#comparison()
  }

  #comparison(): Node {
    const left = this.#sum()
    const token = this.#peek
    const { at } = token
    if (token.kind === 'operator') {
      const operator = COMPARISONS[token.value]
      if (operator === undefined) return left
      this.#next++
      return { kind: 'binary', operator, left, right: this.#sum(), at }
    }
    if (token.kind !== 'name') return left
    const word = token.value.toLowerCase()
    if (word === 'not') {
      const following = this.#tokens[this.#next + 1]!
      const test = following.kind === 'name' ? following.value.toLowerCase() : ''
      if (test !== 'in' && !TESTS.has(test)) return left
      this.#next++
      return { kind: 'not', inner: this.#test(left, test, following.at), at }
    }
    return word === 'in' || TESTS.has(word) ? this.#test(left, word, at) : left
  }

  /** `left contains x`, `left in (a, b)`; the word is the next token. */
  #test(left: Node, word: string, at: number): Node {
    this.#next++
    if (word !== 'in') return { kind: 'call', name: word, args: [left, this.#sum()], at }
    if (!this.#operator('(')) throw this.#unexpected('a list such as ("a", "b")')
    return { kind: 'in', left, list: this.#list(), at }
  }

  #sum(): Node {
    let left = this.#product()
    for (;;) {
      const { at, value } = this.#peek
      if (!this.#operator('+') && !this.#operator('-')) return left
      left = { kind: 'binary', operator: String(value), left, right: this.#product(), at }
    }
  }

  #product(): Node {
    let left = this.#signed()
    for (;;) {
      const { at, value } = this.#peek
      if (!this.#operator('*') && !this.#operator('/') && !this.#operator('%')) return left
      left = { kind: 'binary', operator: String(value), left, right: this.#signed(), at }
    }
  }

  #signed(): Node {
    const { at } = this.#peek
    if (this.#operator('-')) return this.#nested(() => ({ kind: 'negative', inner: this.#signed(), at }))
    return this.#value()
  }

  #value(): Node {
    const token = this.#peek
    const { at } = token
    if (this.#operator('(')) {
      const inner = this.#nested(() => this.#or())
      if (!this.#operator(')')) throw this.#unexpected('a closing parenthesis')
      return inner
    }
    switch (token.kind) {
      case 'number':
      case 'text':
        this.#next++
        return { kind: 'value', value: token.value, at }
      case 'quoted': {
        this.#next++
        const place = this.columns.indexOf(token.value)
        return place < 0 ? { kind: 'value', value: token.value, at } : { kind: 'column', place, at }
      }
      case 'column':
        this.#next++
        return this.#column(token.value, at)
      case 'name':
        return this.#name(token.value, at)
      default:
        throw this.#unexpected('a column, a number or a text in quotes')
    }
  }

  #name(name: string, at: number): Node {
    const following = this.#tokens[this.#next + 1]!
    const called = following.kind === 'operator' && following.value === '('
    const lower = name.toLowerCase()
    if (called && !(WORDS.has(lower) && !TESTS.has(lower))) {
      this.#next += 2
      return { kind: 'call', name: lower, args: this.#list(), at }
    }
    if (WORDS.has(lower)) throw this.#unexpected('a column, a number or a text in quotes')
    this.#next++
    if (!this.columns.includes(name) && (lower === 'true' || lower === 'false'))
      return { kind: 'value', value: lower === 'true', at }
    return this.#column(name, at)
  }

  #column(name: string, at: number): Node {
    const place = this.columns.indexOf(name)
    if (place >= 0) return { kind: 'column', place, at }
    const folded = name.toLowerCase()
    const alike = this.columns.flatMap((other, i) => (other.toLowerCase() === folded ? [i] : []))
    if (alike.length === 1) return { kind: 'column', place: alike[0]!, at }
    throw this.#fault(
      at,
      `there is no column "${name}". The columns are ${this.columns.join(', ')}; a text needs quotes.`,
    )
  }

  /** Arguments after an opening parenthesis, and the closing one. */
  #list(): Node[] {
    const list: Node[] = []
    if (this.#operator(')')) return list
    do list.push(this.#nested(() => this.#or()))
    while (this.#operator(','))
    if (!this.#operator(')')) throw this.#unexpected('a comma or a closing parenthesis')
    return list
  }

  #nested<T>(work: () => T): T {
    if (++this.#depth > DEPTH_LIMIT)
      throw this.#fault(this.#peek.at, `it is nested more than ${DEPTH_LIMIT} times; make it simpler.`)
    const result = work()
    this.#depth--
    return result
  }

  #word(word: string): boolean {
    const token = this.#peek
    if (token.kind !== 'name' || token.value.toLowerCase() !== word) return false
    this.#next++
    return true
  }

  #operator(operator: string): boolean {
    const token = this.#peek
    if (token.kind !== 'operator' || token.value !== operator) return false
    this.#next++
    return true
  }

  #unexpected(expected: string): Error {
    const token = this.#peek
    const found = token.kind === 'end' ? 'the end' : `"${token.value}"`
    return this.#fault(token.at, `found ${found} where ${expected} was expected.`)
  }

  #fault(at: number, what: string): Error {
    return fault(this.source, at, what)
  }
}
