// Files of any kind as one stream of rows: what each is, is told by its first bytes unless the user says so. Tables in text
// form stream through a decoder and a parser; Parquet and zip archives are read where they are.
import { rowCount, textOf, type Rows } from '../../src/protocol/byteRows.ts'
import type { Encoding, ImportOptions, TextUnit } from '../../src/protocol/bringIn.ts'
import type { FileFormat, Problem } from '../../src/protocol/data.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import { CsvParser } from '../../src/formats/csv.ts'
import { JsonParser, looksLikeJson } from '../../src/formats/json.ts'
import { isParquet, openParquet } from '../../src/formats/parquetRead.ts'
import { PlainTextParser, type Weigh } from '../../src/formats/plainText.ts'
import { TextReader } from '../../src/formats/text.ts'
import { pieces, type Spare } from './pieces.ts'
import { isZip, zippedRows } from './zipped.ts'

/** Bytes of each file that a preview reads. */
export const PREVIEW_BYTES = 256 * 1024
/** Files of one import. */
export const FILES_LIMIT = 1000

const TEXT_NAME = /\.(txt|text|md|markdown|rst|log)$/i

export interface SourceOptions extends ImportOptions {
  onProblem: (problem: Problem) => void
  /** Told how many bytes of the file have been read. */
  onBytes?: (bytes: number) => void
  /**
   * Given the bytes of a file that is read from end to end, in their order, for good: they have become rows. Reading goes on
   * when it resolves.
   */
  onRead?: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>
  /** Buffers of such bytes, once they are done with. */
  spare?: Spare
  signal?: AbortSignal
  /** Only the beginning is read: PREVIEW_BYTES unless it says otherwise, or so many rows of what is not read byte by byte. */
  preview?: { rows: number; bytes?: number }
  weigh?: Weigh
}

/** How a file was read; complete once its rows have come. */
export interface Reading {
  format: FileFormat
  encoding: Encoding | null
  delimiter: string
  unit: TextUnit | null
  columns: readonly string[]
  /** Whether the rows ended because the file did. */
  complete: boolean
  confidence: { format: number; encoding: number; delimiter: number }
}

/**
 * The rows of a file in batches, each to be read before the next is asked for; `reading` is filled while they come. Throws as
 * the parsers do, and E_NOT_FOUND for a file that is no longer as it was chosen.
 */
export async function* fileRows(file: File, options: SourceOptions, reading: Reading): AsyncGenerator<Rows> {
  try {
    yield* rowsOf(file, options, reading)
  } catch (error) {
    if (!UNREADABLE.has((error as Error).name)) throw error
    throw new GraftError(
      'E_NOT_FOUND',
      `${file.name} can no longer be read: it was changed, moved or removed after it was chosen. Choose it again.`,
      { file: file.name },
      { cause: error },
    )
  }
}

/** What browsers call it when a file is not as it was when it was chosen. */
const UNREADABLE = new Set(['NotReadableError', 'NotFoundError'])

async function* rowsOf(file: File, options: SourceOptions, reading: Reading): AsyncGenerator<Rows> {
  const beginning = new Uint8Array(await file.slice(0, 4).arrayBuffer())
  if (options.format === 'parquet' || (options.format === undefined && isParquet(beginning)))
    yield* parquetRows(file, options, reading)
  else if (options.format === 'zip' || (options.format === undefined && isZip(beginning)))
    yield* zippedRows(file, options, reading)
  else yield* textRows(file, options, reading)
}

export function newReading(): Reading {
  return {
    format: 'csv',
    encoding: null,
    delimiter: '',
    unit: null,
    columns: [],
    complete: true,
    confidence: { format: 1, encoding: 1, delimiter: 1 },
  }
}

async function* parquetRows(
  file: File,
  options: SourceOptions,
  reading: Reading,
): AsyncGenerator<string[][]> {
  const table = await openParquet(file, { name: file.name, onProblem: options.onProblem })
  Object.assign(reading, { format: 'parquet', columns: table.columns } satisfies Partial<Reading>)
  const limit = options.preview?.rows
  reading.complete = limit === undefined || limit >= table.rows
  for await (const rows of table.batches(limit, options.onBytes)) {
    throwIfAborted(options.signal)
    yield rows.filter((cells) => cells.some((cell) => cell.trim() !== ''))
  }
}

type TextParser = CsvParser | JsonParser | PlainTextParser

