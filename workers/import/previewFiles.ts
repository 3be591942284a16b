// The beginning of files as an import would read them: what Graft guesses, what the user corrected, and the first rows.
import { ColumnCounter } from '../../src/data/columns.ts'
import { guessHeader } from '../../src/data/headerGuess.ts'
import { isSingle, mayBeSingle } from '../../src/data/quoteGuess.ts'
import { recogniseShape } from '../../src/data/shapes.ts'
import { suggestTask } from '../../src/data/suggest.ts'
import { ROW_BYTES_LIMIT } from '../../src/formats/csvLimits.ts'
import { GUARDED } from '../../src/formats/csvWrite.ts'
import { textRows } from '../../src/protocol/byteRows.ts'
import type { ImportOptions, Preview, PreviewOptions } from '../../src/protocol/bringIn.ts'
import type { Problem } from '../../src/protocol/data.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { Store } from '../../src/store/database.ts'
import { getDataset } from '../../src/store/datasets.ts'
import { rawOf } from '../recipe/raw.ts'
import { nameOf } from './importFiles.ts'
import { checkOptions, fileRows, newReading, PREVIEW_BYTES, type Reading } from './source.ts'
import { tokenWeigher } from './tokenWeigher.ts'
import { UnionColumns } from './unionColumns.ts'

/** Rows that are looked at, and of them those that are shown. */
const LOOK_ROWS = 1000
export const SHOWN_ROWS = 50
/** Problems that are shown before the import. */
const SHOWN_PROBLEMS = 20
/** Files of which the beginning is looked at. */
const LOOK_FILES = 20
/** Bytes that are looked at where the usual beginning does not hold a whole row: more than a row may have. */
const FAR_BYTES = 2 * ROW_BYTES_LIMIT
/** Longest cell that is shown whole. */
const SHOWN_CHARACTERS = 2000

/** Throws as an import of the same beginning would. */
export async function previewFiles(
  store: Store,
  files: readonly File[],
  { target, ...given }: PreviewOptions,
  { signal }: CallContext,
): Promise<Preview> {
  checkOptions(given, files)
  const weigh = await tokenWeigher(store, given)
  // Rows join below the recipe, which may have other columns.
  const known =
    target === undefined ? [] : rawOf(await getDataset(store, target)).columns.map(({ name }) => name)
  const look = (options: ImportOptions, of = files, names: readonly string[] = []): Promise<Looked> =>
    lookAt(of, { ...options, ...(weigh && { weigh }) }, names, signal)

  let looked = await look({ ...given, header: given.header ?? true })
  const csv = looked.reading.format === 'csv'
  if (csv && given.quote === undefined && mayBeSingle(looked)) {
    const single = await look({ ...given, header: given.header ?? true, quote: "'" })
    if (isSingle(looked, single)) {
      looked = single
      given = { ...given, quote: "'" }
    }
  }
  // Is the first row one of names, or of values? It is seen as a row like the others of its file.
  const asRows =
    csv && given.header === undefined ? await look({ ...given, header: false }, files.slice(0, 1)) : null
  const header = asRows ? guessHeader(asRows.rows) : { header: given.header ?? true, confidence: 1 }
  if (asRows && !header.header) looked = files.length === 1 ? asRows : await look({ ...given, header: false })
  if (known.length > 0) looked = await look({ ...given, header: header.header }, files, known)
  const { reading, columns, rows, problems } = looked

  const counters = columns.map((name) => new ColumnCounter(name))
  for (const row of rows) for (const [i, counter] of counters.entries()) counter.add(row[i] ?? '')
  const profiles = counters.map((counter) => counter.profile())
  const types = given.types ?? {}
  const guarded = given.guarded ?? (csv && looksGuarded(rows))
  const options: ImportOptions = { ...given, format: reading.format }
  if (csv) Object.assign(options, { delimiter: reading.delimiter, header: header.header, guarded })
  // A mark at the beginning, or a doubt, is decided here; of many files each is asked itself.
  if (files.length === 1 && reading.encoding !== null && reading.format !== 'zip')
    options.encoding = reading.encoding
  if (reading.unit) options.unit = reading.unit
  return {
    name: nameOf(files),
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    files: files.length,
    format: reading.format,
    encoding: reading.encoding,
    delimiter: reading.delimiter,
    quote: csv ? (given.quote ?? '"') : '',
    header: header.header,
    guarded,
    unit: reading.unit,
    columns: profiles.map(({ name, type }) => ({
      name,
      type: Object.hasOwn(types, name) ? types[name]! : type,
    })),
    rows: rows
      .slice(0, SHOWN_ROWS)
      .map((row) => columns.map((_, i) => (row[i] ?? '').slice(0, SHOWN_CHARACTERS))),
    complete: looked.complete && rows.length <= SHOWN_ROWS,
    problems,
    suggestion: suggestTask(profiles),
    shape: recogniseShape(profiles, rows),
    confidence: {
      ...reading.confidence,
      delimiter: csv && given.delimiter === undefined && columns.length === 1 ? 0.75 : 1,
      header: header.confidence,
    },
    options,
  }
}

interface Looked {
  reading: Reading
  columns: readonly string[]
  rows: string[][]
  problems: Problem[]
  complete: boolean
}

async function lookAt(
  files: readonly File[],
  options: ImportOptions,
  known: readonly string[],
  signal: AbortSignal,
  bytes = PREVIEW_BYTES,
): Promise<Looked> {
  const problems: Problem[] = []
  const union = new UnionColumns(options.union ?? false, known)
  const rows: string[][] = []
  let first: Reading | null = null
  let complete = files.length <= LOOK_FILES
  for (const file of files.slice(0, LOOK_FILES)) {
    const reading = newReading()
    const onProblem = (problem: Problem): void => {
      if (problems.length < SHOWN_PROBLEMS)
        problems.push(files.length > 1 ? { file: file.name, ...problem } : problem)
    }
    const source = { ...options, onProblem, signal, preview: { rows: LOOK_ROWS, bytes } }
    for await (const found of fileRows(file, source, reading)) {
      for (const row of textRows(union.placed(found, reading.columns, file.name))) rows.push(row)
      if (rows.length >= LOOK_ROWS) break
    }
    first ??= reading
    if (!reading.complete || rows.length >= LOOK_ROWS) complete = false
    if (rows.length >= LOOK_ROWS) break
  }
  if (rows.length === 0) {
    if (!complete && bytes < FAR_BYTES) return lookAt(files, options, known, signal, FAR_BYTES)
    const one = complete && options.header !== false && first?.format === 'csv'
    throw new GraftError(
      'E_NOT_A_TABLE',
      `${files[0]!.name} ${one ? 'has a first row and nothing below it' : 'shows no row with these settings'}. Choose other settings, or a file with a header and rows.`,
    )
  }
  return { reading: first!, columns: union.names, rows: rows.slice(0, LOOK_ROWS), problems, complete }
}

/** Whether cells carry the apostrophe of an export, and none begins like a formula without it. */
function looksGuarded(rows: readonly (readonly string[])[]): boolean {
  let found = false
  for (const row of rows)
    for (const cell of row) {
      if (/^[=@\t\r]/.test(cell)) return false
      found ||= GUARDED.test(cell)
    }
  return found
}
