// A table in text form (RFC 4180 and what people make of it) as a stream of rows: pieces of any size, every kind of line
// end, line numbers, and faults of the file as problems, not failures. csvScan.ts cuts the text into cells.
import type { Problem } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import {
  CELL_CHARACTERS_LIMIT,
  COLUMNS_LIMIT,
  GUESS_CHARACTERS,
  RECOVERIES_LIMIT,
  ROW_CHARACTERS_LIMIT,
} from './csvLimits.ts'
import { CsvScanner, type ScannedRow } from './csvScan.ts'
import { unguarded } from './csvWrite.ts'
import { guessDelimiter } from './delimiter.ts'
import { headerNames } from './headerNames.ts'
import { notATable } from './text.ts'

export * from './csvLimits.ts'

export interface CsvOptions {
  /** Guessed from the first rows when absent. */
  delimiter?: string
  /** Whether the first row names the columns; default true. */
  header?: boolean
  /** The character around cells; '' where quotes are plain characters. Default `"`. */
  quote?: string
  /** Whether the apostrophe that guards a cell against being a formula is taken off; default false. */
  guarded?: boolean
  /** The file's name, for error messages. */
  name?: string
  onProblem?: (problem: Problem) => void
}

/**
 * Feeds on text, gives rows; every row has as many cells as there are columns. `push` and `end` throw E_NOT_A_TABLE for
 * text that is no table and E_LIMIT for one with too many columns; anything else wrong is reported to `onProblem`.
 */
export class CsvParser {
  /** Names of the columns; empty until the first row has been seen. */
  columns: string[] = []
  delimiter: string
  readonly quote: string
  readonly #options: CsvOptions
  readonly #name: string
  /** What comes before the delimiter is known. */
  #held = ''
  #scanner: CsvScanner | null = null
  /** The rest of a row that is too long streams by. */
  #skipping = false
  #line = 1
  #recoveries = 0
  #damagedCharacters = false

  constructor(options: CsvOptions = {}) {
    if (
      options.delimiter !== undefined &&
      (options.delimiter === '' ||
        /[\r\n]/.test(options.delimiter) ||
        options.delimiter.includes(options.quote || '"'))
    )
      throw new GraftError(
        'E_ARGUMENT',
        'The delimiter must be a character that is no quote and no line end.',
      )
    if (options.quote !== undefined && !/^[^\r\n]?$/.test(options.quote))
      throw new GraftError('E_ARGUMENT', 'The quote must be one character, or none.')
    this.#options = options
    this.quote = options.quote ?? '"'
    this.#name = options.name ?? 'The file'
    this.delimiter = options.delimiter ?? ''
  }

  /** Rows that are complete after this piece of text. */
  push(piece: string): string[][] {
    if (!this.#damagedCharacters && piece.includes('\uFFFD')) this.#damagedCharacters = true
    if (this.#scanner) this.#scanner.append(piece)
    else {
      this.#held += piece
      if (this.#held.length < GUESS_CHARACTERS) return []
      this.#start(false)
    }
    return this.#rows(false)
  }

  /** The remaining rows. */
  end(): string[][] {
    if (!this.#scanner) this.#start(true)
    const rows = this.#rows(true)
    if (this.columns.length === 0)
      throw notATable(`${this.#name} is empty. Choose a file with a header and rows.`)
    return rows
  }

  #start(whole: boolean): void {
    const text = this.#held.startsWith('\uFEFF') ? this.#held.slice(1) : this.#held
    this.#held = ''
    refuseOtherText(text, this.#name)
    const sample = text.slice(0, GUESS_CHARACTERS)
    this.delimiter ||= guessDelimiter(sample.replace(/\r\n?/g, '\n'), whole, this.quote)
    this.#scanner = new CsvScanner(this.delimiter, this.quote)
    this.#scanner.append(text)
  }

  #rows(final: boolean): string[][] {
    const out: string[][] = []
    const scanner = this.#scanner!
    if (this.#skipping && !this.#skip(scanner)) return out
    for (;;) {
      const stop = scanner.rows(final, (row) => this.#scanned(row, out))
      if (stop === 'end' || (stop === 'partial' && scanner.left <= ROW_CHARACTERS_LIMIT)) return out
      this.#recover(scanner, out)
      if (this.#skipping && !this.#skip(scanner)) return out
    }
  }

  #scanned({ cells, lineEnds, badQuote }: ScannedRow, out: string[][]): void {
    if (badQuote)
      this.#problem('quote', 'A quote inside a quoted cell is not doubled; the cell was taken as it stands.')
    const line = this.#line
    this.#line += 1 + lineEnds
    this.#row(cells, line, out)
  }

  /** A quote is opened and never closed: its line is taken as it stands, and reading goes on with the next. */
  #recover(scanner: CsvScanner, out: string[][]): void {
    const line = scanner.takeLine(ROW_CHARACTERS_LIMIT)
    const number = this.#line
    if (line === null) {
      this.#problem(
        'limit',
        `The row has more than ${ROW_CHARACTERS_LIMIT.toLocaleString('en')} characters; the rest of its line was left out.`,
      )
      this.#skipping = true
    } else {
      this.#line++
      this.#recoveries++
      this.#problem(
        'quote',
        this.#recoveries === RECOVERIES_LIMIT
          ? 'Too many quotes are opened and never closed; from here on quotes are taken as plain characters.'
          : 'A quote is opened and never closed; the line was taken as it stands.',
        number,
      )
      if (this.#recoveries === RECOVERIES_LIMIT) scanner.quote = ''
    }
    const taken = line ?? scanner.take(ROW_CHARACTERS_LIMIT)
    const cells = taken.split(this.delimiter)
    const { quote } = this
    this.#row(
      quote === '' ? cells : cells.map((cell) => (cell.startsWith(quote) ? cell.slice(quote.length) : cell)),
      number,
      out,
    )
  }

  /** Passes over the rest of a line; true once its end has come. */
  #skip(scanner: CsvScanner): boolean {
    if (!scanner.skipLine()) return false
    this.#skipping = false
    this.#line++
    return true
  }

  #row(cells: string[], line: number, out: string[][]): void {
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
      this.columns = headerNames(
        named ? (this.#options.guarded ? cells.map(unguarded) : cells) : cells.map(() => ''),
        named ? report : () => undefined,
      )
      if (named) return
    }
    const width = this.columns.length
    if (isBlank(cells)) {
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
    if (cells.length > width) cells.length = width
    while (cells.length < width) cells.push('')
    if (this.#options.guarded) for (let i = 0; i < width; i++) cells[i] = unguarded(cells[i]!)
    const damaged = this.#damagedCharacters
    for (let i = 0; i < width; i++)
      if (damaged || cells[i]!.length > CELL_CHARACTERS_LIMIT) cells[i] = this.#checked(cells[i]!, i, report)
    out.push(cells)
  }

  #checked(cell: string, index: number, report: (kind: Problem['kind'], message: string) => void): string {
    if (cell.includes('\uFFFD'))
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

function isBlank(cells: readonly string[]): boolean {
  for (const cell of cells) if (cell !== '' && (cell.charCodeAt(0) > 0x20 || cell.trim() !== '')) return false
  return true
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
