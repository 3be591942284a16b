// Orders of rows by one column, as permutations: a million rows sort without a comparison of texts or a copy of the cells.
// Numbers and dates by least-significant-digit radix sort of their bits (Herf 2001, "Radix tricks"), texts by eight bytes
// at a time in the same way, and by comparison where only few still agree. All of it is stable; empty cells come last.
import type { ColumnType } from '../../protocol/data.ts'
import { cellDate, cellNumber, fold } from './values.ts'

/** Bytes of a text that decide its place; rows with the same beginning keep the file's order. */
export const SORT_KEY_BYTES = 48
/** Fewer rows than this are sorted by comparison: the counts of a radix pass would cost more. */
const FEW = 2048

/** Gathers the keys of one column, row after row, then gives the order of the rows. */
export interface SortKeys {
  add(cell: string): void
  /** Rows by their keys. */
  order(descending: boolean): Uint32Array
}

export function sortKeys(type: ColumnType, rows: number, monthIsFirst: boolean): SortKeys {
  if (type === 'number') return new NumberKeys(rows, cellNumber)
  if (type === 'date') return new NumberKeys(rows, (cell) => cellDate(cell, monthIsFirst))
  return new TextKeys(rows)
}

class NumberKeys implements SortKeys {
  readonly #values: Float64Array
  readonly #read: (cell: string) => number
  #rows = 0

  constructor(rows: number, read: (cell: string) => number) {
    this.#values = new Float64Array(rows)
    this.#read = read
  }

  add(cell: string): void {
    this.#values[this.#rows++] = this.#read(cell)
  }

  order(descending: boolean): Uint32Array {
    const rows = this.#rows
    const high = new Uint32Array(rows)
    const low = new Uint32Array(rows)
    const view = new DataView(new ArrayBuffer(8))
    const found = new Uint32Array(rows)
    const empty: number[] = []
    let filled = 0
    for (let row = 0; row < rows; row++) {
      const value = this.#values[row]!
      if (Number.isNaN(value)) {
        empty.push(row)
        continue
      }
      // -0 and 0 are equal.
      view.setFloat64(0, value === 0 ? 0 : value)
      const top = view.getUint32(0)
      // The bits of a double sort like an integer once negative ones are turned over.
      const flip = top & 0x80000000 ? 0xffffffff : 0x80000000
      high[row] = (top ^ flip) >>> 0
      low[row] = top & 0x80000000 ? ~view.getUint32(4) >>> 0 : view.getUint32(4)
      found[filled++] = row
    }
    const order = new Uint32Array(rows)
    order.set(radix(found.subarray(0, filled), high, low, descending))
    order.set(empty, filled)
    return order
  }
}

class TextKeys implements SortKeys {
  #bytes = new Uint8Array(1 << 16)
  readonly #ends: Uint32Array
  #rows = 0
  #end = 0
  readonly #encoder = new TextEncoder()

  constructor(rows: number) {
    this.#ends = new Uint32Array(rows)
  }

  add(cell: string): void {
    if (this.#end + SORT_KEY_BYTES > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2)
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#end = this.#plain(cell) ?? this.#folded(cell)
    this.#ends[this.#rows++] = this.#end
  }

  /** Plain ASCII letter by letter; null where it is none. */
  #plain(cell: string): number | null {
    let start = 0
    let length = cell.length
    while (start < length && cell.charCodeAt(start) <= 32) start++
    while (length > start && cell.charCodeAt(length - 1) <= 32) length--
    length = Math.min(length, start + SORT_KEY_BYTES)
    let end = this.#end
    for (let at = start; at < length; at++) {
      const code = cell.charCodeAt(at)
      if (code > 127) return null
      this.#bytes[end++] = code >= 65 && code <= 90 ? code + 32 : code
    }
    return end
  }

