// A table in text form (RFC 4180 and what people make of it) as a stream of rows. PapaParse's core cuts text into cells;
// around it: pieces of any size, every kind of line end, line numbers, and faults of the file as problems, not failures.
import Papa from 'papaparse'
import type { Problem } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import {
  CELL_CHARACTERS_LIMIT,
  COLUMNS_LIMIT,
  GUESS_CHARACTERS,
  RECOVERIES_LIMIT,
  ROW_CHARACTERS_LIMIT,
} from './csvLimits.ts'
import { guessDelimiter } from './delimiter.ts'
import { headerNames } from './headerNames.ts'
import { notATable } from './text.ts'

export * from './csvLimits.ts'

export interface CsvOptions {
  /** Guessed from the first rows when absent. */
  delimiter?: string
  /** Whether the first row names the columns; default true. */
  header?: boolean
  /** The file's name, for error messages. */
  name?: string
  onProblem?: (problem: Problem) => void
}

interface ParsedRows {
  data: string[][]
  errors: { code: string; row?: number }[]
  meta: { cursor: number }
}

/**
 * Feeds on text, gives rows; every row has as many cells as there are columns. `push` and `end` throw E_NOT_A_TABLE for
 * text that is no table and E_LIMIT for one with too many columns; anything else wrong is reported to `onProblem`.
 */
export class CsvParser {
  /** Names of the columns; empty until the first row has been seen. */
  columns: string[] = []
  delimiter: string
  readonly #options: CsvOptions
  readonly #name: string
  #started = false
  #text = ''
  /** A carriage return at the end of a piece: it may be half of a line end. */
  #heldReturn = false
  #line = 1
  #recoveries = 0
  #damagedCharacters = false

