// A table as JSON Lines (https://jsonlines.org): one object a row, every column in it, in the order of the columns.
import type { ByteChunks, TableSource } from './tableSource.ts'

/** How the cells of a column are written. */
export type JsonCells = 'text' | 'number' | 'boolean' | 'json'

export interface JsonlWriteOptions {
  /**
   * How columns are written, by name; what is not named is text. A cell that does not fit its kind is written as text, and
   * an empty one of another kind than text as null.
   */
  types?: Readonly<Record<string, JsonCells>>
}

/** Numbers that JSON writes the same way, so that no digit is lost. */
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/** The bytes of the file, a chunk for each batch of rows. */
export async function* writeJsonl(table: TableSource, { types = {} }: JsonlWriteOptions = {}): ByteChunks {
  const encoder = new TextEncoder()
  const columns = table.columns.map((name) => ({
    key: `${JSON.stringify(name)}:`,
    type: Object.hasOwn(types, name) ? types[name]! : 'text',
  }))
  for await (const { rows } of table.batches()) {
    let text = ''
    for (const cells of rows) {
      const fields = columns.map(({ key, type }, i) => key + valueText(cells[i] ?? '', type))
      text += `{${fields.join(',')}}\n`
    }
    yield encoder.encode(text)
  }
}

function valueText(cell: string, type: JsonCells): string {
  if (type === 'text') return JSON.stringify(cell)
  const value = cell.trim()
  if (value === '') return 'null'
  if (type === 'number' && NUMBER.test(value)) return value
  if (type === 'boolean' && /^(true|false)$/i.test(value)) return value.toLowerCase()
  if (type === 'json' && /^[[{]/.test(value)) {
    try {
      // Written anew, so that a line end between its parts cannot end the row.
      return JSON.stringify(JSON.parse(value))
    } catch {
      return JSON.stringify(cell)
    }
  }
  return JSON.stringify(cell)
}
