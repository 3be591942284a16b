// The columns that a step names, as places among those that its input has.
import { GraftError } from '../../protocol/errors.ts'

/** Throws E_ARGUMENT where there is no such column. */
export function placeOf(columns: readonly string[], name: string): number {
  const place = columns.indexOf(name)
  if (place < 0)
    throw new GraftError(
      'E_ARGUMENT',
      `there is no column "${name}" at this step. The columns are ${columns.join(', ')}.`,
      { column: name },
    )
  return place
}

/** Places of the named columns; of all where none are named. Throws E_ARGUMENT. */
export function placesOf(columns: readonly string[], names: readonly string[] | undefined): number[] {
  return names === undefined ? columns.map((_, i) => i) : names.map((name) => placeOf(columns, name))
}

/** The cells with some of them changed; the same array where none is. */
export function withCells(
  cells: readonly string[],
  places: readonly number[],
  change: (cell: string) => string,
): readonly string[] {
  let out: string[] | null = null
  for (const place of places) {
    const cell = cells[place] ?? ''
    const next = change(cell)
    if (next !== cell) (out ??= [...cells])[place] = next
  }
  return out ?? cells
}
