// The quick way of an edit by hand. The edits are the last step of the recipe, so cells that nobody edited before can be written
// over the rows as they are: the thousands of rows that hold them are written anew, all others stay where they are, and no step
// runs again. What else an edit may be (taken back, made twice) is made by the recipe as a whole.
import { ColumnCounter, columnOf } from '../../src/data/columns.ts'
import type { Column, Dataset } from '../../src/protocol/data.ts'
import { asGraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { Recipe, StepReport } from '../../src/protocol/recipe.ts'
import type { CellChange, CellEdit } from '../../src/protocol/table.ts'
import type { RecipeRecord, Store } from '../../src/store/database.ts'
import { BATCH_ROWS, eachBatch, readParts, readRows } from '../../src/store/datasets.ts'
import { removeVersion, saveVersion } from '../../src/store/recipes.ts'
import { configured } from '../configure.ts'
import { RowSink } from '../import/rowSink.ts'
import { NO_PART } from '../../src/data/split.ts'
import { rawOf } from './raw.ts'
import { typedAs, type RawSplit } from './version.ts'

interface Edited {
  changes: readonly CellChange[]
  /** The recipe with the changes, and those before it. */
  recipe: Recipe
  past: Recipe[]
  split: RawSplit
}

/** The dataset with its cells changed, or null where the recipe must be made as a whole. Throws E_STORAGE, E_ABORTED. */
export async function patched(
  store: Store,
  dataset: Dataset,
  record: RecipeRecord | undefined,
  { changes, recipe, past, split }: Edited,
  { signal }: CallContext,
): Promise<Dataset | null> {
  const edits = changes as (CellChange & { value: string })[]
  const names = dataset.columns.map(({ name }) => name)
  const cell = (edit: { row: number; column: string }): string => `${edit.row} ${edit.column}`
  const known = new Set(dataset.edits?.map(cell))
  const fresh = new Set(edits.map(cell))
  if (edits.some((edit) => edit.value === null || known.has(cell(edit))) || fresh.size < edits.length)
    return null
  // What a row weighs may hang on the cell, and with balanced weights that of all others does too.
  if (weighs(recipe, edits)) return null
  // Before any recipe, rows may wait for their part: the recipe's way gives them one.
  if (!dataset.version && (split.parts.length < dataset.rows || split.parts.includes(NO_PART))) return null

  const byThousand = new Map<number, typeof edits>()
  for (const edit of edits) {
    const thousand = Math.floor(edit.row / BATCH_ROWS)
    byThousand.set(thousand, [...(byThousand.get(thousand) ?? []), edit])
  }
  const before = new Set((dataset.edits ?? []).map(({ row }) => row))
  const changed = new Set<number>()
  const patches: [number, string][] = (dataset.version?.patches ?? []).filter(
    ([thousand]) => !byThousand.has(thousand),
  )
  const written: string[] = []
  try {
    for (const [thousand, ofThousand] of byThousand) {
      const start = thousand * BATCH_ROWS
      const rows = await readRows(store, dataset, start, BATCH_ROWS)
      for (const { row, column, value } of ofThousand) {
        const place = names.indexOf(column)
        // An edit that changes nothing is for the recipe to count.
        if (rows[row - start]![place] === value) return null
        rows[row - start]![place] = value
        changed.add(row)
      }
      const key = `${dataset.id}/${crypto.randomUUID()}`
      written.push(key)
      const sink = new RowSink(store, key, start)
      await sink.take(rows, names)
      await sink.finish(names)
      patches.push([thousand, key])
    }
    const raw = rawOf(dataset)
    const { rows: base = dataset.id, synthetic = 0, weights } = dataset.version ?? {}
    const next: Dataset = {
      ...dataset,
      edits: inOrder([...(dataset.edits ?? []), ...edits]),
      version: {
        rows: base,
        patches,
        raw: { rows: raw.rows, columns: raw.columns },
        synthetic,
        steps: recipe.steps.filter(({ enabled }) => enabled !== false).length,
        ...(weights && { weights }),
      },
    }
    next.columns = await recounted(store, next, new Set(edits.map(({ column }) => column)), signal)
    const label = dataset.config?.columns.label
    const made =
      dataset.config && label !== undefined && edits.some(({ column }) => column === label)
        ? await configured(store, next, dataset.config, signal)
        : next
    throwIfAborted(signal)
    const parts = await readParts(store, dataset.id)
    const grown = [...changed].filter((row) => !before.has(row)).length
    await saveVersion(
      store,
      made,
      { ...parts, raw: split.parts },
      {
        ...record,
        id: dataset.id,
        recipe,
        past,
        reports: reportsOf(record, recipe, dataset.rows, grown),
        ids: record?.ids ?? Uint32Array.from({ length: dataset.rows }, (_, row) => row),
        synthetic: record?.synthetic ?? new Uint8Array(dataset.rows),
      },
    )
    written.length = 0
    return made
  } catch (error) {
    // Labels that no longer serve the task: the recipe's way puts the task aside.
    if (asGraftError(error).code === 'E_DATASET') return null
    throw error
  } finally {
    for (const key of written) await removeVersion(store, key).catch(() => undefined)
  }
}

/** Whether a step weighs rows by a column that is edited. */
function weighs({ steps }: Recipe, edits: readonly { column: string }[]): boolean {
  return steps.some(
    (step) =>
      step.kind === 'weigh' && step.enabled !== false && edits.some(({ column }) => column === step.column),
  )
}

/** The columns with those that were edited counted anew. */
async function recounted(
  store: Store,
  dataset: Dataset,
  edited: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Column[]> {
  const counters = new Map([...edited].map((name) => [name, new ColumnCounter(name)]))
  for await (const { rows } of eachBatch(store, dataset)) {
    throwIfAborted(signal)
    for (const [place, { name }] of dataset.columns.entries()) counters.get(name)?.addColumn(rows, place)
  }
  return dataset.columns.map((column) => {
    const counter = counters.get(column.name)
    return counter ? typedAs(rawOf(dataset).columns, columnOf(counter.profile())) : column
  })
}

/** As the recipe's way lists them: by row, and in a row as they were made. */
function inOrder(edits: readonly CellEdit[]): CellEdit[] {
  return edits.map(({ row, column, value }) => ({ row, column, value })).sort((a, b) => a.row - b.row)
}

function reportsOf(
  record: RecipeRecord | undefined,
  recipe: Recipe,
  rows: number,
  grown: number,
): (StepReport | null)[] {
  const known = record?.reports ?? []
  const last = recipe.steps.length - 1
  const report = known[last] ?? { before: rows, after: rows, changed: 0, removed: 0, added: 0 }
  return recipe.steps.map((_, step) =>
    step === last ? { ...report, changed: report.changed + grown } : (known[step] ?? null),
  )
}
