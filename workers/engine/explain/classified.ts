// Rows of a dataset as a classifier reads them, and what it says of each: what explanations over a dataset begin with.
import { answers, type Question } from '../../../src/core/explain/answers.ts'
import { answerPosition, type Asked } from '../../../src/core/explain/subject.ts'
import { softmaxRows } from '../../../src/core/explain/dataset/mistakes.ts'
import { permutation } from '../../../src/core/rng.ts'
import { taskCells } from '../../../src/data/examples.ts'
import { SPLIT_NAMES, type Dataset, type SplitName, type TaskConfig } from '../../../src/protocol/data.ts'
import { GraftError, throwIfAborted } from '../../../src/protocol/errors.ts'
import type { DatasetRowsChoice } from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import { getDataset, readParts, readRowsAt } from '../../../src/store/datasets.ts'
import { unnamed } from '../adapters.ts'
import { checkIds, inputIds } from '../questions.ts'
import { taskOf } from '../rows.ts'
import type { ResolvedTarget } from '../targets.ts'
import { secondsLeft } from '../time.ts'
import { checkCount, checkDataset, checkSeed } from './checks.ts'
import type { Desk } from './desk.ts'
import { checkRows } from './rowStates.ts'

/** Asked about at most; beyond, an answer would take hours. */
export const ROWS_LIMIT = 20_000
/** Rows that are read at once while they are drawn. */
const READ = 500

export interface ReadRow {
  /** Of the dataset, from 0. */
  index: number
  cells: string[]
  text: string
  ids: number[]
  /** Index of its label; -1 where the classifier does not know it. */
  gold: number
}

export interface ReadRows {
  dataset: Dataset
  taskConfig: TaskConfig
  split: SplitName
  labels: string[]
  /** In the order of the dataset. */
  rows: ReadRow[]
}

export interface Wanted {
  rows: number
  split: SplitName
  /** Fewer are refused. */
  least: number
  /** Only rows whose label the classifier knows. */
  labelled: boolean
}

/** Throws E_ARGUMENT for settings that all explanations over a dataset share. */
export function checkDatasetRows({ dataset, split, rows, seed }: DatasetRowsChoice, least: number): void {
  checkDataset(dataset)
  checkCount('rows', rows, least, ROWS_LIMIT)
  checkSeed(seed)
  if (split !== undefined && !SPLIT_NAMES.includes(split))
    throw new GraftError(
      'E_ARGUMENT',
      `There is no part "${String(split)}". There are: ${SPLIT_NAMES.join(', ')}.`,
      { split },
    )
}

/** Rows drawn with the seed that have a text. Throws E_ARGUMENT for a target that gives no labels. */
export async function readClassified(
  desk: Desk,
  resolved: ResolvedTarget,
  { dataset: id, seed = 0 }: DatasetRowsChoice,
  { rows: wanted, split, least, labelled }: Wanted,
  { signal }: CallContext,
): Promise<ReadRows> {
  const own = resolved.labels
  if (!own)
    throw new GraftError(
      'E_ARGUMENT',
      `${resolved.base.info.name} gives no labels here, and this explains how labels are given. Choose a classification run, or an adapter with a label head.`,
      { model: resolved.base.info.id },
    )
  const dataset = await getDataset(desk.store, id)
  const taskConfig = resolved.taskConfig ?? taskOf(dataset, 'classify')
  // Classes that nobody has named are taken in the order of the data's labels, as in evaluations.
  const labels = unnamed(own) && dataset.labels?.length === own.length ? dataset.labels : own
  const cellsOf = taskCells(
    taskConfig,
    dataset.columns.map(({ name }) => name),
  )
  const { parts } = await readParts(desk.store, id)
  const part = SPLIT_NAMES.indexOf(split)
  const places = Array.from(parts.keys()).filter((row) => parts[row] === part)
  const order = permutation({ seed, purpose: 'sample' }, places.length)
  const rows: ReadRow[] = []
  for (let start = 0; start < order.length && rows.length < wanted; start += READ) {
    throwIfAborted(signal)
    const indices = Array.from(order.subarray(start, start + READ), (at) => places[at]!)
    const found = await readRowsAt(desk.store, dataset, indices)
    for (const [i, cells] of found.entries()) {
      if (rows.length === wanted) break
      const { text, label } = cellsOf(cells)
      const gold = labels.indexOf(label.trim())
      if (text.trim() === '' || (labelled && gold < 0)) continue
      const ids = inputIds(resolved, { text })
      if (ids.length === 0) continue
      checkIds(ids, resolved.base.model.architecture)
      rows.push({ index: indices[i]!, cells, text, ids, gold })
    }
  }
  if (rows.length === 0 && labelled && places.length > 0)
    throw new GraftError(
      'E_DATASET',
      `The ${split} part of ${dataset.name} has no rows with a text and one of the labels ${labels.join(', ')}. Choose a dataset with these labels, or another part.`,
      { dataset: id, split },
    )
  checkRows(rows.length, least)
  return { dataset, taskConfig, split, labels, rows: rows.sort((a, b) => a.index - b.index) }
}

/** What explanations ask of the device. */
export function askedOf(desk: Desk, { base, trainable }: ResolvedTarget): Asked {
  return {
    model: base.model,
    trainable,
    turns: desk.turns,
    padId: base.padId,
    maskId: base.tokenizer.maskId,
  }
}

export interface Classified {
  /** [n, labels] */
  probabilities: Float64Array
  /** [n]: the most likely label, the first of equals. */
  predicted: number[]
}

/** What the classifier says of each row. */
export async function classified(
  asked: Asked,
  { rows, labels }: ReadRows,
  context: CallContext,
): Promise<Classified> {
  const started = performance.now()
  const questions = rows.map(({ ids }): Question => ({ ids, position: answerPosition(asked, ids.length) }))
  const { logits } = await answers(asked, questions, 'all', {
    signal: context.signal,
    onBatch: (done, total) =>
      context.progress({
        label: 'Asking about the rows',
        done,
        total,
        unit: 'rows',
        secondsLeft: secondsLeft(started, done, total),
      }),
  })
  const classes = labels.length
  return {
    probabilities: softmaxRows(logits, classes),
    predicted: rows.map((_, row) => {
      const own = logits.subarray(row * classes, (row + 1) * classes)
      return own.indexOf(own.reduce((a, b) => Math.max(a, b)))
    }),
  }
}
