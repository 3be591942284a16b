// What is in each column, gathered in one pass: type, empty cells, distinct values, mean length.
import { textOf, unitsOf, type ByteRows } from '../protocol/byteRows.ts'
import type { Column, ColumnType } from '../protocol/data.ts'
import { isConversation } from './messages.ts'
import { SeenBytes } from './seenBytes.ts'

/** Distinct values are counted exactly up to here; beyond it the exact number says nothing more. */
export const DISTINCT_LIMIT = 10_000
/** Most different values of a category; a score head per value must stay small. */
export const CATEGORY_VALUES_LIMIT = 1000
/** Longest mean length of a category's names, in characters. */
const CATEGORY_LENGTH = 60
/** Categories repeat: different values are at most this share of the filled cells. */
const CATEGORY_SHARE = 0.5

const NUMBER = /^[+-]?(\d+([.,]\d+)?|\.\d+)(e[+-]?\d+)?%?$/i
const BOOLEAN = /^(true|false|yes|no)$/i
const DATE =
  /^(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{2,4})([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/

/** Cells that are read as conversations to tell what a column holds. */
const CONVERSATION_SAMPLE = 50

/** Longest cell that may be a number, a truth value or a date. */
const TYPED_LENGTH = 40
/** Longer values are told apart by their length, their ends and a hash, so that they need not be kept. */
const KEY_LENGTH = 200
const [LIST, OBJECT, MINUS, POINT] = [0x5b, 0x7b, 0x2d, 0x2e]

/** A column with what the guess of the task needs beside it. */
export interface ColumnProfile extends Column {
  /** Cells that are not empty. */
  filled: number
  /** Filled cells that end in white space. */
  endsInSpace: number
  /** Filled cells that begin with white space. */
  startsInSpace: number
  /** Filled cells that begin like a JSON list or object. */
  jsonLike: number
  /** Share of the first CONVERSATION_SAMPLE filled cells that hold a conversation. */
  conversations: number
}

/** Looks at one cell after the other of one column. */
export class ColumnCounter {
  readonly #name: string
  /** Values by what tells them apart, in the order of their first appearance. */
  readonly #values = new Map<string, number>()
  /** The value of each row, from 1, or 0 for none; null where there are too many values, or nobody asked. */
  #codes: Uint16Array | null
  #missing: number
  #filled = 0
  #length = 0
  /** Codes of values that came as bytes. */
  readonly #seen = new SeenBytes()
  #lastCode = 0
  #mayBeNumbers = true
  #mayBeBooleans = true
  #mayBeDates = true
  #endsInSpace = 0
  #startsInSpace = 0
  #jsonLike = 0
  #conversations = 0

  /**
   * @param missing rows before this column began
   * @param keepValues whether the value of each row is kept, as long as there are few, for `categories`
   */
  constructor(name: string, missing = 0, keepValues = false) {
    this.#name = name
    this.#missing = missing
    this.#codes = keepValues ? new Uint16Array(Math.max(1024, 2 * missing)) : null
  }

  add(cell: string): void {
    const first = cell.charCodeAt(0)
    const last = cell.charCodeAt(cell.length - 1)
    const edges = isSpaceOrRare(first) || isSpaceOrRare(last)
    const value = edges ? cell.trim() : cell
    if (value === '') {
      this.#missing++
      return
    }
    this.#filled++
    this.#length += cell.length
    this.#count(value)
    if (edges) {
      if (cell.trimEnd() !== cell) this.#endsInSpace++
      if (cell.trimStart() !== cell) this.#startsInSpace++
    }
    const opening = value.charCodeAt(0)
    if (opening === LIST || opening === OBJECT) {
      this.#jsonLike++
      if (this.#filled <= CONVERSATION_SAMPLE && isConversation(value)) this.#conversations++
    }
    // Only while every cell so far agrees is a type still possible.
    const short = value.length <= TYPED_LENGTH
    if (this.#mayBeNumbers) this.#mayBeNumbers = short && NUMBER.test(value)
    if (this.#mayBeBooleans) this.#mayBeBooleans = short && BOOLEAN.test(value)
    if (this.#mayBeDates) this.#mayBeDates = short && DATE.test(value)
  }

  /** Adds the cells of one column of many rows. */
  addColumn(rows: readonly (readonly string[])[], place: number, from = 0, to = rows.length): void {
    for (let row = from; row < to; row++) this.add(rows[row]![place]!)
  }

  /** Adds the cells of one column of rows `from` to `to` that are bytes. */
  addBytes({ width, bytes, ends, ascii }: ByteRows, place: number, from: number, to: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let cell = from * width + place; cell < to * width; cell += width) {
      const start = cell === 0 ? 0 : ends[cell - 1]!
      const end = ends[cell]!
      if (start === end) this.#missing++
      else if (!this.#addPlain(bytes, view, start, end, ascii)) this.add(textOf(bytes.subarray(start, end)))
    }
  }

  /** Adds a cell like those before it without making a string of it; false where it must be looked at closely. */
  #addPlain(bytes: Uint8Array, view: DataView, start: number, end: number, ascii: boolean): boolean {
    const first = bytes[start]!
    if (isSpaceOrRare(first) || isSpaceOrRare(bytes[end - 1]!) || first === LIST || first === OBJECT)
      return false
    let code = 0
    if (this.#values.size < DISTINCT_LIMIT) {
      code = this.#seen.find(view, start, end)
      if (code === 0) {
        this.add(textOf(bytes.subarray(start, end)))
        this.#seen.add(this.#lastCode)
        return true
      }
    } else if (
      this.#mayBeBooleans ||
      (this.#mayBeNumbers && !isPlainNumber(bytes, start, end)) ||
      (this.#mayBeDates && !isPlainDate(bytes, start, end))
    )
      return false
    this.#filled++
    this.#length += ascii ? end - start : unitsOf(bytes, start, end)
    if (code > 0) this.#keep(code)
    return true
  }

  /** The trimmed value of each of `rows` rows, where there are few of them and they were kept; otherwise null. */
  categories(rows: number): string[] | null {
    if (!this.#codes) return null
    const values = ['', ...this.#values.keys()]
    const found: string[] = []
    for (let row = 0; row < rows; row++) found.push(values[this.#codes[row] ?? 0]!)
    return found
  }

  #count(value: string): void {
    if (this.#values.size >= DISTINCT_LIMIT) return
    const key = value.length > KEY_LENGTH ? longKey(value) : value
    let code = this.#values.get(key)
    if (code === undefined) {
      code = this.#values.size + 1
      // A part of a longer text keeps all of that text in memory: what stays is copied out of it.
      this.#values.set(key.length > 12 ? ` ${key}`.slice(1) : key, code)
      if (code > CATEGORY_VALUES_LIMIT || key !== value) this.#codes = null
    }
    this.#keep(code)
  }

  #keep(code: number): void {
    this.#lastCode = code
    if (!this.#codes) return
    const row = this.#missing + this.#filled - 1
    if (row >= this.#codes.length) {
      const wider = new Uint16Array(2 * row)
      wider.set(this.#codes)
      this.#codes = wider
    }
    this.#codes[row] = code
  }

  profile(): ColumnProfile {
    const meanLength = this.#filled === 0 ? 0 : this.#length / this.#filled
    return {
      name: this.#name,
      type: this.#type(meanLength),
      missing: this.#missing,
      distinct: this.#values.size,
      meanLength,
      filled: this.#filled,
      endsInSpace: this.#endsInSpace,
      startsInSpace: this.#startsInSpace,
      jsonLike: this.#jsonLike,
      conversations: this.#conversations / Math.max(1, Math.min(this.#filled, CONVERSATION_SAMPLE)),
    }
  }

  #type(meanLength: number): ColumnType {
    if (this.#filled === 0) return 'empty'
    if (this.#mayBeBooleans) return 'boolean'
    if (this.#mayBeNumbers) return 'number'
    if (this.#mayBeDates) return 'date'
    const few =
      this.#values.size <= CATEGORY_VALUES_LIMIT && this.#values.size <= this.#filled * CATEGORY_SHARE
    return few && meanLength <= CATEGORY_LENGTH ? 'category' : 'text'
  }
}

/** White space, or a character so rare that looking closer costs nothing; also true for no character at all. */
function isSpaceOrRare(code: number): boolean {
  return !(code > 0x20 && code < 0x80)
}

/** "12" and "1.5": what most numbers look like, without the cost of a pattern. */
function isPlainNumber(bytes: Uint8Array, start: number, end: number): boolean {
  let points = 0
  for (let at = start; at < end; at++) {
    const code = bytes[at]!
    if (code === POINT && at > start && at < end - 1) {
      if (++points > 1) return false
    } else if (code < 0x30 || code > 0x39) return false
  }
  return end - start <= TYPED_LENGTH
}

/** "2024-05-31". */
function isPlainDate(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== 10) return false
  for (let i = 0; i < 10; i++) {
    const code = bytes[start + i]!
    if (i === 4 || i === 7 ? code !== MINUS : code < 0x30 || code > 0x39) return false
  }
  return true
}

/** 64 bits of FNV-1a in two halves, beside the length and both ends. */
function longKey(value: string): string {
  let low = 0x811c9dc5
  let high = 0x9e3779b9
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    low = Math.imul(low ^ code, 0x01000193)
    high = Math.imul(high ^ code, 0x85ebca6b)
  }
  return `${value.length}:${low >>> 0}:${high >>> 0}:${value.slice(0, 40)}:${value.slice(-40)}`
}

/** The part of a profile that a dataset keeps. */
export function columnOf({ name, type, missing, distinct, meanLength }: ColumnProfile): Column {
  return { name, type, missing, distinct, meanLength }
}
