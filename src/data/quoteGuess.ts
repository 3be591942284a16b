// Whether the cells of a table stand in single quotes: read with double quotes, such a table has cells that begin and end with
// an apostrophe, or is torn where a quoted cell holds the delimiter. It is read both ways and the better one is believed.

/** A table as it was read with one of the quotes. */
export interface ReadWith {
  rows: readonly (readonly string[])[]
  problems: readonly { kind: string }[]
}

/** Share of the filled cells of a column that must stand in quotes. */
const MOST = 0.9

/** Whether it is worth reading the table with single quotes. What is too wide for the table has lost its last cells. */
export function mayBeSingle({ rows }: ReadWith): boolean {
  return rows.some((row) => row.some((cell) => cell.startsWith("'")))
}

/** Whether single quotes read the table better than double ones. */
export function isSingle(double: ReadWith, single: ReadWith): boolean {
  const faults = ({ problems }: ReadWith): number =>
    problems.filter(({ kind }) => kind === 'ragged' || kind === 'quote').length
  if (faults(single) !== faults(double)) return faults(single) < faults(double)
  const [first = []] = double.rows
  return first.some((_, column) => {
    const filled = double.rows.map((row) => row[column] ?? '').filter((cell) => cell !== '')
    return (
      filled.length > 1 &&
      filled.filter((cell) => cell.startsWith("'") && ends(cell)).length >= MOST * filled.length
    )
  })
}

const ends = (cell: string): boolean => cell.length > 1 && cell.endsWith("'")
