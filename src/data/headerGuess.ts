// Whether the first row of a table names its columns, guessed from what stands below: names differ from each other and
// from values; a number above numbers, or a label that comes again below it, is a value.

const NUMBER = /^[+-]?(\d+([.,]\d+)?|\.\d+)(e[+-]?\d+)?%?$/i
const DATE = /^(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{2,4})/
const YEAR = /^(19|20)\d\d$/
const NAME_LENGTH = 60

export interface HeaderGuess {
  header: boolean
  /** From 0 to 1. */
  confidence: number
}

/** @param rows the first rows of the table, the one in question included */
export function guessHeader(rows: readonly (readonly string[])[]): HeaderGuess {
  const [first, ...below] = rows
  if (!first || below.length === 0) return { header: true, confidence: 0.5 }
  const cells = first.map((cell) => cell.trim())
  let values = 0
  let names = 0
  for (const [i, cell] of cells.entries()) {
    const others = below.map((row) => (row[i] ?? '').trim()).filter((other) => other !== '')
    if (others.length === 0) continue
    const typed = isTyped(cell)
    const typedBelow = others.filter(isTyped).length / others.length
    if (typed && !YEAR.test(cell) && typedBelow > 0.8) values++
    else if (!typed && cell !== '' && typedBelow > 0.8) names++
    else if (cell !== '' && others.includes(cell)) values++
  }
  if (names > values) return { header: true, confidence: 1 }
  if (values > 0) return { header: false, confidence: 0.6 }
  const given = cells.filter((cell) => cell !== '')
  const likeNames =
    new Set(given).size === cells.length &&
    given.every((cell) => cell.length <= NAME_LENGTH && !/[.!?]$/.test(cell) && !isTyped(cell))
  return likeNames ? { header: true, confidence: 0.9 } : { header: true, confidence: 0.6 }
}

function isTyped(cell: string): boolean {
  return cell.length <= 40 && (NUMBER.test(cell) || DATE.test(cell))
}
