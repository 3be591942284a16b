// A table as CSV (RFC 4180, lines end in LF, UTF-8). Spreadsheets run cells that begin like a formula, so such cells get a
// leading apostrophe unless the plain text is asked for; `unguarded` takes exactly those apostrophes off again.
// https://owasp.org/www-community/attacks/CSV_Injection
import { GraftError } from '../protocol/errors.ts'
import type { ByteChunks, TableSource } from './tableSource.ts'

export interface CsvWriteOptions {
  /** Default `,`. */
  delimiter?: string
  /** Whether cells that a spreadsheet would run get a leading `'`; default true. */
  guard?: boolean
}

/**
 * What a spreadsheet may run, behind any apostrophes: with them counted in, each guarded text comes from one text only.
 * Full-width forms count too: some spreadsheets take them for the plain ones.
 */
const FORMULA = /^'*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/
export const GUARDED = /^'+[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/

/** The cell with a leading apostrophe where a spreadsheet would run it. */
export function guarded(cell: string): string {
  return FORMULA.test(cell) ? `'${cell}` : cell
}

/** The cell as it was before `guarded`. */
export function unguarded(cell: string): string {
  return GUARDED.test(cell) ? cell.slice(1) : cell
}

/** The bytes of the file, a chunk for each batch of rows. Throws E_ARGUMENT for a delimiter that cannot be one. */
export async function* writeCsv(
  table: TableSource,
  { delimiter = ',', guard = true }: CsvWriteOptions = {},
): ByteChunks {
  if (delimiter.length !== 1 || /["\r\n']/.test(delimiter))
    throw new GraftError(
      'E_ARGUMENT',
      'The delimiter must be one character that is no quote and no line end.',
    )
  const encoder = new TextEncoder()
  const special = new RegExp(`["\\r\\n${delimiter.replace(/[\]\\^-]/, '\\$&')}]|^[\\s\\uFEFF]|\\s$`)
  const cellText = (cell: string): string => {
    const text = guard ? guarded(cell) : cell
    return special.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  const line = (cells: readonly string[]): string => {
    const text = cells.map(cellText).join(delimiter)
    // An empty line is no row.
    return text === '' ? '""\n' : `${text}\n`
  }
  yield encoder.encode(line(table.columns))
  for await (const { rows } of table.batches()) yield encoder.encode(rows.map(line).join(''))
}
