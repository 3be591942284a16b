// Rows that a base or a run writes after examples of the training part: asked for, cut, judged, and handed out as a step of the
// recipe. Nothing is stored here, so what is cancelled leaves nothing behind. Answers are judged in rounds, for the comparison
// with all rows of the dataset is one walk over them.
import type { Turns } from '../../src/core/turns.ts'
import { labelModel } from '../../src/data/augment/written/labelModel.ts'
import { Judge } from '../../src/data/augment/written/judge.ts'
import { Pool } from '../../src/data/augment/written/pool.ts'
import { readAnswer, writePrompt, type WritePrompt } from '../../src/data/augment/written/prompt.ts'
import { writeSettings, type WriteSettings } from '../../src/data/augment/written/settings.ts'
import {
  cellsOf,
  columnsOf,
  rowReader,
  shapeOf,
  textOf,
  type RowShape,
  type WrittenRow,
} from '../../src/data/augment/written/shape.ts'
import { renderPrompt } from '../../src/data/templates.ts'
import { SPLIT_NAMES, type Dataset } from '../../src/protocol/data.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { WriteForm, WriteRowsRequest, WrittenRows } from '../../src/protocol/written.ts'
import type { Store } from '../../src/store/database.ts'
import { eachBatch, getDataset, readParts } from '../../src/store/datasets.ts'
import { readRecipe } from '../../src/store/recipes.ts'
import { checkGeneration } from './questions.ts'
import { taskOf } from './rows.ts'
import type { ResolvedTarget } from './targets.ts'
import { secondsLeft } from './time.ts'
import { refuseClassifier, writeText } from './writeText.ts'

/** Tokens of an answer in place of a setting: of three rows, within these bounds. */
const ANSWER_ROWS = 3
const ANSWER_TOKENS: readonly [number, number] = [48, 512]
/** Rows that a message asks for. */
const ASKED_ROWS = 5
const TRAIN = SPLIT_NAMES.indexOf('train')

interface Source {
  store: Store
  dataset: Dataset
  shape: RowShape
  pool: Pool
}

/** Throws E_ARGUMENT, E_NOT_FOUND, E_DATASET where no example is there, E_LIMIT where not even one fits, E_ABORTED. */
export async function writeRows(
  { store, turns }: { store: Store; turns: Turns },
  resolved: ResolvedTarget,
  id: string,
  request: WriteRowsRequest,
  { signal, progress }: CallContext,
): Promise<WrittenRows> {
  const { base, taskConfig, labels: classes } = resolved
  refuseClassifier(base, classes)
  const settings = writeSettings(request)
  checkGeneration({ ...settings, maxTokens: settings.maxTokens ?? 1 })
  const dataset = await getDataset(store, id)
  const source = await sourceOf(store, dataset, settings.seed, signal)
  const { shape, pool } = source
  const labels = wantedLabels(dataset, source, settings)
  const trained = taskConfig && (taskConfig.task === 'instruct' || taskConfig.task === 'chat')
  const form: WriteForm =
    settings.form ?? ((taskConfig ? trained : base.tokenizer.hasChatTemplate) ? 'chat' : 'list')

  const pause = async (): Promise<void> => {
    // The engine's other work goes on.
    await new Promise((done) => setTimeout(done))
    throwIfAborted(signal)
  }
  const model =
    shape.label !== null && settings.checkLabels ? await labelModel(pool, settings.seed, pause) : null
  const judge = new Judge(settings.threshold, model?.fits)
  const asked = new Map<string | null, number>()
  const started = performance.now()
  const total = settings.count * labels.length
  let answers = 0
  let tokens = 0
  const report = (label: string | null, text: string): void => {
    const done = labels.reduce((sum, one) => sum + has(one), 0)
    progress({
      label: label === null ? 'Writing rows' : `Writing rows for ${label}`,
      done,
      total,
      unit: 'rows',
      ...(done > 0 && { secondsLeft: secondsLeft(started, done, total) }),
      text,
    })
  }
  const has = (label: string | null): number =>
    Math.min(settings.count, judge.acceptedOf(label) + judge.waiting(label))
  const open = (label: string | null): boolean =>
    has(label) < settings.count && (asked.get(label) ?? 0) < settings.count * settings.tries

  while (labels.some(open)) {
    for (const label of labels)
      while (open(label)) {
        throwIfAborted(signal)
        const answer = asked.get(label) ?? 0
        asked.set(label, answer + 1)
        const { prompt, ids, shown, maxTokens } = question(resolved, source, settings, form, label, answer)
        const sampling = { ...settings, maxTokens, seed: pool.seedOf(label, answer) }
        report(label, '')
        const written = await writeText(
          resolved,
          turns,
          { ids, settings: sampling, stop: prompt.stop },
          signal,
          (text) => report(label, text),
        )
        answers++
        tokens += written.tokens.length
        const [least, most] = pool.lengths(label, settings.lengths)
        const system = shown.every((row) => row.system === shown[0]!.system) ? shown[0]!.system : ''
        for (const candidate of readAnswer(prompt, shape, written.text, written.stopReason !== 'length')) {
          if (has(label) === settings.count) break
          judge.offer(candidate, { label, system }, [least, most], shown)
        }
      }
    await judge.settle(everyRow(source, signal))
  }

  const rows = judge.accepted.map((row) => cellsOf(shape, row))
  const columns = columnsOf(shape)
  return {
    columns,
    rows,
    answers,
    tokens,
    seconds: (performance.now() - started) / 1000,
    refused: judge.refused,
    labels: labels.map((label) => ({ label, wanted: settings.count, accepted: judge.acceptedOf(label) })),
    step:
      rows.length === 0
        ? null
        : { kind: 'addRows', columns, rows, origin: originOf(resolved, settings, form, model !== null) },
  }
}