  constructor(options: CsvOptions = {}) {
    if (options.delimiter !== undefined && (options.delimiter === '' || /["\r\n]/.test(options.delimiter)))
      throw new GraftError(
        'E_ARGUMENT',
        'The delimiter must be a character that is no quote and no line end.',
      )
    this.#options = options
    this.#name = options.name ?? 'The file'
    this.delimiter = options.delimiter ?? ''
  }

  /** Rows that are complete after this piece of text. */
  push(piece: string): string[][] {
    this.#append(piece)
    if (!this.#started) {
      if (this.#text.length < GUESS_CHARACTERS) return []
      this.#start(false)
    }
    return this.#rows(false)
  }

  /** The remaining rows. */
  end(): string[][] {
    if (this.#heldReturn) this.#text += '\n'
    this.#heldReturn = false
    if (!this.#started) this.#start(true)
    const rows = this.#rows(true)
    if (this.columns.length === 0)
      throw notATable(`${this.#name} is empty. Choose a file with a header and rows.`)
    return rows
  }

  /** Adds text with every line end (CRLF, CR, LF) as LF; files mix them. */
  #append(piece: string): void {
    let text = this.#heldReturn ? `\r${piece}` : piece
    this.#heldReturn = text.endsWith('\r')
    if (this.#heldReturn) text = text.slice(0, -1)
    if (text.includes('\r')) text = text.replace(/\r\n?/g, '\n')
    if (!this.#damagedCharacters && text.includes('\uFFFD')) this.#damagedCharacters = true
    this.#text += text
  }

  #start(whole: boolean): void {
    this.#started = true
    if (this.#text.startsWith('\uFEFF')) this.#text = this.#text.slice(1)
    refuseOtherText(this.#text, this.#name)
    this.delimiter ||= guessDelimiter(this.#text.slice(0, GUESS_CHARACTERS), whole)
  }

  #rows(final: boolean): string[][] {
    const out: string[][] = []
    for (;;) {
      const complete = this.#parse(true)
      this.#accept(complete, out)
      this.#text = this.#text.slice(complete.meta.cursor)
      if (final && this.#text !== '') {
        const last = this.#parse(false)
        if (!last.errors.some(({ code }) => code === 'MissingQuotes')) {
          this.#accept(last, out)
          this.#text = ''
        }
      }
      if (this.#text === '' || (!final && this.#text.length <= ROW_CHARACTERS_LIMIT)) return out
      this.#recover(out)
    }
  }

  #parse(ignoreLastRow: boolean): ParsedRows {
    const parser = new Papa.Parser({
      delimiter: this.delimiter,
      newline: '\n',
      // After many quotes that are never closed, quotes are no longer read as such.
      ...(this.#recoveries >= RECOVERIES_LIMIT ? { fastMode: true } : {}),
    })
    return parser.parse(this.#text, 0, ignoreLastRow) as ParsedRows
  }

  #accept({ data, errors }: ParsedRows, out: string[][]): void {
    const badQuotes = new Set(errors.map(({ row }) => row))
    for (const [index, cells] of data.entries()) {
      if (badQuotes.has(index))
        this.#problem(
          'quote',
          'A quote inside a quoted cell is not doubled; the cell was taken as it stands.',
        )
      this.#row(cells, out)
    }
  }

  /** A quote is opened and never closed: its line is taken as it stands, and reading goes on with the next. */
  #recover(out: string[][]): void {
    const end = this.#text.indexOf('\n')
    const line = end < 0 ? this.#text : this.#text.slice(0, end)
    this.#text = end < 0 ? '' : this.#text.slice(end + 1)
    this.#recoveries++
    this.#problem(
      'quote',
      this.#recoveries === RECOVERIES_LIMIT
        ? 'Too many quotes are opened and never closed; from here on quotes are taken as plain characters.'
        : 'A quote is opened and never closed; the line was taken as it stands.',
    )
    this.#row(
      line.split(this.delimiter).map((cell) => cell.replace(/^"/, '')),
      out,
    )
  }

  #row(cells: string[], out: string[][]): void {
    const line = this.#line
    this.#line += 1
    for (const cell of cells) if (cell.includes('\n')) this.#line += cell.split('\n').length - 1
    if (cells.length === 1 && cells[0] === '') return
    const report = (kind: Problem['kind'], message: string): void => this.#problem(kind, message, line)

    if (this.columns.length === 0) {
      if (cells.length > COLUMNS_LIMIT)
        throw new GraftError(
          'E_LIMIT',
          `${this.#name} has ${cells.length} columns; at most ${COLUMNS_LIMIT} are taken. Remove columns and import it again.`,
          { columns: cells.length, limit: COLUMNS_LIMIT },
        )
      const named = this.#options.header ?? true
      this.columns = headerNames(named ? cells : cells.map(() => ''), named ? report : () => undefined)
      if (named) return
    }
    const width = this.columns.length
    if (cells.every((cell) => cell.trim() === '')) {
      report('empty', 'All cells of this row are empty; it was left out.')
      return
    }
    if (cells.length !== width) {
      const has = `This row has ${cells.length} ${cells.length === 1 ? 'cell' : 'cells'} where ${width} are expected`
      report(
        'ragged',
        cells.length < width ? `${has}; the missing ones are empty.` : `${has}; the rest was left out.`,
      )
    }
    out.push(Array.from({ length: width }, (_, i) => this.#cell(cells[i] ?? '', i, report)))
  }

  #cell(cell: string, index: number, report: (kind: Problem['kind'], message: string) => void): string {
    if (this.#damagedCharacters && cell.includes('\uFFFD'))
      report(
        'encoding',
        `Some characters of "${this.columns[index]}" could not be read. Save the file as UTF-8.`,
      )
    if (cell.length <= CELL_CHARACTERS_LIMIT) return cell
    report(
      'limit',
      `The cell "${this.columns[index]}" has ${cell.length} characters; it was cut to ${CELL_CHARACTERS_LIMIT}.`,
    )
    return cell.slice(0, CELL_CHARACTERS_LIMIT)
  }

  #problem(kind: Problem['kind'], message: string, line = this.#line): void {
    this.#options.onProblem?.({ kind, line, message })
  }
}

/** Text that is something else than a table, by how it begins. */
function refuseOtherText(text: string, name: string): void {
  const start = text.slice(0, 1000).trimStart()
  if (start === '' && text.trim() === '')
    throw notATable(`${name} is empty. Choose a file with a header and rows.`)
  if (/^(\{\s*["}]|\[\s*[[{"])/.test(start))
    throw notATable(`${name} looks like JSON, not like a table. Save it as CSV.`)
  if (/^<(!doctype|html|\?xml|svg)/i.test(start))
    throw notATable(`${name} looks like a web page or XML, not like a table. Save it as CSV.`)
}
