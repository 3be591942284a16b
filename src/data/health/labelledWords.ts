// How often words stand beside labels, in bounded memory whatever the words and labels: where there are too many words, the rarest
// are forgotten (lossy counting, Manku & Motwani 2002), and where the words kept have too many labels each, rarest first until
// a quarter of the counts is gone. Counts are cells of one table with open addressing, 12 bytes each, at most half full.
import { mix } from './hash.ts'
import { LABEL_LIMIT, owned } from './check.ts'

export const WORDS_KEPT = 40_000
/** Pairs of a word and a label that are counted: 48 MB. */
export const CELLS_KEPT = 2_000_000
const EMPTY = -1

interface Word {
  number: number
  /** Occurrences. */
  total: number
  /** The last row that had it. */
  row: number
}

export interface LabelledWord {
  text: string
  total: number
  /** Rows with it. */
  rows: number
  number: number
}

export class LabelledWords {
  readonly #cellsKept: number
  #words = new Map<string, Word>()
  /** Rows with each word. */
  #rowsOf: number[] = []
  #keys = new Int32Array(1 << 12).fill(EMPTY)
  #times = new Uint32Array(1 << 12)
  #rows = new Uint32Array(1 << 12)
  #cells = 0
  /** Words with as many occurrences were forgotten. */
  #least = 0

  constructor(cellsKept = CELLS_KEPT) {
    this.#cellsKept = cellsKept
  }

  /** Pairs of a word and a label that are counted now. */
  get cells(): number {
    return this.#cells
  }

  /** Counts the words of a row. */
  add(words: readonly string[], label: number, row: number): void {
    for (const text of words) {
      let word = this.#words.get(text)
      if (!word) {
        // A single row of very many words.
        if (this.#words.size >= 2 * WORDS_KEPT) this.#forget()
        word = { number: this.#rowsOf.push(0) - 1, total: 0, row: EMPTY }
        this.#words.set(owned(text), word)
      }
      word.total++
      const at = this.#cell(word.number * LABEL_LIMIT + label)
      this.#times[at]!++
      if (word.row === row) continue
      word.row = row
      this.#rows[at]!++
      this.#rowsOf[word.number]!++
    }
    while (this.#words.size > WORDS_KEPT || this.#cells > this.#cellsKept) this.#forget()
  }

  /** All words that are known, in the order in which they were first met. */
  words(): LabelledWord[] {
    return Array.from(this.#words, ([text, { number, total }]) => ({
      text,
      total,
      number,
      rows: this.#rowsOf[number]!,
    }))
  }

  /** Occurrences of a word in rows of a label, and rows. */
  of({ number }: Pick<LabelledWord, 'number'>, label: number): { times: number; rows: number } {
    const at = this.#find(number * LABEL_LIMIT + label)
    return { times: this.#times[at]!, rows: this.#rows[at]! }
  }

  #find(key: number): number {
    const mask = this.#keys.length - 1
    let at = mix(key) & mask
    while (this.#keys[at] !== key && this.#keys[at] !== EMPTY) at = (at + 1) & mask
    return at
  }

  /** The place of a cell; a new one where it was not there. */
  #cell(key: number): number {
    const at = this.#find(key)
    if (this.#keys[at] === key) return at
    if (2 * (this.#cells + 1) > this.#keys.length) {
      this.#move(this.#keys.length * 2, (known) => known)
      return this.#cell(key)
    }
    this.#keys[at] = key
    this.#cells++
    return at
  }

  /** Moves the cells into a table of another size, under new keys; those without one go. */
  #move(size: number, newKey: (key: number) => number): void {
    const [keys, times, rows] = [this.#keys, this.#times, this.#rows]
    this.#keys = new Int32Array(size).fill(EMPTY)
    this.#times = new Uint32Array(size)
    this.#rows = new Uint32Array(size)
    this.#cells = 0
    for (let from = 0; from < keys.length; from++) {
      if (keys[from] === EMPTY) continue
      const key = newKey(keys[from]!)
      if (key === EMPTY) continue
      const at = this.#find(key)
      this.#keys[at] = key
      this.#times[at] = times[from]!
      this.#rows[at] = rows[from]!
      this.#cells++
    }
  }

  #forget(): void {
    this.#least = Math.max(this.#least + 1, this.#cells > this.#cellsKept ? this.#quarter() : 0)
    const numbers = new Int32Array(this.#rowsOf.length).fill(EMPTY)
    const kept = new Map<string, Word>()
    const rowsOf: number[] = []
    for (const [text, word] of this.#words) {
      if (word.total <= this.#least) continue
      numbers[word.number] = rowsOf.push(this.#rowsOf[word.number]!) - 1
      kept.set(text, word)
    }
    for (const word of kept.values()) word.number = numbers[word.number]!
    this.#words = kept
    this.#rowsOf = rowsOf
    this.#move(this.#keys.length, (key) => {
      const number = numbers[Math.floor(key / LABEL_LIMIT)]!
      return number === EMPTY ? EMPTY : number * LABEL_LIMIT + (key % LABEL_LIMIT)
    })
  }

  /** Occurrences of the words that hold a quarter of the cells, the rarest words first. */
  #quarter(): number {
    const cells = new Uint32Array(this.#rowsOf.length)
    for (const key of this.#keys) if (key !== EMPTY) cells[Math.floor(key / LABEL_LIMIT)]!++
    let left = this.#cells / 4
    for (const { number, total } of [...this.#words.values()].sort((a, b) => a.total - b.total))
      if ((left -= cells[number]!) <= 0) return total
    return this.#least
  }
}
