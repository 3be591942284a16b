// Rows with empty cells leave, or their cells are filled.
import type { DropMissingStep, FillMissingStep } from '../../protocol/recipe.ts'
import { placesOf } from './columns.ts'
import { eachRow, rowStage, type Flow, type Stage, type StepContext } from './flow.ts'

const isBlank = (cell: string | undefined): boolean => cell === undefined || cell.trim() === ''

export function dropMissing(step: DropMissingStep, { columns }: Flow): Stage {
  const places = placesOf(columns, step.columns)
  const missing =
    step.when === 'all'
      ? (cells: readonly string[]) => places.every((place) => isBlank(cells[place]))
      : (cells: readonly string[]) => places.some((place) => isBlank(cells[place]))
  return rowStage(columns, (row) => (missing(row.cells) ? null : row))
}

export async function fillMissing(step: FillMissingStep, input: Flow, context: StepContext): Promise<Stage> {
  const { columns } = input
  const places = placesOf(columns, step.columns)
  const fill =
    step.with === 'mode'
      ? await modes(input, places, context)
      : places.map(() => (step.with as { value: string }).value)
  return rowStage(columns, (row) => {
    let cells: string[] | null = null
    for (const [i, place] of places.entries()) {
      const value = fill[i]
      if (value !== undefined && isBlank(row.cells[place]) && row.cells[place] !== value)
        (cells ??= [...row.cells])[place] = value
    }
    return cells ? { ...row, cells } : row
  })
}

/** The most frequent value of each column, the first met of equals; undefined where all cells are empty. */
async function modes(
  input: Flow,
  places: readonly number[],
  context: StepContext,
): Promise<(string | undefined)[]> {
  const counts = places.map(() => new Map<string, number>())
  await eachRow(input, context, ({ cells }) => {
    for (const [i, place] of places.entries()) {
      const cell = cells[place] ?? ''
      if (!isBlank(cell)) counts[i]!.set(cell, (counts[i]!.get(cell) ?? 0) + 1)
    }
  })
  return counts.map((values) => {
    let best: string | undefined
    for (const [value, count] of values) if (best === undefined || count > values.get(best)!) best = value
    return best
  })
}
