// A table in JSON as a stream of rows: a list of objects, an object that holds one, or one object a line (JSON Lines).
// Rows may have different keys: the columns are all of them, in the order of their first appearance. What is nested stays
// JSON, as the text of one cell. Faults of the file are problems, not failures.
import type { FileFormat, Problem } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import { CELL_CHARACTERS_LIMIT, COLUMNS_LIMIT, GUESS_LENGTH } from './csvLimits.ts'
import { ElementSplitter, LineSplitter, type Element, type Splitter } from './jsonElements.ts'
import { JSON_DEPTH_LIMIT, JSON_ROW_CHARACTERS_LIMIT, ROW_LIST_KEYS } from './jsonLimits.ts'
import { depthWithin, minified, objectFields, skipSpace, stringEnd } from './jsonText.ts'
import { notATable } from './text.ts'

export * from './jsonLimits.ts'

const LINES_NAME = /\.(jsonl|ndjson)$/i
const ANY_NAME = /\.(json|jsonl|ndjson)$/i
const EXPECTED =
  'Expected is a list like [{"text": "..."}, ...], an object like {"data": [...]}, or one object a line.'

/** Whether text is JSON, by how it begins; the file's name only decides where that is no clear beginning. */
export function looksLikeJson(sample: string, name: string): boolean {
  const start = sample
    .slice(0, 1000)
    .replace(/^\uFEFF/, '')
    .trimStart()
  return /^(\{\s*["}]|\[\s*[[{"\]])/.test(start) || (ANY_NAME.test(name) && /^\s*[[{]/m.test(start))
}

export interface JsonOptions {
  /** The file's name, for error messages and for what its ending says. */
  name?: string
  onProblem?: (problem: Problem) => void
}

/**
 * Feeds on text, gives rows; a row has a cell for each column known so far, so later rows may be longer. `push` and `end`
 * throw E_NOT_A_TABLE for JSON that holds no rows and E_LIMIT for too many columns; other faults go to `onProblem`.
 */
export class JsonParser {
  /** Names of the columns so far. */
  readonly columns: string[] = []
  readonly #places = new Map<string, number>()
  readonly #name: string
  readonly #onProblem: (problem: Problem) => void
  #splitter: Splitter | null = null
  #format: FileFormat = 'jsonl'
  #held = ''
  #lone = false
  #elements = 0
  #rows = 0
  #firstFault: string | null = null

  constructor({ name = 'The file', onProblem = () => undefined }: JsonOptions = {}) {
    this.#name = name
    this.#onProblem = onProblem
  }

  /** Known once rows have come out. */
  get format(): FileFormat {
    return this.#format
  }

  push(piece: string): string[][] {
    if (this.#splitter) return this.#take(this.#splitter.push(piece))
    this.#held += piece
    return this.#held.length < GUESS_LENGTH ? [] : this.#start(false)
  }

  end(): string[][] {
    const rows = this.#splitter ? [] : this.#start(true)
    rows.push(...this.#take(this.#splitter!.end()))
    if (this.#rows === 0)
      throw notATable(
        `${this.#name} is JSON without any row${this.#firstFault ? `: ${this.#firstFault}` : '.'} ${EXPECTED}`,
      )
    if (this.#lone && this.#elements === 1)
      throw notATable(`${this.#name} holds a single object, not a list of rows. ${EXPECTED}`)
    return rows
  }

  #start(whole: boolean): string[][] {
    const text = this.#held.replace(/^\uFEFF/, '')
    this.#held = ''
    const { splitter, rest, format, lone } = layoutOf(text, whole, this.#name)
    this.#splitter = splitter
    this.#format = format
    this.#lone = lone ?? false
    return this.#take(splitter.push(rest))
  }

  #take(elements: Element[]): string[][] {
    const rows: string[][] = []
    for (const element of elements) {
      this.#elements++
      const row = this.#row(element)
      if (row === null) continue
      this.#rows++
      rows.push(row)
    }
    return rows
  }

  #row({ text, line, fault }: Element): string[] | null {
    const report = (kind: Problem['kind'], message: string): null => {
      this.#firstFault ??= `line ${line}: ${message}`
      this.#onProblem({ kind, line, message })
      return null
    }
    if (fault === 'long')
      return report(
        'limit',
        `The row has more than ${JSON_ROW_CHARACTERS_LIMIT.toLocaleString('en')} characters; it was left out.`,
      )
    if (fault === 'open') return report('json', 'What begins here never ends; it was left out.')
    if (!depthWithin(text, JSON_DEPTH_LIMIT))
      return report('limit', `The row is nested more than ${JSON_DEPTH_LIMIT} deep; it was left out.`)
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      return report('json', `This is not valid JSON (${reason(error)}); it was left out.`)
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return report('json', 'This is no object with named values; it was left out.')
    return this.#cells(rowFields(text), report)
  }

  #cells(
    fields: [string, string][],
    report: (kind: Problem['kind'], message: string) => null,
  ): string[] | null {
    const cells = this.columns.map(() => '')
    const seen = new Set<string>()
    for (const [key, value] of fields) {
      if (seen.has(key)) report('header', `"${key}" is given twice in this row; the last one was taken.`)
      seen.add(key)
      cells[this.#place(key)] = this.#cell(key, value, report)
    }
    if (cells.every((cell) => cell.trim() === ''))
      return report('empty', 'All values of this row are empty; it was left out.')
    // A column that this row began has no cell before it, so there are no holes.
    return cells
  }

  #place(key: string): number {
    const known = this.#places.get(key)
    if (known !== undefined) return known
    const place = this.columns.length
    if (place === COLUMNS_LIMIT)
      throw new GraftError(
        'E_LIMIT',
        `${this.#name} has more than ${COLUMNS_LIMIT} different keys in its rows; at most ${COLUMNS_LIMIT} are taken as columns. Give every row the same keys and import it again.`,
        { limit: COLUMNS_LIMIT },
      )
    this.#places.set(key, place)
    let name = key.trim() === '' ? `column ${place + 1}` : key
    for (let n = 2; this.columns.includes(name); n++) name = `${key} (${n})`
    this.columns.push(name)
    return place
  }

  #cell(key: string, value: string, report: (kind: Problem['kind'], message: string) => null): string {
    const nested = value.startsWith('{') || value.startsWith('[')
    const text = nested
      ? minified(value)
      : value.startsWith('"')
        ? (JSON.parse(value) as string)
        : value === 'null'
          ? ''
          : value
    if (text.includes('\uFFFD'))
      report('encoding', `Some characters of "${key}" could not be read. Save the file as UTF-8.`)
    if (text.length <= CELL_CHARACTERS_LIMIT) return text
    const has = `The value "${key}" has ${text.length} characters; `
    report('limit', `${has}${nested ? 'it was left empty' : `it was cut to ${CELL_CHARACTERS_LIMIT}`}.`)
    return nested ? '' : text.slice(0, CELL_CHARACTERS_LIMIT)
  }
}

/** The keys and values of a row; the Hub's viewer wraps each row in an object with its number. */
function rowFields(text: string): [string, string][] {
  const fields = objectFields(text)
  if (!fields.some(([key]) => key === 'row_idx')) return fields
  const row = fields.find(([key, value]) => key === 'row' && value.startsWith('{'))
  return row ? objectFields(row[1]) : fields
}

interface Layout {
  splitter: Splitter
  /** The text without what stands before the rows. */
  rest: string
  format: FileFormat
  /** Whether one element alone is no table. */
  lone?: boolean
}

/** How the rows stand in the file, by its beginning. */
function layoutOf(text: string, whole: boolean, name: string): Layout {
  const begin = skipSpace(text, 0)
  const inside = (at: number): Layout => ({
    splitter: new ElementSplitter(true, text.slice(0, at).split('\n').length),
    rest: text.slice(at),
    format: 'json',
  })
  const lines: Layout = { splitter: new LineSplitter(), rest: text, format: 'jsonl' }
  if (text[begin] === '[') return inside(begin + 1)
  if (text[begin] !== '{' || LINES_NAME.test(name)) return lines

  const lineEnd = text.indexOf('\n', begin)
  const first = text.slice(begin, lineEnd < 0 ? undefined : lineEnd)
  const complete = (lineEnd >= 0 || whole) && isObject(first)
  const next = lineEnd < 0 ? text.length : skipSpace(text, lineEnd)
  const more = next < text.length || !whole
  if (complete && lineEnd >= 0 && more) return lines
  const list = rowList(text, begin)
  if (list !== null) return inside(list)
  if (complete) return { ...lines, format: 'json', lone: true }
  // One line that is no object, and another that begins like one: JSON Lines with a bad first line.
  if (lineEnd < 0 || (text[next] === '{' && !/[[{,:]\s*$/.test(first))) return lines
  return { splitter: new ElementSplitter(false), rest: text, format: 'json', lone: true }
}

/** The index after the bracket that opens the list of rows in an object, or null. The text may end early. */
function rowList(text: string, begin: number): number | null {
  let depth = 0
  for (let at = begin; at < text.length; at++) {
    const char = text[at]
    if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') depth--
    else if (char === '"') {
      const end = stringEnd(text, at)
      if (end < 0) return null
      const colon = skipSpace(text, end + 1)
      const key = text.slice(at + 1, end)
      at = end
      if (depth !== 1 || text[colon] !== ':' || !ROW_LIST_KEYS.includes(key)) continue
      const open = skipSpace(text, colon + 1)
      if (text[open] === '[' && '{]'.includes(text[skipSpace(text, open + 1)] ?? ' ')) return open + 1
    }
  }
  return null
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

/** What JSON.parse says, in one short line. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message
    .replace(/^JSON\.parse: /, '')
    .replace(/\s+/g, ' ')
    .slice(0, 100)
}