async function* textRows(file: File, options: SourceOptions, reading: Reading): AsyncGenerator<Rows> {
  const reader = new TextReader(file.name, options.encoding)
  let parser: TextParser | null = null
  const parse = (utf8: Uint8Array): Rows => {
    parser ??= openParser(textOf(utf8), file.name, options)
    const rows = parser instanceof CsvParser ? parser.push(utf8, reader.ascii) : parser.push(textOf(utf8))
    describe(parser, reader, reading)
    return rows
  }
  const length = options.preview ? Math.min(file.size, options.preview.bytes ?? PREVIEW_BYTES) : file.size
  reading.complete = length === file.size
  let done = 0
  for await (const bytes of pieces(file.slice(0, length), options.spare)) {
    throwIfAborted(options.signal)
    const utf8 = reader.push(bytes)
    const rows = utf8.length > 0 ? parse(utf8) : []
    done += bytes.length
    options.onBytes?.(done)
    if (rowCount(rows) > 0) yield rows
    await options.onRead?.(bytes)
  }
  // Of a file that goes on, the last row is cut, unless nothing else is there to be shown.
  const last = reading.complete || parser === null
  const rest = parse(reader.end())
  if (rowCount(rest) > 0) yield rest
  const rows = last ? parser!.end() : []
  describe(parser!, reader, reading)
  if (rowCount(rows) > 0) yield rows
}

/** The first text is long enough to tell (SAMPLE_BYTES of text.ts), or the whole file. */
function openParser(text: string, name: string, options: SourceOptions): TextParser {
  const settings = { ...options, name }
  switch (options.format ?? guessFormat(text, name, options)) {
    case 'json':
    case 'jsonl':
      return new JsonParser(settings)
    case 'text':
      return new PlainTextParser(settings)
    default:
      return new CsvParser(settings)
  }
}

function guessFormat(text: string, name: string, options: ImportOptions): FileFormat {
  if (options.delimiter !== undefined) return 'csv'
  if (options.unit !== undefined) return 'text'
  if (looksLikeJson(text, name)) return 'json'
  return TEXT_NAME.test(name) && !looksLikeTable(text) ? 'text' : 'csv'
}

/** Whether a text file holds a table after all: the same number of tabs, semicolons or bars in its first lines, or a first row of short names. */
function looksLikeTable(text: string): boolean {
  const lines = text
    .slice(0, 20_000)
    .split(/\r\n|\r|\n/)
    .slice(0, 20)
    .filter((line) => line.trim() !== '')
  if (lines.length < 2) return false
  for (const delimiter of ['\t', ';', '|', ',']) {
    const counts = lines.slice(0, -1).map((line) => line.split(delimiter).length - 1)
    const first = lines[0]!.split(delimiter)
    const names = first.every((cell) => /^[\w "#.-]{1,40}$/.test(cell.trim()) && !/[.!?]$/.test(cell.trim()))
    if (counts[0]! > 0 && names && counts.filter((count) => count >= counts[0]!).length > 0.6 * counts.length)
      return true
  }
  return false
}

function describe(parser: TextParser, reader: TextReader, reading: Reading): void {
  reading.columns = parser.columns
  reading.encoding = reader.encoding
  reading.confidence.encoding = reader.confidence
  if (parser instanceof CsvParser) {
    reading.format = 'csv'
    reading.delimiter = parser.delimiter
  } else if (parser instanceof JsonParser) reading.format = parser.format
  else {
    reading.format = 'text'
    reading.unit = parser.unit
  }
}

/** Throws E_ARGUMENT for options that cannot be. */
export function checkOptions(options: ImportOptions, files: readonly File[]): void {
  if (files.length > FILES_LIMIT)
    throw new GraftError(
      'E_LIMIT',
      `${files.length} files were given; at most ${FILES_LIMIT} are taken at once. Put them into one zip archive.`,
      { files: files.length, limit: FILES_LIMIT },
    )
  const known = {
    format: ['csv', 'json', 'jsonl', 'parquet', 'text', 'zip'],
    encoding: ['utf-8', 'utf-16le', 'utf-16be', 'windows-1252'],
    unit: ['paragraph', 'document', 'window'],
    origin: ['clipboard'],
  }
  for (const [name, values] of Object.entries(known)) {
    const value = options[name as keyof typeof known]
    if (value !== undefined && !values.includes(value))
      throw new GraftError(
        'E_ARGUMENT',
        `${name} must be one of ${values.join(', ')}, but is ${String(value)}.`,
      )
  }
  const types = ['text', 'category', 'number', 'boolean', 'date', 'empty']
  for (const [column, type] of Object.entries(options.types ?? {}))
    if (!types.includes(type))
      throw new GraftError(
        'E_ARGUMENT',
        `The type of "${column}" must be one of ${types.join(', ')}, but is ${String(type)}.`,
      )
}
