// Slips of the fingers on a QWERTY keyboard: the letters next to each.
const ROWS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm']

/** A letter (lower case) to those around it. */
export const NEIGHBOURS: ReadonlyMap<string, string> = new Map(
  ROWS.flatMap((row, r) =>
    Array.from(row, (letter, c): [string, string] => {
      // Each row is set half a key to the right of the one above.
      const around = [
        row[c - 1],
        row[c + 1],
        ROWS[r - 1]?.[c],
        ROWS[r - 1]?.[c + 1],
        ROWS[r + 1]?.[c - 1],
        ROWS[r + 1]?.[c],
      ]
      return [letter, around.filter((other) => other !== undefined).join('')]
    }),
  ),
)
