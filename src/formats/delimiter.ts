// The delimiter of a table, guessed: the one that cuts most of the first rows into as many cells as the first row has.
// PapaParse's own guess falls back to the comma, which tears a single column of sentences apart. Where the first row reads
// like names ("text,label", not "Hello, world"), the rows below may be as ragged as they like.
import Papa from 'papaparse'

const CANDIDATES = [',', '\t', ';', '|']
const ROWS = 50
/** Share of rows as wide as the first, above which its delimiter is believed. */
const CONSISTENT = 0.5
const NAME_CHARACTERS = 40
/** A character no text contains: the table has one column. */
export const NO_DELIMITER = '\u001f'

/** @param whole whether the sample is the whole text, so that its last row is complete */
export function guessDelimiter(sample: string, whole: boolean, quote = '"'): string {
  let best = { delimiter: NO_DELIMITER, share: 0, width: 1 }
  for (const delimiter of CANDIDATES) {
    const rows = firstRows(sample, delimiter, whole, quote)
    const width = rows[0]?.length ?? 0
    if (width < 2) continue
    const share = rows.filter((cells) => cells.length === width).length / rows.length
    if (share <= CONSISTENT && !rows[0]!.every(isName)) continue
    if (share > best.share || (share === best.share && width > best.width)) best = { delimiter, share, width }
  }
  // One column whose texts need no delimiter: the usual one, so that quotes and a later export are as expected.
  if (best.width === 1 && firstRows(sample, ',', whole, quote).every((cells) => cells.length === 1))
    return ','
  return best.delimiter
}

function firstRows(sample: string, delimiter: string, whole: boolean, quote: string): string[][] {
  const parser = new Papa.Parser({
    delimiter,
    newline: '\n',
    preview: ROWS,
    ...(quote === '' ? { fastMode: true } : { quoteChar: quote, escapeChar: quote }),
  })
  const { data } = parser.parse(sample, 0, !whole) as { data: string[][] }
  return data.filter((cells) => cells.length > 1 || cells[0] !== '')
}

function isName(cell: string): boolean {
  return cell !== '' && cell.length <= NAME_CHARACTERS && cell === cell.trim()
}