/** One walk over the rows: what examples may come from. Rows that a step made teach nobody to write. */
async function sourceOf(store: Store, dataset: Dataset, seed: number, signal: AbortSignal): Promise<Source> {
  const names = dataset.columns.map(({ name }) => name)
  const shape = shapeOf(taskOf(dataset), names)
  const read = rowReader(shape, names)
  const { parts } = await readParts(store, dataset.id)
  const record = dataset.version ? await readRecipe(store, dataset.id) : undefined
  const pool = new Pool(seed)
  for await (const { start, rows } of eachBatch(store, dataset)) {
    throwIfAborted(signal)
    for (const [i, cells] of rows.entries()) {
      const at = start + i
      if (parts[at] !== TRAIN || record?.synthetic?.[at]) continue
      const row = read(cells)
      if (row) pool.add(row, record?.ids?.[at] ?? at)
    }
  }
  return { store, dataset, shape, pool }
}

async function* everyRow(
  { store, dataset, shape }: Source,
  signal: AbortSignal,
): AsyncGenerator<(WrittenRow | null)[]> {
  const read = rowReader(
    shape,
    dataset.columns.map(({ name }) => name),
  )
  for await (const { rows } of eachBatch(store, dataset)) {
    throwIfAborted(signal)
    yield rows.map((cells) => read(cells))
  }
}

function wantedLabels(
  dataset: Dataset,
  { shape, pool }: Source,
  { labels }: WriteSettings,
): (string | null)[] {
  if (shape.label === null) {
    if (labels)
      throw new GraftError('E_ARGUMENT', `The rows of ${dataset.name} have no labels. Leave labels out.`)
    if (pool.size(null) === 0)
      throw new GraftError(
        'E_DATASET',
        `The training part of ${dataset.name} has no row to take as an example.`,
      )
    return [null]
  }
  const wanted = [
    ...new Set(labels ?? dataset.labels ?? pool.labels.filter((label) => label !== null).sort()),
  ]
  const without = wanted.filter((label) => pool.size(label) === 0)
  if (without.length > 0 || wanted.length === 0)
    throw new GraftError(
      'E_DATASET',
      wanted.length === 0
        ? `The training part of ${dataset.name} has no row to take as an example.`
        : `The training part of ${dataset.name} has no row labelled ${without.join(', ')} to take as an example. Choose other labels, or split the dataset again.`,
      { labels: without },
    )
  return wanted
}

/** The question for an answer, with as many examples as leave room for it. */
function question(
  { base }: ResolvedTarget,
  { shape, pool }: Source,
  settings: WriteSettings,
  form: WriteForm,
  label: string | null,
  answer: number,
): { prompt: WritePrompt; ids: number[]; shown: WrittenRow[]; maxTokens: number } {
  const drawn = pool.examples(label, settings.examples, answer)
  const lengths = drawn.map((row) => base.tokenizer.encode(textOf(row), { special: false }).length)
  const mean = lengths.reduce((sum, length) => sum + length, 0) / drawn.length
  const [fewest, largest] = ANSWER_TOKENS
  const maxTokens = settings.maxTokens ?? Math.max(fewest, Math.min(largest, Math.ceil(mean * ANSWER_ROWS)))
  const { context } = base.model.architecture
  const blocks = shape.parts.length > 1 || pool.severalLines(label)
  for (let count = drawn.length; count > 0; count--) {
    const shown = drawn.slice(0, count)
    const prompt = writePrompt(form, shape, shown, ASKED_ROWS, blocks)
    const asked = form === 'chat' ? [{ role: 'user', content: prompt.text }] : prompt.text
    const { ids } = renderPrompt(null, base.tokenizer, asked)
    if (ids.length + maxTokens <= context) return { prompt, ids, shown, maxTokens }
  }
  throw new GraftError(
    'E_LIMIT',
    `${base.info.name} reads ${context} tokens, and one row with an answer of ${maxTokens} tokens does not fit. Choose another base, or shorten the answer (maxTokens) or the rows.`,
    { context, maxTokens },
  )
}

/** Where the rows come from, for the recipe and the datasheet. */
function originOf(
  { base, run, trainable }: ResolvedTarget,
  settings: WriteSettings,
  form: WriteForm,
  labelsChecked: boolean,
): string {
  const { examples, seed, temperature, topK, topP, minP, repetitionPenalty, threshold, lengths } = settings
  const who = run ? `the run ${run.config.name} (${base.info.name})` : base.info.name
  const parts = [
    `${who}${!run && trainable.adaptation ? ' with an adapter' : ''}`,
    `${examples} examples an answer as a ${form === 'chat' ? 'message' : 'list'}`,
    `seed ${seed}`,
    `temperature ${temperature}`,
    `top-k ${topK}`,
    `top-p ${topP}`,
    minP > 0 && `min-p ${minP}`,
    repetitionPenalty !== 1 && `repetition penalty ${repetitionPenalty}`,
    settings.maxTokens !== undefined && `at most ${settings.maxTokens} tokens`,
    labelsChecked && 'labels checked',
    `similarity below ${threshold}`,
    `lengths within the quantiles ${lengths[0]} and ${lengths[1]}`,
  ]
  return parts.filter((part) => typeof part === 'string').join(', ')
}
