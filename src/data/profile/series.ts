// Numbers of a column in one pass: all of them up to a bound, then a sketch of their distribution (KLL: Karnin, Lang and
// Liberty 2016, "Optimal quantile approximation in streams"), whose ranks are off by about 0.1 %.

/** Size of the largest level of the sketch. */
const SKETCH_ITEMS = 2048

/** Ascending values, each standing for `weights` numbers (one each where null). */
export interface Weighted {
  values: Float64Array
  weights: Float64Array | null
}

export class NumberSeries {
  count = 0
  minimum = Infinity
  maximum = -Infinity
  mean = 0
  #squares = 0
  readonly #limit: number
  #values: Float64Array | null = new Float64Array(1024)
  /** Level i holds values that stand for 2^i numbers. */
  readonly #levels: number[][] = []
  #odd = false

  /** @param limit numbers that are kept one by one */
  constructor(limit: number) {
    this.#limit = limit
  }

  get exact(): boolean {
    return this.#values !== null
  }

  /** With n - 1; 0 for a single number. */
  get deviation(): number {
    return this.count > 1 ? Math.sqrt(this.#squares / (this.count - 1)) : 0
  }

  add(value: number): void {
    // Welford 1962: sums of squares would lose the small differences of large numbers.
    const at = this.count++
    const before = value - this.mean
    this.mean += before / this.count
    this.#squares += before * (value - this.mean)
    if (value < this.minimum) this.minimum = value
    if (value > this.maximum) this.maximum = value
    if (!this.#values) return this.#sketch(value)
    if (at >= this.#limit) {
      const kept = this.#values.subarray(0, at)
      this.#values = null
      for (const each of kept) this.#sketch(each)
      return this.#sketch(value)
    }
    if (at === this.#values.length) {
      const larger = new Float64Array(Math.min(this.#limit, at * 2))
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[at] = value
  }

  sorted(): Weighted {
    if (this.#values) return { values: this.#values.slice(0, this.count).sort(), weights: null }
    const items = this.#levels.flatMap((level, i) => level.map((value) => ({ value, weight: 2 ** i })))
    items.sort((a, b) => a.value - b.value)
    return {
      values: Float64Array.from(items, ({ value }) => value),
      weights: Float64Array.from(items, ({ weight }) => weight),
    }
  }

  #sketch(value: number): void {
    ;(this.#levels[0] ??= []).push(value)
    for (let i = 0; i < this.#levels.length; i++) {
      const level = this.#levels[i]!
      // Lower levels stand for little and may be small.
      const room = Math.max(8, Math.ceil(SKETCH_ITEMS * (2 / 3) ** (this.#levels.length - 1 - i)))
      if (level.length < room * 2) break
      level.sort((a, b) => a - b)
      // Every other value goes up, beginning with the first and the second in turn; an odd one stays.
      this.#odd = !this.#odd
      const pairs = level.length - (level.length % 2)
      const above = (this.#levels[i + 1] ??= [])
      for (let at = this.#odd ? 1 : 0; at < pairs; at += 2) above.push(level[at]!)
      this.#levels[i] = level.slice(pairs)
    }
  }
}

/** Whole numbers that repeat, such as lengths: how often each occurs. There are never many different ones. */
export class LengthCounts {
  readonly #counts = new Map<number, number>()

  add(length: number): void {
    this.#counts.set(length, (this.#counts.get(length) ?? 0) + 1)
  }

  sorted(): Weighted {
    const entries = [...this.#counts].sort(([a], [b]) => a - b)
    return {
      values: Float64Array.from(entries, ([value]) => value),
      weights: Float64Array.from(entries, ([, weight]) => weight),
    }
  }
}

/** Characters (code points) and words (runs without white space) of a text, as len(text) and len(text.split()) in Python. */
export function lengthsOf(text: string): { characters: number; words: number } {
  let pairs = 0
  let words = 0
  let inWord = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const space =
      code < 33 ? code === 32 || (code > 8 && code < 14) || code > 27 : code > 132 && isSpace(code)
    if (space) inWord = false
    else if (!inWord) {
      inWord = true
      words++
    }
    if ((code & 0xfc00) === 0xdc00 && i > 0 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) pairs++
  }
  return { characters: text.length - pairs, words }
}

function isSpace(code: number): boolean {
  return (
    code === 0x85 ||
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  )
}
