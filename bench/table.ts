// Numbers and tables as Markdown, which reads well in a terminal too.

export const NOT_MEASURED = 'not measured'

export type Align = 'left' | 'right'

/** A Markdown table with columns of even width; columns are right-aligned except the named ones. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  left: readonly number[] = [0],
): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const pad = (text: string, column: number) =>
    left.includes(column) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
  const line = (cells: readonly string[]) => `| ${cells.map(pad).join(' | ')} |`
  const rule = widths.map((width, column) =>
    left.includes(column) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  )
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n')
}

/** Three significant digits with thousands separated; `not measured` for null. */
export function number(value: number | null): string {
  if (value === null || Number.isNaN(value)) return NOT_MEASURED
  if (value !== 0 && Math.abs(value) < 100) return String(Number(value.toPrecision(3)))
  return Math.round(value).toLocaleString('en-GB')
}

/** Bytes in the decimal units of the targets: kB, MB, GB. */
export function bytes(value: number): string {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const)
    if (value >= size) return `${Number((value / size).toPrecision(3))} ${unit}`
  return `${Math.round(value)} B`
}

export function percent(share: number | null): string {
  return share === null ? NOT_MEASURED : `${(100 * share).toFixed(0)}%`
}

/** GFLOP/s or TFLOP/s. */
export function flopRate(rate: number): string {
  return rate >= 1e12 ? `${(rate / 1e12).toFixed(2)} TFLOP/s` : `${(rate / 1e9).toFixed(1)} GFLOP/s`
}
