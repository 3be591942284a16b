// The columns of the table: how wide each is, and which of them are in sight. A table may have a thousand columns, and a cell
// out of sight costs as much as one in sight.
import type { Column } from '../../protocol/data.ts'

/** A text's line is not cut shorter than this for the sake of other columns, in pixels. */
const SHORT_TEXT = 240
/** Columns drawn left and right of those in sight. */
const OVERSCAN = 1

/** Widths in pixels: by type, and for texts by their mean length; what is left of the box goes to the texts. */
export function columnWidths(columns: readonly Column[], room: number): number[] {
  const wanted = columns.map(({ type, meanLength, name }) => {
    const least = Math.min(200, 44 + name.length * 8)
    if (type === 'number' || type === 'boolean') return Math.max(104, least)
    if (type === 'date') return Math.max(128, least)
    return Math.max(type === 'text' ? 160 : 128, least, Math.min(420, meanLength * 6.5 + 24))
  })
  const left = room - wanted.reduce((sum, width) => sum + width, 0)
  if (left <= 0) {
    // Long texts give way first: their lines are cut anyway.
    const spare = wanted.map((width, i) =>
      columns[i]!.type === 'text' ? Math.max(0, width - SHORT_TEXT) : 0,
    )
    const all = spare.reduce((sum, each) => sum + each, 0)
    const give = Math.min(1, -left / Math.max(1, all))
    return wanted.map((width, i) => Math.ceil(width - spare[i]! * give))
  }
  const texts = columns.map(({ type, meanLength }) => (type === 'text' ? Math.max(1, meanLength) : 0))
  const share = texts.some((weight) => weight > 0) ? texts : wanted
  const total = share.reduce((sum, weight) => sum + weight, 0)
  return wanted.map((width, i) => width + Math.floor((left * share[i]!) / total))
}

export interface ColumnWindow {
  first: number
  last: number
  /** Pixels of the columns before the first one that is drawn. */
  skipped: number
}

export function columnWindow(widths: readonly number[], left: number, room: number): ColumnWindow {
  let first = 0
  let skipped = 0
  while (first < widths.length - 1 && skipped + widths[first]! <= left) skipped += widths[first++]!
  let last = first
  for (let at = skipped; last < widths.length && at < left + room;) at += widths[last++]!
  for (let more = 0; more < OVERSCAN && first > 0; more++) skipped -= widths[--first]!
  return { first, last: Math.min(widths.length, last + OVERSCAN), skipped }
}

/** A cell of the grid: row -1 is the header. */
export interface GridCell {
  row: number
  column: number
}

/** Where a key leads, as the grid pattern of the ARIA practices has it; null where it leads nowhere. */
export function moved(
  { key, ctrlKey, metaKey }: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey'>,
  at: GridCell,
  { rows, columns, page }: { rows: number; columns: number; page: number },
): GridCell | null {
  const control = ctrlKey || metaKey
  const { row, column } = at
  const moves: Record<string, GridCell> = {
    ArrowDown: { row: control ? rows - 1 : row + 1, column },
    ArrowUp: { row: control ? 0 : row - 1, column },
    ArrowRight: { row, column: control ? columns - 1 : column + 1 },
    ArrowLeft: { row, column: control ? 0 : column - 1 },
    PageDown: { row: row + page, column },
    PageUp: { row: row < 0 ? row : Math.max(0, row - page), column },
    Home: control ? { row: 0, column: 0 } : { row, column: 0 },
    End: control ? { row: rows - 1, column: columns - 1 } : { row, column: columns - 1 },
  }
  const to = Object.hasOwn(moves, key) ? moves[key]! : null
  return (
    to && {
      row: Math.max(-1, Math.min(rows - 1, to.row)),
      column: Math.max(0, Math.min(columns - 1, to.column)),
    }
  )
}

/** Characters of a cell that are drawn in a row; more only costs layout. */
const CELL_CHARACTERS = 240
/** Characters before the first hit that stay in sight. */
const BEFORE_HIT = 24

/** A cell without hits as a line. */
export function plainLine(cell: string | undefined): string {
  return cell === undefined ? '' : cell.length > CELL_CHARACTERS ? cell.slice(0, CELL_CHARACTERS) : cell
}

export interface CellPart {
  text: string
  hit: boolean
}

/** A cell as a line: from shortly before its first hit, with the hits apart. */
export function cellLine(text: string, hits: readonly [number, number][] | undefined): CellPart[] {
  const first = hits?.[0]
  const start = first && first[1] > BEFORE_HIT * 3 ? Math.max(0, first[0] - BEFORE_HIT) : 0
  const line = marked(text.slice(0, start + CELL_CHARACTERS), hits, start)
  return start > 0 ? [{ text: '…', hit: false }, ...line] : line
}

/** A text in stretches, from `start` on: hits and what is between them. */
export function marked(text: string, hits: readonly [number, number][] = [], start = 0): CellPart[] {
  const parts: CellPart[] = []
  let at = start
  for (const [from, to] of hits) {
    if (from >= text.length) break
    if (from > at) parts.push({ text: text.slice(at, from), hit: false })
    parts.push({ text: text.slice(Math.max(from, at), to), hit: true })
    at = to
  }
  if (at < text.length || parts.length === 0) parts.push({ text: text.slice(at), hit: false })
  return parts
}
