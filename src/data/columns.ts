// What is in each column, gathered in one pass: type, empty cells, distinct values, mean length.
import type { Column, ColumnType } from '../protocol/data.ts'
import { isConversation } from './messages.ts'

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
  readonly #values = new Set<string>()
  #missing: number
  #filled = 0
  #length = 0
  #numbers = 0
  #booleans = 0
  #dates = 0
  #endsInSpace = 0
  #startsInSpace = 0
  #jsonLike = 0
  #conversations = 0

  /** @param missing rows before this column began */
  constructor(name: string, missing = 0) {
    this.#name = name
    this.#missing = missing
  }

  add(cell: string): void {
    const value = cell.trim()
    if (value === '') {
      this.#missing++
      return
    }
    this.#filled++
    this.#length += cell.length
    if (this.#values.size < DISTINCT_LIMIT) this.#values.add(value)
    if (/\s$/.test(cell)) this.#endsInSpace++
    if (/^\s/.test(cell)) this.#startsInSpace++
    if (this.#filled <= CONVERSATION_SAMPLE && /^[[{]/.test(value) && isConversation(value))
      this.#conversations++
    if (value.length > 40) {
      if (/^\s*[[{]/.test(value)) this.#jsonLike++
      return
    }
    // Only while every cell so far agrees is a type still possible.
    if (this.#numbers === this.#filled - 1 && NUMBER.test(value)) this.#numbers++
    if (this.#booleans === this.#filled - 1 && BOOLEAN.test(value)) this.#booleans++
    if (this.#dates === this.#filled - 1 && DATE.test(value)) this.#dates++
    if (value.startsWith('[') || value.startsWith('{')) this.#jsonLike++
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
    if (this.#booleans === this.#filled) return 'boolean'
    if (this.#numbers === this.#filled) return 'number'
    if (this.#dates === this.#filled) return 'date'
    const few =
      this.#values.size <= CATEGORY_VALUES_LIMIT && this.#values.size <= this.#filled * CATEGORY_SHARE
    return few && meanLength <= CATEGORY_LENGTH ? 'category' : 'text'
  }
}

/** The part of a profile that a dataset keeps. */
export function columnOf({ name, type, missing, distinct, meanLength }: ColumnProfile): Column {
  return { name, type, missing, distinct, meanLength }
}
