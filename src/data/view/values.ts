// A cell as a number, a date, or a text to compare: the one reading of cells behind sorting, filters and profiles.

/** Digits with a point or comma before the decimals, or groups of three; an exponent; a per cent sign. */
const PLAIN = /^[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:e[+-]?\d+)?$/i
const GROUPED = /^[+-]?\d{1,3}(?:([,.' \u00a0\u202f])\d{3})(?:\1\d{3})*(?:(?!\1)[.,]\d+)?$/
const ISO =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?:\s?(Z|[+-]\d{2}:?\d{2}))?)?$/
const WRITTEN = /^(\d{1,2})([./-])(\d{1,2})\2(\d{2}|\d{4})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}))?)?$/

/** The number in a cell, or NaN. A lone comma is a decimal comma, as in the types of columns; "12%" is 12. */
export function cellNumber(cell: string): number {
  let text = cell.trim()
  if (text.endsWith('%')) text = text.slice(0, -1).trimEnd()
  if (text === '') return NaN
  if (PLAIN.test(text)) return Number(text.replace(',', '.'))
  const grouped = GROUPED.exec(text)
  if (!grouped) return NaN
  const group = grouped[1]!
  const bare = text.split(group).join('')
  // "1.234.567,8": the other mark is the decimal one. "1.234.5" is no number.
  return PLAIN.test(bare) ? Number(bare.replace(',', '.')) : NaN
}

/** Whether dates like 3/4/2025 in a column have the month first: only where some cell cannot be read otherwise. */
export function monthFirst(cells: Iterable<string>): boolean {
  let first = false
  for (const cell of cells) {
    const match = WRITTEN.exec(cell.trim())
    if (!match) continue
    if (Number(match[1]) > 12) return false
    if (Number(match[3]) > 12) first = true
  }
  return first
}

/** Milliseconds since 1970 (a time without zone is taken as UTC), or NaN for what is no date. */
export function cellDate(cell: string, monthIsFirst = false): number {
  const text = cell.trim()
  const iso = ISO.exec(text)
  if (iso) {
    const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = iso
    const at = utc(+year!, +month!, +day!, +hour, +minute, +second)
    const part = fraction === '' ? 0 : Math.floor(Number(`0.${fraction}`) * 1000)
    return at + part - offsetOf(zone)
  }
  const written = WRITTEN.exec(text)
  if (!written) return NaN
  const [, one, , two, year, hour = '0', minute = '0', second = '0'] = written
  const [day, month] = monthIsFirst ? [+two!, +one!] : [+one!, +two!]
  // Two digits: 69 to 99 are of the last century, as POSIX has it.
  const whole = year!.length === 4 ? +year! : +year! + (+year! >= 69 ? 1900 : 2000)
  return utc(whole, month, day, +hour, +minute, +second)
}

function utc(year: number, month: number, day: number, hour: number, minute: number, second: number): number {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second, 0)
  const kept = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  return kept && hour < 24 && minute < 60 && second < 61 ? date.getTime() : NaN
}

/** Milliseconds of "+02:00"; none without a zone. */
function offsetOf(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  return (zone.startsWith('-') ? -1 : 1) * minutes * 60_000
}

const MARKS = /\p{M}+/gu
// eslint-disable-next-line no-control-regex -- plain ASCII needs no normalising
const ASCII = /^[\x00-\x7f]*$/

/** A text without case and accents, for comparing: "Straße" and "STRASSE" differ, "Café" and "cafe" do not. */
export function fold(text: string): string {
  return ASCII.test(text) ? text.toLowerCase() : text.normalize('NFKD').replace(MARKS, '').toLowerCase()
}
