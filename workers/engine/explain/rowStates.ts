// Texts, or rows of a dataset, as the ids and states that layers are compared by.
import { permutation } from '../../../src/core/rng.ts'
import type { SplitName } from '../../../src/protocol/data.ts'
import { SPLIT_NAMES } from '../../../src/protocol/data.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { Example } from '../../../src/core/train/objective.ts'
import { getDataset } from '../../../src/store/datasets.ts'
import { DatasetRows, taskOf } from '../rows.ts'
import type { ResolvedTarget } from '../targets.ts'
import type { Desk } from './desk.ts'

/** Tokens kept of a row of a base's dataset: the default of training. */
const DEFAULT_LENGTH = 256

export interface RowsWanted {
  dataset: string
  split?: SplitName
  rows: number
  seed: number
  /** 'classify': the dataset must be set up for it. */
  task?: 'classify'
}

/** Seeded rows of a part of a dataset as examples, and the labels they count by (classify only). */
export async function drawRows(
  desk: Desk,
  { base, run, labels: own }: ResolvedTarget,
  { dataset, split = 'train', rows, seed, task }: RowsWanted,
): Promise<{ examples: Example[]; labels: string[] | null }> {
  if (!SPLIT_NAMES.includes(split))
    throw new GraftError(
      'E_ARGUMENT',
      `There is no part "${String(split)}". There are: ${SPLIT_NAMES.join(', ')}.`,
    )
  const data = await getDataset(desk.store, dataset)
  const taskConfig = taskOf(data, task)
  const labels = taskConfig.task === 'classify' ? (data.labels ?? own) : null
  const maxLength = run?.config.training.maxLength ?? Math.min(DEFAULT_LENGTH, base.info.context)
  const source = await DatasetRows.open(
    desk.store,
    { dataset: data, taskConfig, labels, tokenizer: base.tokenizer, maxLength },
    split,
  )
  const places = permutation({ seed, purpose: 'sample' }, source.rows).subarray(0, rows)
  const examples = await source.get([...places].sort((a, b) => a - b))
  return { examples: examples.filter(({ ids }) => ids.length > 0), labels }
}

/** Throws E_DATASET where there are fewer rows than a method needs. */
export function checkRows(found: number, least: number): void {
  if (found < least)
    throw new GraftError(
      'E_DATASET',
      `${found} ${found === 1 ? 'row' : 'rows'} can be read here; at least ${least} are needed. Give more texts, or choose another dataset or part.`,
      { rows: found, least },
    )
}
