// Rows as the model reads them in training: made by the functions that make the training examples, and written back from
// their ids, so that what is shown is what is learnt, cuts and unknown characters included.
import { IGNORED } from '../../src/data/examples.ts'
import type { TextTokenizer } from '../../src/data/tokenizer.ts'
import {
  SPLIT_NAMES,
  type Dataset,
  type RenderedPiece,
  type RenderedRow,
  type TaskConfig,
} from '../../src/protocol/data.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { Store } from '../../src/store/database.ts'
import { getDataset, readParts, readRows } from '../../src/store/datasets.ts'
import { readRecipe } from '../../src/store/recipes.ts'
import type { ModelLibrary } from './models.ts'
import { exampleMaker, taskOf, type RowExample } from './rows.ts'

/** Rows rendered at once: a page of them, not a dataset. */
export const RENDER_LIMIT = 100
/** Tokens kept of a row unless asked otherwise: the default of training. */
const DEFAULT_LENGTH = 256
const TRAIN = SPLIT_NAMES.indexOf('train')

export interface RenderRequest {
  dataset: string
  model: string
  offset: number
  limit: number
  /** Longest example in tokens; default as in training. */
  maxLength?: number
  /** How rows become examples, before it is confirmed; default: as confirmed, else as suggested. */
  config?: TaskConfig
  /** Whether every token is listed. */
  tokens?: boolean
}

/** Throws E_ARGUMENT for numbers out of range, E_NOT_FOUND, E_DATASET where the task's columns are not there. */
export async function renderRows(
  { store, models }: { store: Store; models: ModelLibrary },
  { dataset: id, model, offset, limit, maxLength, config, tokens }: RenderRequest,
  signal?: AbortSignal,
): Promise<RenderedRow[]> {
  check('offset', offset, 0)
  check('limit', limit, 0)
  if (maxLength !== undefined) check('maxLength', maxLength, 1)
  const dataset = await getDataset(store, id)
  const taskConfig = config ?? taskOf(dataset)
  const { tokenizer, info } = await models.use(model)
  throwIfAborted(signal)
  const rows = await readRows(store, dataset, offset, Math.min(limit, RENDER_LIMIT))
  const classify = taskConfig.task === 'classify'
  const place = dataset.columns.findIndex(({ name }) => name === taskConfig.columns.label)
  const labelOf = (cells: string[]) => (cells[place] ?? '').trim()
  // Before it is confirmed nobody has counted the labels; then those of these rows stand for all.
  const same = dataset.config !== null && dataset.config.columns.label === taskConfig.columns.label
  const labels = !classify
    ? null
    : same && dataset.labels
      ? dataset.labels
      : [...new Set(rows.map(labelOf))].filter((label) => label !== '')
  const make = exampleMaker({
    dataset,
    taskConfig,
    labels,
    tokenizer,
    maxLength: Math.min(maxLength ?? DEFAULT_LENGTH, info.context),
  })
  const weightOf = await weightsOf(store, dataset)
  return rows.map((cells, i) => ({
    ...rendered(tokenizer, make(cells), offset + i, classify ? labelOf(cells) : null, tokens),
    ...weightOf(offset + i),
  }))
}

async function weightsOf(store: Store, dataset: Dataset): Promise<(row: number) => { weight?: number }> {
  const weights = dataset.version?.weights && (await readRecipe(store, dataset.id))?.weights
  if (!weights) return () => ({})
  const { parts } = await readParts(store, dataset.id)
  return (row) => (parts[row] === TRAIN ? { weight: weights[row]! } : {})
}

function rendered(
  tokenizer: TextTokenizer,
  example: RowExample,
  index: number,
  label: string | null,
  listed = false,
): RenderedRow {
  const { ids, truncated, problem = null } = example
  const trained = ids.map((_, i) => 'labels' in example && example.labels[i] !== IGNORED)
  return {
    index,
    pieces: piecesOf(tokenizer, ids, trained),
    tokens: ids.length,
    trainedTokens: 'labels' in example ? example.trained : 0,
    truncated,
    label,
    problem,
    ...(listed && { list: { ids, texts: tokenizer.tokens(ids), trained } }),
  }
}

/** Stretches of equal treatment, special tokens one by one; joined they are the decoded text. */
export function piecesOf(tokenizer: TextTokenizer, ids: number[], trained: boolean[]): RenderedPiece[] {
  const pieces: RenderedPiece[] = []
  let before = ''
  let begin = 0
  while (begin < ids.length) {
    const special = tokenizer.isSpecial(ids[begin]!)
    let end = begin + 1
    while (!special && end < ids.length && trained[end] === trained[begin] && !tokenizer.isSpecial(ids[end]!))
      end++
    // Decoded with what stands before it: spaces and characters of several tokens depend on it.
    const through = decode(tokenizer, ids.slice(0, end))
    const text = through.startsWith(before)
      ? through.slice(before.length)
      : decode(tokenizer, ids.slice(begin, end))
    before = through
    pieces.push({ text, trained: trained[begin]!, ...(special ? { special } : {}) })
    begin = end
  }
  return pieces
}

function decode(tokenizer: TextTokenizer, ids: number[]): string {
  return tokenizer.decode(ids, { special: true, exact: true })
}

function check(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new GraftError(
      'E_ARGUMENT',
      `render: ${name} must be a whole number from ${least}, but is ${String(value)}.`,
      { [name]: value },
    )
}
