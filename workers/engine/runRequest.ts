// What a request for a run comes to: its configuration with every default, checked, and the record that it begins with.
import { countTrainable } from '../../src/core/adapters/count.ts'
import { planAdapter, type AdapterPlan } from '../../src/core/adapters/plan.ts'
import { totalSteps } from '../../src/core/train/plan.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import { filmConfig } from '../../src/protocol/filmSettings.ts'
import { defaultAdapter, defaultTraining } from '../../src/protocol/settings.ts'
import type { Run, RunConfig, RunRequest } from '../../src/protocol/run.ts'
import type { Store } from '../../src/store/database.ts'
import { getDataset } from '../../src/store/datasets.ts'
import type { AdapterLibrary } from './adapters.ts'
import { beginningOf, continuedConfig, continuedLabels } from './continued.ts'
import { newFilm } from './film.ts'
import type { LoadedModel, ModelLibrary } from './models.ts'
import { dataKey, DatasetRows, taskOf } from './rows.ts'

/** Where what a request names is found. */
export interface Shelves {
  store: Store
  models: ModelLibrary
  adapters: AdapterLibrary
}

/** The configuration of a request with all defaults, and what it will work on. */
export async function configureRun(request: RunRequest, shelves: Shelves) {
  const { store, models } = shelves
  const dataset = await getDataset(store, request.dataset)
  const taskConfig = taskOf(dataset, request.task)
  const base = await models.use(request.model)
  if (!base.info.tasks.includes(taskConfig.task))
    throw new GraftError(
      'E_ARGUMENT',
      `${base.info.name} reads whole texts and does not write, so it cannot be trained for "${taskConfig.task}". ` +
        'Use it to classify, or choose a base that writes.',
      { model: base.info.id, task: taskConfig.task },
    )
  const { from, ...given } = request.adapter ?? {}
  const beginning = from === undefined ? null : await beginningOf(from, base, shelves)
  const adapter = beginning ? continuedConfig(beginning, given) : defaultAdapter(given)
  const training = defaultTraining(base.info, taskConfig.task, request.training, adapter.method)
  if (training.maxLength > base.info.context)
    throw new GraftError(
      'E_ARGUMENT',
      `training.maxLength is ${training.maxLength}, but ${base.info.name} reads at most ${base.info.context} tokens.`,
    )
  const dataLabels = taskConfig.task === 'classify' ? dataset.labels : null
  if (taskConfig.task === 'classify' && !dataLabels)
    throw new GraftError(
      'E_DATASET',
      `${dataset.name} has no labels yet: confirm its task and columns first.`,
      { dataset: dataset.id },
    )
  const labels = beginning ? continuedLabels(beginning, dataLabels) : dataLabels
  const config: RunConfig = {
    name: request.name?.trim() || `${dataset.name} on ${base.info.name}`,
    dataset: dataset.id,
    model: base.info.id,
    task: taskConfig.task,
    adapter,
    ...(from !== undefined && { from }),
    training,
    ...(request.film && { film: filmConfig(request.film) }),
  }
  return { config, dataset, taskConfig, base, labels, plan: planOf(base, config, labels) }
}

export type ConfiguredRun = Awaited<ReturnType<typeof configureRun>>

/** The record of a run before its first step. Throws E_DATASET where its rows leave nothing to learn. */
export async function newRun(
  { config, dataset, taskConfig, base, labels, plan }: ConfiguredRun,
  store: Store,
  backend: Run['backend'],
): Promise<Run> {
  const reading = {
    dataset,
    taskConfig,
    labels,
    tokenizer: base.tokenizer,
    maxLength: config.training.maxLength,
  }
  const train = await DatasetRows.open(store, reading, 'train')
  if (train.rows === 0)
    throw new GraftError(
      'E_DATASET',
      `No row of ${dataset.name} can be trained on: the training part has none with both sides filled in.`,
      { dataset: dataset.id },
    )
  if (!(await train.teaches())) {
    const { reason } = await train.unlabelled()
    throw new GraftError(
      'E_DATASET',
      `No row of ${dataset.name} leaves anything to learn. ${reason} Look at its rows in the Data view, or raise the longest example.`,
      { dataset: dataset.id, maxLength: config.training.maxLength },
    )
  }
  const steps = totalSteps(train.rows, config.training)
  return {
    id: crypto.randomUUID(),
    status: 'queued',
    createdAt: Date.now(),
    step: 0,
    steps,
    epochs: config.training.epochs,
    seconds: 0,
    secondsLeft: null,
    history: [],
    checkpoints: [],
    config,
    taskConfig,
    labels,
    dataKey: await dataKey(store, dataset.id, taskConfig),
    rows: train.rows,
    skippedRows: train.empty,
    ...(dataset.version?.weights && { weights: dataset.version.weights }),
    trainableParameters: countTrainable(plan, config.adapter),
    ...(config.film && { film: newFilm(config.film, { base, taskConfig, labels, config }, steps) }),
    backend,
    datasetName: dataset.name,
    modelName: base.info.name,
    error: null,
  }
}

/** What a run trains of its base. Throws E_ARGUMENT as planAdapter. */
export function planOf(
  base: LoadedModel,
  { adapter }: Pick<RunConfig, 'adapter'>,
  labels: string[] | null,
): AdapterPlan {
  return planAdapter(base.family, base.model.architecture, adapter, labels?.length ?? null, base.bare)
}
