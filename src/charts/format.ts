// Numbers as people read them: one place, so that a loss has the same digits in a chart, a table and a sentence.

const integers = new Intl.NumberFormat('en')

export function count(value: number): string {
  return integers.format(Math.round(value))
}

/** "1 row", "2 rows". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** Significant digits without trailing zeros; scientific below 0.001 and from a million. */
export function number(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return String(value)
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size < 1e-3 || size >= 1e6)
    return trimExponent(value.toExponential(Math.max(0, Math.min(digits - 1, 2))))
  if (size >= 10 ** digits) return integers.format(Math.round(value))
  return trimZeros(value.toPrecision(digits))
}

/** Fixed digits, for columns and readings that change in place. */
export function fixed(value: number, digits = 4): string {
  return Number.isFinite(value) ? value.toFixed(digits) : String(value)
}

export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)}%`
}

/** "6.95 M". */
export function short(value: number): string {
  const steps: [number, string][] = [
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ]
  for (const [size, unit] of steps)
    if (value >= size) return `${trimZeros((value / size).toPrecision(3))} ${unit}`
  return integers.format(value)
}

/** Bytes in decimal units, as disks and downloads are sold: "13.9 MB". */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let size = value
  let unit = 0
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : trimZeros(size.toFixed(1))} ${units[unit]}`
}

/** Seconds as "8 s", "4 min", "1 h 20 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown'
  if (seconds < 1) return 'under 1 s'
  if (seconds < 90) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`
}

/** "about 4 min left". */
export function timeLeft(seconds: number): string {
  return seconds < 1 ? 'almost done' : `about ${duration(seconds)} left`
}

/** "today 14:02" or "3 May 2025". */
export function moment(time: number, now = Date.now()): string {
  const date = new Date(time)
  const clock = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
  if (new Date(now).toDateString() === date.toDateString()) return `today ${clock}`
  return `${date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })}, ${clock}`
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

function trimExponent(text: string): string {
  return text.replace(/\.0+e|(\.\d*?)0+e/, '$1e').replace('e+', 'e')
}
