// Rows that stand in the recipe itself, for the training part; none that is there already.
import { GraftError } from '../../protocol/errors.ts'
import type { AddRowsStep } from '../../protocol/recipe.ts'
import { placesOf } from './columns.ts'
import { eachRow, NO_ROW, type Flow, type FlowRow, type Stage, type StepContext } from './flow.ts'
import { joined, RowKeys } from './rowKeys.ts'

export async function addRows(step: AddRowsStep, input: Flow, context: StepContext): Promise<Stage> {
  const { columns } = input
  const places = placesOf(columns, step.columns)
  const keys = new RowKeys()
  await eachRow(input, context, ({ cells }) => void keys.number(joined(cells, places).toLowerCase()))
  const added: FlowRow[] = []
  for (const [i, row] of step.rows.entries()) {
    if (row.length !== places.length)
      throw new GraftError(
        'E_ARGUMENT',
        `row ${i + 1} to add has ${row.length} cells for ${places.length} columns.`,
      )
    const cells = columns.map(() => '')
    for (const [at, place] of places.entries()) cells[place] = row[at]!
    const key = joined(cells, places).toLowerCase()
    if (cells.every((cell) => cell.trim() === '') || keys.has(key)) continue
    keys.number(key)
    added.push({ cells, id: NO_ROW, synthetic: true })
  }
  return { columns, walk: () => ({ row: (row) => row, end: () => added }) }
}
