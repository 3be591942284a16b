// Which values a column has and how often, in bounded memory: counted one by one while they are few; beyond that the frequent
// ones with a lower bound of their count (Misra and Gries 1982, in batches) and the number of all by HyperLogLog.
import type { DistinctCount, ValueCount } from '../../protocol/table.ts'
import { HLL_ERROR, hash64, HyperLogLog } from './hyperLogLog.ts'

/** Different values that are counted exactly. */
export const EXACT_VALUES = 20_000
/** Characters of a value that are kept; longer ones are told apart by a hash. */
export const VALUE_CHARACTERS = 160

export class ValueCounts {
  readonly #limit: number
  readonly #counts = new Map<string, number>()
  #sketch: HyperLogLog | null = null

  constructor(limit = EXACT_VALUES) {
    this.#limit = limit
  }

  add(value: string): void {
    const key = value.length > VALUE_CHARACTERS ? shortened(value) : value
    this.#sketch?.add(key)
    const count = this.#counts.get(key)
    if (count !== undefined) this.#counts.set(key, count + 1)
    else {
      if (this.#counts.size >= this.#limit) this.#overflow(key)
      this.#counts.set(owned(key), 1)
    }
  }

  distinct(): DistinctCount {
    if (!this.#sketch) return { count: this.#counts.size, exact: true, error: 0 }
    return { count: Math.round(this.#sketch.estimate()), exact: false, error: HLL_ERROR }
  }

  /** The most frequent values, equal counts in the order of their code units; of too many values only those that repeat. */
  top(most: number): { values: ValueCount[]; exact: boolean } {
    const exact = this.#sketch === null
    const values = Array.from(this.#counts, ([key, count]) => ({ value: key, count }))
      .filter(({ count }) => exact || count > 1)
      .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
      .slice(0, most)
    return { values: values.map(({ value, count }) => ({ value: shown(value), count })), exact }
  }

  /** Makes room: every count goes down by the median, and what is left with nothing goes. */
  #overflow(next: string): void {
    if (!this.#sketch) {
      this.#sketch = new HyperLogLog()
      for (const key of this.#counts.keys()) this.#sketch.add(key)
      this.#sketch.add(next)
    }
    const sorted = Uint32Array.from(this.#counts.values()).sort()
    const median = sorted[sorted.length >> 1]!
    for (const [key, count] of this.#counts)
      if (count > median) this.#counts.set(key, count - median)
      else this.#counts.delete(key)
  }
}

/** Ends the kept part of a long value; its hash follows. */
const CUT = '\u0000'

function shortened(value: string): string {
  const [high, low] = hash64(value)
  return `${value.slice(0, VALUE_CHARACTERS)}${CUT}${high.toString(36)}.${low.toString(36)}.${value.length}`
}

function shown(key: string): string {
  const cut = key.lastIndexOf(CUT)
  return cut === VALUE_CHARACTERS ? `${key.slice(0, cut)}…` : key
}

/** A copy: a slice of a batch's text would keep all of that text in memory. */
function owned(text: string): string {
  return ` ${text}`.slice(1)
}
