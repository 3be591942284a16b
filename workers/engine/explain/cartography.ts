// graft.explain.cartography: easy, ambiguous and hard training rows, from what a run recorded while it trained.
import { cartographyOf, LEAST_EPOCHS } from '../../../src/core/explain/influence/cartography.ts'
import { taskCells } from '../../../src/data/examples.ts'
import { GraftError, throwIfAborted } from '../../../src/protocol/errors.ts'
import type { Run } from '../../../src/protocol/run.ts'
import { readRowEpochs } from '../../../src/store/rowEpochs.ts'
import { checkCount } from './checks.ts'
import type { Explainer } from './desk.ts'
import { runOf, trainingRows } from './trainingRows.ts'

/** Rows whose cells are read at once. */
const READ_ROWS = 2000
const EPOCHS_LIMIT = 1000

export const cartography: Explainer<'cartography'> = async (desk, target, request, context) => {
  const { epochs: least = LEAST_EPOCHS } = request
  checkCount('epochs', least, LEAST_EPOCHS, EPOCHS_LIMIT)
  const run = await runOf(desk, target)
  const recorded = await readRowEpochs(desk.store, run.id)
  if (recorded.length < least) throw tooFewEpochs(run, recorded.length, least)
  const { tokenizer } = await desk.models.use(run.config.model)
  const { dataset, source } = await trainingRows(desk, run, tokenizer)
  const labels = run.labels && new Int32Array(source.rows)
  if (labels) {
    const known = new Map(run.labels!.map((label, index) => [label, index]))
    const columns = dataset.columns.map(({ name }) => name)
    const cellsOf = taskCells(run.taskConfig, columns)
    for (let start = 0; start < source.rows; start += READ_ROWS) {
      throwIfAborted(context.signal)
      const count = Math.min(READ_ROWS, source.rows - start)
      const cells = await source.cells(Array.from({ length: count }, (_, i) => start + i))
      cells.forEach((row, i) => (labels[start + i] = known.get(cellsOf(row).label.trim()) ?? -1))
      context.progress({ label: 'Reading labels', done: start + count, total: source.rows, unit: 'rows' })
    }
  }
  const { places, ...found } = cartographyOf(recorded, labels, least)
  if (places.length === 0) throw tooFewEpochs(run, recorded.length - 1, least)
  const { indices } = source
  return {
    ...found,
    rows: Int32Array.from(places, (place) => indices[place]!),
    label: labels && Int32Array.from(places, (place) => labels[place]!),
    labels: run.labels,
    recorded: recorded.length,
  }
}

function tooFewEpochs({ id, config, status }: Run, found: number, least: number): GraftError {
  const { epochs, recordRows, labelSmoothing } = config.training
  const advice = !recordRows
    ? 'It was trained without recording its rows: train again with "Record rows" on (training.recordRows)'
    : config.task !== 'classify' && labelSmoothing > 0
      ? 'With label smoothing a language model does not tell of single rows: train again with labelSmoothing 0'
      : status === 'running' || status === 'paused'
        ? 'Wait until it has gone further; rows are written down with its checkpoints'
        : `Train again with ${Math.max(least, Math.ceil(epochs))} epochs or more`
  return new GraftError(
    'E_ARGUMENT',
    `A map of training rows needs ${least} epochs, and this run has ${found === 0 ? 'none' : found} on record. ${advice}.`,
    { run: id, epochs: found, needed: least },
  )
}
