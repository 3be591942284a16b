// A table in text form (RFC 4180 and what people make of it) as a stream of rows: pieces of any size, every kind of line
// end, line numbers, and faults of the file as problems, not failures. csvScan.ts cuts the bytes into cells.
import { isAscii, textOf, type Rows } from '../protocol/byteRows.ts'
import type { Problem } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import {
  CELL_CHARACTERS_LIMIT,
  COLUMNS_LIMIT,
  GUESS_LENGTH,
  RECOVERIES_LIMIT,
  ROW_BYTES_LIMIT,
} from './csvLimits.ts'
import { CsvScanner } from './csvScan.ts'
import { GUARDED, unguarded } from './csvWrite.ts'
import { guessDelimiter } from './delimiter.ts'
import { headerNames } from './headerNames.ts'
import { concat, notATable } from './text.ts'

export * from './csvLimits.ts'

const [SPACE, APOSTROPHE] = [0x20, 0x27]

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
 * Feeds on text as UTF-8, gives rows; every row has as many cells as there are columns. `push` and `end` throw E_NOT_A_TABLE for
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
  #held: Uint8Array[] = []
  #heldBytes = 0
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

  /** Rows that are complete after this piece of UTF-8, which ends with a character. They are read before the next piece comes. */
  push(piece: Uint8Array, ascii = isAscii(piece)): Rows {
    if (!this.#damagedCharacters && !ascii && holdsReplacement(piece)) this.#damagedCharacters = true
    if (this.#scanner) this.#scanner.append(piece, ascii)
    else {
      this.#held.push(piece)
      this.#heldBytes += piece.length
      if (this.#heldBytes < GUESS_LENGTH) return []
      this.#start(false)
    }
    return this.#rows(false)
  }

  /** The remaining rows. */
  end(): Rows {
    if (this.#scanner) this.#scanner.append(new Uint8Array(0), true)
    else this.#start(true)
    const rows = this.#rows(true)
    if (this.columns.length === 0)
      throw notATable(`${this.#name} is empty. Choose a file with a header and rows.`)
    return rows
  }

  #start(whole: boolean): void {
    let bytes = concat(this.#held, this.#heldBytes)
    this.#held = []
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3)
    const sample = textOf(bytes.subarray(0, GUESS_LENGTH))
    refuseOtherText(sample.trim() === '' ? textOf(bytes) : sample, this.#name)
    this.delimiter ||= guessDelimiter(sample.replace(/\r\n?/g, '\n'), whole, this.quote)
    this.#scanner = new CsvScanner(this.delimiter, this.quote)
    this.#scanner.append(bytes, isAscii(bytes))
  }

  #rows(final: boolean): Rows {
    const scanner = this.#scanner!
    const onRow = (first: number): void => this.#scanned(scanner, first)
    while (!this.#skipping || this.#skip(scanner)) {
      const stop = scanner.rows(final, onRow)
      if (stop === 'end' || (stop === 'partial' && scanner.left <= ROW_BYTES_LIMIT)) break
      this.#recover(scanner)
    }
    const { count, bytes, ends, ascii } = scanner
    if (count === 0) return []
    return {
      width: this.columns.length,
      bytes: bytes.subarray(0, ends[count - 1]),
      ends: ends.subarray(0, count),
      ascii,
    }
  }

  #scanned(scanner: CsvScanner, first: number): void {
    if (scanner.badQuote)
      this.#problem('quote', 'A quote inside a quoted cell is not doubled; the cell was taken as it stands.')
    const line = this.#line
    this.#line += 1 + scanner.lineEnds
    this.#row(scanner, first, line)
  }

  /** A quote is opened and never closed: its line is taken as it stands, and reading goes on with the next. */
  #recover(scanner: CsvScanner): void {
    const first = scanner.count
    const number = this.#line
    if (scanner.plainLine(ROW_BYTES_LIMIT)) {
      this.#line++
      this.#recoveries++
      this.#problem(
        'quote',
        this.#recoveries === RECOVERIES_LIMIT
          ? 'Too many quotes are opened and never closed; from here on quotes are taken as plain characters.'
          : 'A quote is opened and never closed; the line was taken as it stands.',
        number,
      )
      if (this.#recoveries === RECOVERIES_LIMIT) scanner.dropQuotes()
    } else {
      this.#problem(
        'limit',
        `The row has more than ${ROW_BYTES_LIMIT.toLocaleString('en')} bytes; the rest of its line was left out.`,
      )
      this.#skipping = true
    }
    this.#row(scanner, first, number)
  }

  /** Passes over the rest of a line; true once its end has come. */
  #skip(scanner: CsvScanner): boolean {
    if (!scanner.skipLine()) return false
    this.#skipping = false
    this.#line++
    return true
  }

  /** Makes the cells from `first` on a row as wide as the table, or takes them away again. */
  #row(scanner: CsvScanner, first: number, line: number): void {
    const cells = scanner.count - first
    const blank = isBlank(scanner, first)
    if (blank && cells === 1 && scanner.start(first) === scanner.ends[first]) {
      scanner.keep(first)
      return
    }
    const report = (kind: Problem['kind'], message: string): void => this.#problem(kind, message, line)

    if (this.columns.length === 0) {
      if (cells > COLUMNS_LIMIT)
        throw new GraftError(
          'E_LIMIT',
          `${this.#name} has ${cells} columns; at most ${COLUMNS_LIMIT} are taken. Remove columns and import it again.`,
          { columns: cells, limit: COLUMNS_LIMIT },
        )
      const named = this.#options.header ?? true
      const names = Array.from({ length: cells }, (_, i) => (named ? scanner.cell(first + i) : ''))
      this.columns = headerNames(
        this.#options.guarded ? names.map(unguarded) : names,
        named ? report : () => undefined,
      )
      if (named) {
        scanner.keep(first)
        return
      }
    }
    const width = this.columns.length
    if (blank) {
      report('empty', 'All cells of this row are empty; it was left out.')
      scanner.keep(first)
      return
    }
    if (cells !== width) {
      const has = `This row has ${cells} ${cells === 1 ? 'cell' : 'cells'} where ${width} are expected`
      report(
        'ragged',
        cells < width ? `${has}; the missing ones are empty.` : `${has}; the rest was left out.`,
      )
      if (cells > width) scanner.keep(first + width)
      else scanner.widen(first + width)
    }
    if (this.#options.guarded) unguard(scanner, first)
    const damaged = this.#damagedCharacters
    const long = scanner.ends[first + width - 1]! - scanner.start(first) > CELL_CHARACTERS_LIMIT
    if (damaged || long)
      for (let i = 0; i < width; i++) this.#check(scanner, first + i, this.columns[i]!, report)
  }

  #check(
    scanner: CsvScanner,
    place: number,
    name: string,
    report: (kind: Problem['kind'], message: string) => void,
  ): void {
    const cell = scanner.cell(place)
    if (cell.includes('\uFFFD'))
      report('encoding', `Some characters of "${name}" could not be read. Save the file as UTF-8.`)
    if (cell.length <= CELL_CHARACTERS_LIMIT) return
    report(
      'limit',
      `The cell "${name}" has ${cell.length} characters; it was cut to ${CELL_CHARACTERS_LIMIT}.`,
    )
    // Half of a pair is no character.
    const kept = cell.slice(0, CELL_CHARACTERS_LIMIT).replace(/[\ud800-\udbff]$/, '')
    const from = scanner.start(place) + new TextEncoder().encode(kept).length
    scanner.cut(place, from, scanner.ends[place]!)
  }

  #problem(kind: Problem['kind'], message: string, line = this.#line): void {
    this.#options.onProblem?.({ kind, line, message })
  }
}

function isBlank(scanner: CsvScanner, first: number): boolean {
  const { bytes, ends, count } = scanner
  for (let i = first, start = scanner.start(first); i < count; i++) {
    const end = ends[i]!
    const code = start < end ? bytes[start]! : SPACE
    if ((code > SPACE && code < 0x80) || (start < end && scanner.cell(i).trim() !== '')) return false
    start = end
  }
  return true
}

/** Takes the apostrophes of guarded cells off. */
function unguard(scanner: CsvScanner, first: number): void {
  for (let i = first; i < scanner.count; i++) {
    const start = scanner.start(i)
    if (scanner.bytes[start] === APOSTROPHE && GUARDED.test(scanner.cell(i))) scanner.cut(i, start, start + 1)
  }
}

/** Whether there is a U+FFFD: what a decoder makes of bytes that are no character. */
function holdsReplacement(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(0xef); at >= 0; at = bytes.indexOf(0xef, at + 1))
    if (bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd) return true
  return false
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
