// The table of a piece of HTML, as spreadsheets and pages put it on the clipboard. Not a parser of pages: it looks for the tags
// of tables (HTML Living Standard, 4.9; end tags may be left out) and takes what stands between them as text. A merged cell has
// its text at its first place, as a spreadsheet's own text form has it.
import { GraftError } from '../protocol/errors.ts'
import { plainText, visible } from './recipe/stripHtml.ts'

/** Cells of one table: far above what is copied by hand, far below what fills the memory. */
export const CELLS_LIMIT = 5_000_000
/** A row is not widened further by merged cells; an import takes no more columns than this. */
const WIDTH_LIMIT = 1001

const PARTS = /<(\/?)(table|tr|td|th)(?=[\s/>])((?:[^<>"']|"[^"]*"|'[^']*')*)>/gi
const BREAK = /<br(?:[\s/](?:[^<>"']|"[^"]*"|'[^']*')*)?>/i

/** The rows of the table with the most cells, all equally wide; null where there is none. Throws E_LIMIT. */
export function htmlTable(html: string): string[][] | null {
  const text = visible(html)
  let best: Grid | null = null
  /** Tables that are open; those inside a cell belong to its text. */
  let depth = 0
  let grid: Grid | null = null
  let from = 0
  for (const tag of text.matchAll(PARTS)) {
    const end = tag[1] === '/'
    const name = tag[2]!.toLowerCase()
    const at = tag.index
    const after = at + tag[0].length
    if (name === 'table') {
      depth = Math.max(0, depth + (end ? -1 : 1))
      if (!end && depth === 1) grid = new Grid()
      if (end && depth === 0 && grid) {
        grid.close(text.slice(from, at))
        if (grid.cells > (best?.cells ?? 0)) best = grid
        grid = null
      }
    } else if (depth === 1 && grid) {
      grid.close(text.slice(from, at))
      if (name === 'tr') grid.endRow()
      else if (!end) grid.open(span(tag[3]!, 'colspan'), span(tag[3]!, 'rowspan'))
      from = after
    }
  }
  if (grid) {
    grid.close(text.slice(from))
    if (grid.cells > (best?.cells ?? 0)) best = grid
  }
  return best && best.cells > 0 ? best.done() : null
}

class Grid {
  cells = 0
  readonly #rows: string[][] = []
  #row: string[] = []
  /** Rows that a cell above still takes of each column, this row included. */
  #taken: number[] = []
  #open: { columns: number; rows: number } | null = null

  open(columns: number, rows: number): void {
    this.#open = { columns, rows }
  }

  /** Ends the cell that is open, with the HTML that it holds. */
  close(inner: string): void {
    if (!this.#open) return
    const { columns, rows } = this.#open
    this.#open = null
    this.#skip()
    for (let i = 0; i < columns && this.#row.length < WIDTH_LIMIT; i++) {
      this.#taken[this.#row.length] = rows
      this.#row.push(i === 0 ? cellText(inner) : '')
    }
    this.cells += columns
    if (this.cells > CELLS_LIMIT)
      throw new GraftError(
        'E_LIMIT',
        `The table that was copied has more than ${CELLS_LIMIT.toLocaleString('en')} cells. Save it as a file and drop that.`,
        { limit: CELLS_LIMIT },
      )
  }

  endRow(): void {
    if (this.#row.length === 0) return
    this.#skip()
    this.#rows.push(this.#row)
    this.#row = []
    this.#taken = this.#taken.map((rows) => Math.max(0, rows - 1))
  }

  done(): string[][] {
    this.endRow()
    const width = this.#rows.reduce((most, { length }) => Math.max(most, length), 0)
    for (const row of this.#rows) while (row.length < width) row.push('')
    return this.#rows
  }

  /** Leaves places that a cell above takes empty. */
  #skip(): void {
    while ((this.#taken[this.#row.length] ?? 0) > 0 && this.#row.length < WIDTH_LIMIT) this.#row.push('')
  }
}

function span(attributes: string, name: 'colspan' | 'rowspan'): number {
  const found = new RegExp(`\\b${name}\\s*=\\s*["']?(\\d{1,5})`, 'i').exec(attributes)
  return Math.min(WIDTH_LIMIT, Math.max(1, Number(found?.[1] ?? 1)))
}

/** Line breaks of the source are spaces, as on a page; those of the text are its <br> and its paragraphs. */
function cellText(inner: string): string {
  return inner
    .replace(/[ \t\r\n\f]+/g, ' ')
    .split(BREAK)
    .map((line) => plainText(line).replaceAll('\u00a0', ' ').trim())
    .join('\n')
    .trim()
}
