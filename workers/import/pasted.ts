// What was copied, as a file: the table of its HTML where it has one, else its text. HTML goes first because in the text of
// some programs a line break inside a cell looks like the next row.
import { htmlTable } from '../../src/data/htmlTable.ts'
import type { Copied } from '../../src/protocol/bringIn.ts'
import { GraftError } from '../../src/protocol/errors.ts'

/** The type of a file whose cells are known to be separated by tabs. */
const TABBED = 'text/tab-separated-values'

/** Throws E_NOT_A_TABLE where nothing was copied, E_LIMIT. */
export function pastedFile({ html = '', text = '' }: Copied): File {
  const table = html === '' ? null : htmlTable(html)
  const cells = table?.reduce((sum, row) => sum + row.length, 0) ?? 0
  // A single cell is what a page puts around any text.
  if (table && cells > 1)
    return new File([table.map((row) => row.map(quoted).join('\t')).join('\n')], 'Pasted cells', {
      type: TABBED,
    })
  if (text.trim() === '')
    throw new GraftError(
      'E_NOT_A_TABLE',
      'The clipboard holds no text and no table. Copy cells in a spreadsheet, then paste them here.',
    )
  return new File([text], text.includes('\t') ? 'Pasted cells' : 'Pasted text.txt', { type: 'text/plain' })
}

/** A first cell that begins like JSON would make a reader take the whole for it. */
function quoted(cell: string): string {
  return /["\t\r\n]|^\s*[[{]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
