// A dataset with a task: its columns checked, its labels collected.
import { optionalColumns, requiredColumns, taskCells } from '../src/data/examples.ts'
import { CATEGORY_VALUES_LIMIT } from '../src/data/columns.ts'
import type { Dataset, TaskColumns, TaskConfig } from '../src/protocol/data.ts'
import { GraftError, throwIfAborted } from '../src/protocol/errors.ts'
import type { Store } from '../src/store/database.ts'
import { eachBatch } from '../src/store/datasets.ts'

const TASKS = ['classify', 'instruct', 'chat', 'complete'] as const

/** Labels of a score head: fewer teach nothing, more do not fit what a head is for. */
export const LABELS_MINIMUM = 2
export const LABELS_LIMIT = CATEGORY_VALUES_LIMIT

/** The dataset under a task. Throws E_ARGUMENT for an unknown task, E_DATASET where columns or labels do not serve it. */
export async function configured(
  store: Store,
  dataset: Dataset,
  given: TaskConfig,
  signal: AbortSignal,
): Promise<Dataset> {
  if (!TASKS.includes(given.task))
    throw new GraftError(
      'E_ARGUMENT',
      `The task must be one of ${TASKS.join(', ')}, but is ${String(given.task)}.`,
    )
  if (typeof given.columns !== 'object' || given.columns === null)
    throw new GraftError('E_ARGUMENT', 'A task needs its columns, such as { text: "..." }.')
  if (given.turns !== undefined && given.turns !== 'all' && given.turns !== 'last')
    throw new GraftError(
      'E_ARGUMENT',
      `turns must be "all" or "last", but is ${String(given.turns as unknown)}.`,
    )
  taskCells(given, columnNames(dataset))
  const used = [
    ...requiredColumns(given),
    ...optionalColumns(given).filter((role) => given.columns[role] !== undefined),
  ]
  const columns: TaskColumns = {}
  for (const role of used) columns[role] = given.columns[role]!
  const twice = used.find((role, i) => used.findIndex((other) => columns[other] === columns[role]) < i)
  if (twice)
    throw new GraftError(
      'E_DATASET',
      `The column "${columns[twice]}" is chosen twice; choose another for the ${twice}.`,
    )
  const config: TaskConfig = { task: given.task, columns }
  if (given.task === 'complete' && columns.prompt !== undefined) config.separator = given.separator ?? ''
  if (given.task === 'chat' && given.turns !== undefined) config.turns = given.turns
  const labels =
    given.task === 'classify' ? await collectLabels(store, dataset, columns.label!, signal) : null
  return { ...dataset, config, labels }
}

/** The trimmed cells of a column, in the order of the rows. Throws E_DATASET if there is no such column. */
export async function columnValues(
  store: Store,
  dataset: Dataset,
  name: string,
  signal: AbortSignal,
): Promise<string[]> {
  const place = columnNames(dataset).indexOf(name)
  if (place < 0)
    throw new GraftError(
      'E_DATASET',
      `The dataset has no column "${name}". Its columns: ${columnNames(dataset).join(', ')}.`,
      { column: name },
    )
  const values: string[] = []
  for await (const { rows } of eachBatch(store, dataset)) {
    throwIfAborted(signal)
    for (const cells of rows) values.push((cells[place] ?? '').trim())
  }
  return values
}

async function collectLabels(
  store: Store,
  dataset: Dataset,
  column: string,
  signal: AbortSignal,
): Promise<string[]> {
  const found = new Set(await columnValues(store, dataset, column, signal))
  found.delete('')
  const wrong =
    found.size < LABELS_MINIMUM
      ? `${found.size === 0 ? 'no label' : 'a single label'}; at least ${LABELS_MINIMUM} are needed to tell apart`
      : found.size > LABELS_LIMIT
        ? `${found.size} different labels; at most ${LABELS_LIMIT} are taken`
        : null
  if (wrong)
    throw new GraftError(
      'E_DATASET',
      `The column "${column}" has ${wrong}. Choose another label column or task.`,
      {
        column,
        labels: found.size,
      },
    )
  return [...found].sort(byCodePoint)
}

/** Plain `<` compares UTF-16 units, which puts characters beyond the first plane before U+E000. */
function byCodePoint(a: string, b: string): number {
  const left = [...a]
  const right = [...b]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

function columnNames(dataset: Dataset): string[] {
  return dataset.columns.map((column) => column.name)
}
