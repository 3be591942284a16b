// Times in cells as numbers that can be ordered: ISO 8601, dates with the day or the month first, and plain numbers such as
// years or seconds since 1970.

const ISO =
  /^(\d{4})-(\d{1,2})(?:-(\d{1,2}))?(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$/i
const PARTED = /^(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$/
const NUMBER = /^[+-]?\d+(\.\d+)?$/

/**
 * A number for each cell; NaN where a cell holds no time. Whether the day or the month comes first is told by all cells
 * together: a number above 12 is a day; otherwise dots mean day first, and slashes month first.
 */
export function timesOf(cells: readonly string[]): Float64Array {
  let dayFirst: boolean | null = null
  for (const cell of cells) {
    const match = PARTED.exec(cell.trim())
    if (match && Number(match[1]) > 12) dayFirst = true
    else if (match && Number(match[3]) > 12) dayFirst = false
    if (dayFirst !== null) break
  }
  return Float64Array.from(cells, (cell) => timeOf(cell.trim(), dayFirst))
}

function timeOf(cell: string, dayFirst: boolean | null): number {
  if (NUMBER.test(cell)) return Number(cell)
  const iso = ISO.exec(cell)
  if (iso) {
    const [, year, month, day = '1', hour = '0', minute = '0', second = '0', fraction = '0', zone = 'Z'] = iso
    const offset = /^z$/i.test(zone)
      ? 0
      : (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)))
    const at = utc(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second))
    return at + Number(fraction) * 1000 - offset * 60_000
  }
  const parted = PARTED.exec(cell)
  if (!parted) return NaN
  const [, first, mark, second, year, hour = '0', minute = '0', seconds = '0'] = parted
  const [day, month] = (dayFirst ?? mark !== '/') ? [first, second] : [second, first]
  const full = year!.length === 4 ? Number(year) : Number(year) + (Number(year) < 70 ? 2000 : 1900)
  return utc(full, Number(month), Number(day), Number(hour), Number(minute), Number(seconds))
}

/** Milliseconds since 1970; NaN for a day that the calendar has not. */
function utc(year: number, month: number, day: number, hour: number, minute: number, second: number): number {
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second))
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : NaN
}
