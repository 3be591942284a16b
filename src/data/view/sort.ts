// Orders of rows by one column, as permutations: a million rows sort without a comparison of texts or a copy of the cells.
// Numbers and dates by least-significant-digit radix sort of their bits (Herf 2001, "Radix tricks"), texts by their first
// eight bytes in the same way and by comparison only where these agree. All of it is stable; empty cells come last.
import type { ColumnType } from '../../protocol/data.ts'
import { cellDate, cellNumber, fold } from './values.ts'

/** Bytes of a text that decide its place; rows with the same beginning keep the file's order. */
export const SORT_KEY_BYTES = 48

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
    // One character is at least one byte, so no more of the cell can count; folding may shorten it (accents go).
    const text = fold(cell.slice(0, SORT_KEY_BYTES * 4).trim())
    const room = this.#bytes.subarray(this.#end, this.#end + SORT_KEY_BYTES)
    this.#end += this.#encoder.encodeInto(text, room).written
    this.#ends[this.#rows++] = this.#end
  }

  order(descending: boolean): Uint32Array {
    const rows = this.#rows
    const bytes = this.#bytes
    const ends = this.#ends
    const high = new Uint32Array(rows)
    const low = new Uint32Array(rows)
    const found = new Uint32Array(rows)
    const empty: number[] = []
    let filled = 0
    for (let row = 0; row < rows; row++) {
      const start = row === 0 ? 0 : ends[row - 1]!
      const length = ends[row]! - start
      if (length === 0) {
        empty.push(row)
        continue
      }
      for (let i = 0; i < 4; i++) {
        high[row] = (high[row]! << 8) | (i < length ? bytes[start + i]! : 0)
        low[row] = (low[row]! << 8) | (i + 4 < length ? bytes[start + 4 + i]! : 0)
      }
      found[filled++] = row
    }
    const order = new Uint32Array(rows)
    order.set(radix(found.subarray(0, filled), high, low, descending))
    const sign = descending ? -1 : 1
    const compare = (a: number, b: number): number => {
      const startA = a === 0 ? 0 : ends[a - 1]!
      const startB = b === 0 ? 0 : ends[b - 1]!
      const lengthA = ends[a]! - startA
      const lengthB = ends[b]! - startB
      const shared = Math.min(lengthA, lengthB)
      for (let i = 8; i < shared; i++) {
        const difference = bytes[startA + i]! - bytes[startB + i]!
        if (difference !== 0) return sign * difference
      }
      return sign * (lengthA - lengthB) || a - b
    }
    for (let from = 0; from < filled;) {
      let to = from + 1
      while (to < filled && high[order[to]!] === high[order[from]!] && low[order[to]!] === low[order[from]!])
        to++
      if (to - from > 1) order.subarray(from, to).sort(compare)
      from = to
    }
    order.set(empty, filled)
    return order
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
