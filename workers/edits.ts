// Cells changed by hand: kept beside the rows, which stay as they were imported.
import type { Dataset } from '../src/protocol/data.ts'
import { GraftError } from '../src/protocol/errors.ts'
import type { CellChange, CellEdit } from '../src/protocol/table.ts'

/** Cells that can be changed by hand; more than this is work for a recipe. */
export const EDITS_LIMIT = 10_000

/** The dataset with changes made. Throws E_ARGUMENT for a row or column that is not there, E_LIMIT. */
export function edited(dataset: Dataset, changes: readonly CellChange[]): Dataset {
  const edits = new Map((dataset.edits ?? []).map((edit) => [keyOf(edit), edit]))
  for (const change of changes) {
    const { row, column, value } = change
    if (!Number.isInteger(row) || row < 0 || row >= dataset.rows)
      throw new GraftError(
        'E_ARGUMENT',
        `edit: row must be from 0 to ${dataset.rows - 1}, but is ${String(row)}.`,
        { row },
      )
    if (!dataset.columns.some(({ name }) => name === column))
      throw new GraftError('E_ARGUMENT', `edit: there is no column "${String(column)}".`, { column })
    if (value !== null && typeof value !== 'string')
      throw new GraftError('E_ARGUMENT', 'edit: value must be a text, or null to take the edit back.')
    if (value === null) edits.delete(keyOf(change))
    else edits.set(keyOf(change), { row, column, value })
  }
  if (edits.size > EDITS_LIMIT)
    throw new GraftError(
      'E_LIMIT',
      `At most ${EDITS_LIMIT.toLocaleString('en')} cells can be changed by hand. Use a step of the recipe for more.`,
    )
  const { edits: _before, ...rest } = dataset
  return edits.size === 0 ? rest : { ...rest, edits: [...edits.values()] }
}

function keyOf({ row, column }: Pick<CellEdit, 'row' | 'column'>): string {
  return `${row} ${column}`
}
