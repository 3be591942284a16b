// The rows that a run was trained on, as they were then: refused where the dataset is gone or its rows are others now.
import { GraftError } from '../../../src/protocol/errors.ts'
import type { Run } from '../../../src/protocol/run.ts'
import type { Target } from '../../../src/protocol/target.ts'
import type { TextTokenizer } from '../../../src/data/tokenizer.ts'
import { getDataset } from '../../../src/store/datasets.ts'
import { getRun } from '../../../src/store/runs.ts'
import { dataKey, DatasetRows } from '../rows.ts'
import type { Desk } from './desk.ts'

/** The run behind a target. Throws E_ARGUMENT for a base or an imported adapter. */
export async function runOf(desk: Desk, target: Target): Promise<Run> {
  if ('run' in target) return getRun(desk.store, target.run)
  throw new GraftError(
    'E_ARGUMENT',
    'Only runs know the rows that they were trained on. Choose a run in place of a base or an imported adapter.',
  )
}

/** Throws E_NOT_FOUND where the dataset was removed, E_DATASET where its training rows are not those of the run. */
export async function trainingRows(
  { store }: Desk,
  { config, taskConfig, labels, dataKey: key, rows, datasetName }: Run,
  tokenizer: TextTokenizer,
) {
  const dataset = await getDataset(store, config.dataset)
  const reading = { dataset, taskConfig, labels, tokenizer, maxLength: config.training.maxLength }
  const source = await DatasetRows.open(store, reading, 'train')
  if (source.rows !== rows || (await dataKey(store, dataset.id, taskConfig)) !== key)
    throw new GraftError(
      'E_DATASET',
      `The split or the recipe of ${datasetName} has changed since this run began, so its rows are not those that it was trained on. Undo the change, or train again.`,
      { dataset: dataset.id },
    )
  return { dataset, source }
}
