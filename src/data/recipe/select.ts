// Rows and columns chosen by a condition, by name or by id, and cells changed by hand.
import { GraftError } from '../../protocol/errors.ts'
import type { ColumnsStep, DropRowsStep, EditStep, FilterStep } from '../../protocol/recipe.ts'
import { compileCondition } from '../expression.ts'
import { placeOf, placesOf } from './columns.ts'
import { rowStage, type Flow, type FlowRow, type Stage } from './flow.ts'
import { cellsKey } from './rowKeys.ts'

export function filter(step: FilterStep, { columns }: Flow): Stage {
  const keeps = compileCondition(step.where, columns)
  return rowStage(columns, (row) => (keeps(row.cells) ? row : null))
}

export function dropRows(step: DropRowsStep, { columns }: Flow): Stage {
  const gone = new Set(step.rows)
  const made = new Set(step.made)
  const isGone = ({ id, synthetic, cells }: FlowRow): boolean =>
    gone.has(id) || (synthetic && made.size > 0 && made.has(cellsKey(cells)))
  return rowStage(columns, (row) => (isGone(row) ? null : row))
}

export function edit(step: EditStep, { columns }: Flow): Stage {
  const edits = new Map<number, Map<number, string>>()
  for (const { row, column, value } of step.edits) {
    const cells = edits.get(row) ?? new Map<number, string>()
    edits.set(row, cells.set(placeOf(columns, column), value))
  }
  return rowStage(columns, (row) => {
    const changes = row.synthetic ? undefined : edits.get(row.id)
    if (!changes || [...changes].every(([place, value]) => row.cells[place] === value)) return row
    const cells = columns.map((_, place) => changes.get(place) ?? row.cells[place] ?? '')
    return { ...row, cells }
  })
}

export function chooseColumns(step: ColumnsStep, { columns }: Flow): Stage {
  const named = placesOf(columns, step.columns)
  const places =
    step.how === 'keep' ? named : columns.map((_, i) => i).filter((place) => !named.includes(place))
  if (places.length === 0) throw new GraftError('E_ARGUMENT', 'no column would be left.')
  return rowStage(
    places.map((place) => columns[place]!),
    (row) => ({ ...row, cells: places.map((place) => row.cells[place] ?? '') }),
  )
}
