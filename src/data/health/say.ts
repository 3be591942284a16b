// Numbers in the sentences of findings.

const integers = new Intl.NumberFormat('en')

export function count(value: number): string {
  return integers.format(value)
}

/** "1 row", "2 rows". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** "12%", "0.4%", "under 0.1%". */
export function percent(share: number): string {
  if (share > 0 && share < 0.001) return 'under 0.1%'
  return `${Number((share * 100).toFixed(share < 0.1 ? 1 : 0))}%`
}

/** The first of a list in words: "a, b, c and 4 more". */
export function some(items: readonly string[], most = 5): string {
  if (items.length <= most) return items.join(', ')
  return `${items.slice(0, most).join(', ')} and ${count(items.length - most)} more`
}

/** A row's number as people count. */
export function rowName(row: number): string {
  return `row ${count(row + 1)}`
}

/** A stretch of a text, short enough for a list. */
export function excerpt(text: string, most = 60): string {
  const flat = text.replace(/\s+/g, ' ').trim()
  return flat.length <= most ? flat : `${flat.slice(0, most - 1)}…`
}
