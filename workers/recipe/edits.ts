// Cells changed by hand are a step at the end of the recipe, by the raw id of their row: the raw rows stay, and what is changed
// reaches training like every other step.
import type { Dataset } from '../../src/protocol/data.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { EditStep, Recipe, RecipeStep } from '../../src/protocol/recipe.ts'
import type { CellChange } from '../../src/protocol/table.ts'
import type { Store } from '../../src/store/database.ts'
import { getDataset } from '../../src/store/datasets.ts'
import { whileWriting } from '../../src/store/locks.ts'
import { readRecipe } from '../../src/store/recipes.ts'
import { emptyRecipe, splitOf, UNDO_LIMIT } from './calls.ts'
import { rawOf } from './raw.ts'
import { patched } from './patch.ts'
import { makeVersion } from './version.ts'

/** Cells that can be changed by hand; more than this is work for another step. */
export const EDITS_LIMIT = 10_000

/** Edits that the earlier recipes hold together, each of which lists its own; beyond it a call joins the change before it. */
const PAST_EDITS_LIMIT = 50_000

/**
 * Changes cells of current rows; `value: null` gives a cell back as the steps before made it. What one call changes is one
 * change of the recipe, which `undo` takes back. Throws E_ARGUMENT for a row or column that is not there or was made by a step, E_LIMIT, E_NOT_FOUND.
 */
export function editCells(
  store: Store,
  id: string,
  changes: readonly CellChange[],
  context: CallContext,
): Promise<Dataset> {
  if (!Array.isArray(changes) || !changes.every((change) => typeof change === 'object' && change !== null))
    throw new GraftError(
      'E_ARGUMENT',
      'edit takes a list of changes, such as [{ row: 0, column: "text", value: "new" }].',
    )
  return whileWriting(async () => {
    const dataset = await getDataset(store, id)
    const record = await readRecipe(store, id)
    const before = record?.recipe ?? emptyRecipe()
    const last = before.steps.at(-1)
    const open = last?.kind === 'edit' && last.enabled !== false ? last : null
    const edits = new Map((open?.edits ?? []).map((edit) => [keyOf(edit), edit]))
    for (const { row, column, value } of changes) {
      const raw = rawRow(dataset, record?.ids, record?.synthetic, row)
      if (!dataset.columns.some(({ name }) => name === column))
        throw new GraftError('E_ARGUMENT', `edit: there is no column "${String(column)}".`, { column })
      if (value !== null && typeof value !== 'string')
        throw new GraftError('E_ARGUMENT', 'edit: value must be a text, or null to take the edit back.')
      if (value === null) edits.delete(keyOf({ row: raw, column }))
      else edits.set(keyOf({ row: raw, column }), { row: raw, column, value })
    }
    if (edits.size > EDITS_LIMIT)
      throw new GraftError(
        'E_LIMIT',
        `At most ${EDITS_LIMIT.toLocaleString('en')} cells can be changed by hand. Use another step of the recipe for more.`,
      )
    const others = open ? before.steps.slice(0, -1) : before.steps
    const step: EditStep[] = edits.size > 0 ? [{ ...open, kind: 'edit', edits: [...edits.values()] }] : []
    const recipe: Recipe = { ...before, steps: [...others, ...step] }
    const known = record?.past ?? []
    const kept = known.reduce((sum, { steps }) => sum + editsOf(steps), 0)
    const joins = open !== null && kept + open.edits.length > PAST_EDITS_LIMIT
    const past = joins ? known : [...known, before].slice(-UNDO_LIMIT)
    const split = await splitOf(store, id)
    return (
      (await patched(store, dataset, record, { changes, recipe, past, split }, context)) ??
      makeVersion(store, rawOf(dataset), split, recipe, past, context)
    )
  })
}

function rawRow(
  dataset: Dataset,
  ids: Uint32Array | undefined,
  synthetic: Uint8Array | undefined,
  row: number,
): number {
  if (!Number.isInteger(row) || row < 0 || row >= dataset.rows)
    throw new GraftError(
      'E_ARGUMENT',
      `edit: row must be from 0 to ${dataset.rows - 1}, but is ${String(row)}.`,
      { row },
    )
  if (synthetic?.[row])
    throw new GraftError(
      'E_ARGUMENT',
      'This row was made by a step of the recipe. Change the row that it was made from, or the step.',
      { row },
    )
  return ids?.[row] ?? row
}

function editsOf(steps: readonly RecipeStep[]): number {
  return steps.reduce((sum, step) => sum + (step.kind === 'edit' ? step.edits.length : 0), 0)
}

function keyOf({ row, column }: { row: number; column: string }): string {
  return `${row} ${column}`
}
