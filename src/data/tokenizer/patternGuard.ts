// Patterns of a tokenizer.json run as JavaScript regular expressions, which cannot be interrupted: `(a+)+$` on thirty letters
// runs for minutes. Two guards, both before a tokenizer meets a text:
// 1. here, from its shape: repetition inside repetition, and long rows of repetitions over the same characters, are refused.
//    What is left cannot run exponentially long (Weideman et al. 2016, "Analyzing matching time behavior of backtracking
//    regular expression matchers": that takes two ways to read the same text within one loop).
// 2. in patternProbe.ts: what is left still runs on long texts made against it, in a worker that is ended after two seconds.
import { unsupported } from './json.ts'
import { parsePattern, type Item } from './oniguruma.ts'

/** Longest pattern taken; the longest known (of DeepSeek, with its letters written out) has under 4,000 characters. */
export const PATTERN_LENGTH_LIMIT = 20_000
/** Repetitions over shared characters that may follow each other; real patterns have two (letters in two cases). */
export const CHAIN_LIMIT = 2
/** A repetition of a known number of times counts as endless from here. */
const MANY = 17

/** One character of each kind that patterns tell apart, with ASCII in full. */
export const SAMPLES: readonly string[] = [
  ...Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code)),
  ...'\u0085\u00a0\u3000\u200b\u200d\u00ad\ufefféÉßǅʰªªʲºאبकあアー漢字한ßяЯѢωΩก\u0301\u0903\u20dd٣１½ⅧⅨ²،।。！？‿“”«»—€+§^´😀🇩𝔘𠀀\ue000\u0378',
]

/** Compiles one atom of a pattern to something that tests single characters. */
export type Compile = (source: string) => RegExp

/** Throws E_MODEL_UNSUPPORTED where a pattern could run for longer than its text is worth. */
export function guardPattern(pattern: string, compile: Compile): void {
  if (pattern.length > PATTERN_LENGTH_LIMIT)
    throw unsupported(
      `one of its patterns has ${pattern.length} characters, and ${PATTERN_LENGTH_LIMIT} are taken`,
    )
  new Guard(pattern, compile).check()
}

/** The characters that each atom of a pattern matches, among the samples; what a probe must be made of. */
export function atomsOf(pattern: string): string[] {
  const found = new Set<string>()
  const visit = (alternatives: Item[][]): void => {
    for (const { node } of alternatives.flat())
      if (node.kind === 'atom') found.add(node.source)
      else visit(node.alternatives)
  }
  visit(parsePattern(pattern))
  return [...found]
}

class Guard {
  readonly #sets = new Map<string, ReadonlySet<string>>()

  constructor(
    readonly pattern: string,
    readonly compile: Compile,
  ) {}

  check(): void {
    this.#alternatives(parsePattern(this.pattern))
  }

  #alternatives(alternatives: Item[][]): void {
    for (const items of alternatives) {
      for (const { node, most } of items) {
        if (node.kind === 'atom') continue
        if (most > 1) this.#repeated(node.alternatives, most)
        this.#alternatives(node.alternatives)
      }
      this.#chain(items)
    }
  }

  /** A group that is repeated must have one way to read a text. */
  #repeated(alternatives: Item[][], most: number): void {
    const refuse = (): never => {
      throw unsupported(
        `its pattern ${short(this.pattern)} repeats what it repeats, and could run for hours on a short text`,
      )
    }
    if (repeats(alternatives)) refuse()
    if (most < MANY && alternatives.length === 1) return
    const seen = new Set<string>()
    for (const items of alternatives) {
      const [first] = items
      if (!first || first.optional || first.node.kind !== 'atom') return refuse()
      if (items.length > 1 && items.some(({ optional, most }) => optional || most > 1)) refuse()
      for (const char of this.#matches(first.node.source)) {
        if (seen.has(char)) refuse()
        seen.add(char)
      }
    }
  }

  /** Rows of endless repetitions that share characters: each more is another power of the text's length. */
  #chain(items: Item[]): void {
    let shared: ReadonlySet<string> | undefined
    let length = 0
    for (const { source, endless, optional } of flatten(items)) {
      const set = this.#matches(source)
      if (endless) {
        const both = shared ? intersection(shared, set) : set
        length = both.size > 0 && shared ? length + 1 : 1
        shared = both.size > 0 ? both : set
        if (length > CHAIN_LIMIT)
          throw unsupported(
            `its pattern ${short(this.pattern)} has ${length} endless repetitions of the same characters in a row, and could run for hours on a long text`,
          )
      } else if (shared && !optional && set.size > 0) {
        // What must stand between cuts the row, unless it too is of the same characters.
        const both = intersection(shared, set)
        if (both.size === 0) {
          shared = undefined
          length = 0
        } else shared = both
      }
    }
  }

  #matches(source: string): ReadonlySet<string> {
    let set = this.#sets.get(source)
    if (!set) {
      const pattern = this.compile(source)
      set = new Set(
        [...SAMPLES, ...letters(source)].filter((char) => {
          pattern.lastIndex = 0
          return pattern.exec(char)?.[0] === char
        }),
      )
      this.#sets.set(source, set)
    }
    return set
  }
}

/** The atoms of a row, groups opened; looking ahead or behind consumes nothing. */
function flatten(items: Item[]): { source: string; endless: boolean; optional: boolean }[] {
  return items.flatMap(({ node, most, optional }) => {
    if (node.kind === 'atom') return [{ source: node.source, endless: most >= MANY, optional }]
    if (node.look) return []
    const branches = node.alternatives.length > 1
    return node.alternatives
      .flatMap(flatten)
      .map((inner) => ({ ...inner, optional: inner.optional || optional || branches }))
  })
}

function repeats(alternatives: Item[][]): boolean {
  return alternatives
    .flat()
    .some(({ node, most }) => most >= MANY || (node.kind === 'group' && repeats(node.alternatives)))
}

/** Letters that an atom names itself, beside the samples. */
function letters(source: string): string[] {
  return source.length > 200 ? Array.from(source).slice(0, 200) : Array.from(source)
}

function intersection(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  return new Set([...a].filter((char) => b.has(char)))
}

export function short(pattern: string): string {
  return `"${pattern.length > 60 ? `${pattern.slice(0, 60)}…` : pattern}"`
}
