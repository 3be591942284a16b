// The delimiter of a table, guessed: the one that cuts most of the first rows into as many cells as the first row has.
// PapaParse's own guess falls back to the comma, which tears a single column of sentences apart.
import Papa from 'papaparse'

const CANDIDATES = [',', '\t', ';', '|']
const ROWS = 50
/** A character no text contains: the table has one column. */
export const NO_DELIMITER = '\u001f'

/** @param whole whether the sample is the whole text, so that its last row is complete */
export function guessDelimiter(sample: string, whole: boolean): string {
  let best = { delimiter: NO_DELIMITER, share: 0.5, width: 1 }
  for (const delimiter of CANDIDATES) {
    const counts = rowWidths(sample, delimiter, whole)
    const width = counts[0] ?? 0
    if (width < 2) continue
    const share = counts.filter((count) => count === width).length / counts.length
    if (share > best.share || (share === best.share && width > best.width)) best = { delimiter, share, width }
  }
  // One column whose texts need no delimiter: the usual one, so that quotes and a later export are as expected.
  if (best.width === 1 && rowWidths(sample, ',', whole).every((count) => count === 1)) return ','
  return best.delimiter
}

function rowWidths(sample: string, delimiter: string, whole: boolean): number[] {
  const parser = new Papa.Parser({ delimiter, newline: '\n', preview: ROWS })
  const { data } = parser.parse(sample, 0, !whole) as { data: string[][] }
  return data.filter((cells) => cells.length > 1 || cells[0] !== '').map((cells) => cells.length)
}