  #folded(cell: string): number {
    // One character is at least one byte, so not much more of the cell can count; folding may shorten it (accents go).
    const text = fold(cell.trim().slice(0, SORT_KEY_BYTES * 4))
    const room = this.#bytes.subarray(this.#end, this.#end + SORT_KEY_BYTES)
    return this.#end + this.#encoder.encodeInto(text, room).written
  }

  order(descending: boolean): Uint32Array {
    const rows = this.#rows
    const order = new Uint32Array(rows)
    const empty: number[] = []
    let filled = 0
    for (let row = 0; row < rows; row++)
      if (this.#ends[row]! > this.#start(row)) order[filled++] = row
      else empty.push(row)
    this.#sort(order.subarray(0, filled), 0, new Uint32Array(rows), new Uint32Array(rows), descending)
    order.set(empty, filled)
    return order
  }

  #start(row: number): number {
    return row === 0 ? 0 : this.#ends[row - 1]!
  }

  /** Sorts rows whose first `depth` bytes are equal: many by the next eight, few by comparison. */
  #sort(rows: Uint32Array, depth: number, high: Uint32Array, low: Uint32Array, descending: boolean): void {
    if (rows.length < FEW) {
      rows.sort(this.#comparison(depth, descending))
      return
    }
    const bytes = this.#bytes
    for (const row of rows) {
      const start = this.#start(row) + depth
      const end = this.#ends[row]!
      for (let i = 0; i < 4; i++) {
        high[row] = (high[row]! << 8) | (start + i < end ? bytes[start + i]! : 0)
        low[row] = (low[row]! << 8) | (start + 4 + i < end ? bytes[start + 4 + i]! : 0)
      }
    }
    rows.set(radix(rows.slice(), high, low, descending))
    // A text that has ended is padded with zeros, which no longer text is unless it holds them.
    const next = depth + 8
    for (let from = 0; from < rows.length;) {
      const row = rows[from]!
      let to = from + 1
      while (to < rows.length && high[rows[to]!] === high[row] && low[rows[to]!] === low[row]) to++
      if (to - from > 1) {
        const run = rows.subarray(from, to)
        if (next >= SORT_KEY_BYTES) run.sort(this.#comparison(depth, descending))
        else this.#sort(run, next, high, low, descending)
      }
      from = to
    }
  }

  #comparison(depth: number, descending: boolean): (a: number, b: number) => number {
    const bytes = this.#bytes
    const sign = descending ? -1 : 1
    return (a, b) => {
      const [startA, startB] = [this.#start(a), this.#start(b)]
      const [lengthA, lengthB] = [this.#ends[a]! - startA, this.#ends[b]! - startB]
      const shared = Math.min(lengthA, lengthB)
      for (let i = depth; i < shared; i++) {
        const difference = bytes[startA + i]! - bytes[startB + i]!
        if (difference !== 0) return sign * difference
      }
      return sign * (lengthA - lengthB) || a - b
    }
  }
}

/** Rows by a 64-bit key of two words, stable; 16 bits a pass, and passes over equal digits are left out. */
function radix(rows: Uint32Array, high: Uint32Array, low: Uint32Array, descending: boolean): Uint32Array {
  let from = rows
  let to: Uint32Array = new Uint32Array(rows.length)
  const counts = new Uint32Array(1 << 16)
  const turn = descending ? 0xffff : 0
  for (const [words, shift] of [
    [low, 0],
    [low, 16],
    [high, 0],
    [high, 16],
  ] as const) {
    counts.fill(0)
    for (const row of from) counts[((words[row]! >>> shift) & 0xffff) ^ turn]!++
    if (from.length && counts[((words[from[0]!]! >>> shift) & 0xffff) ^ turn] === from.length) continue
    let sum = 0
    for (let digit = 0; digit < counts.length; digit++) {
      const here = counts[digit]!
      counts[digit] = sum
      sum += here
    }
    for (const row of from) to[counts[((words[row]! >>> shift) & 0xffff) ^ turn]!++] = row
    ;[from, to] = [to, from === rows ? new Uint32Array(rows.length) : from]
  }
  return from
}
