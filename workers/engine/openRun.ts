// A run on the device: its base in the right precision, and the trainer with its values, its rows and what is kept of each
// step; a run that is resumed goes on from its newest whole checkpoint.
import { baseValues } from '../../src/core/adapters/baseValues.ts'
import { continuedParameters } from '../../src/core/adapters/continued.ts'
import { initialParameters } from '../../src/core/adapters/parameters.ts'
import type { AdapterPlan } from '../../src/core/adapters/plan.ts'
import { currentTuner } from '../../src/core/ops/webgpu/tuning/tuner.ts'
import { Trainer, type TrainerState } from '../../src/core/train/trainer.ts'
import type { Turns } from '../../src/core/turns.ts'
import { asGraftError, GraftError } from '../../src/protocol/errors.ts'
import type { Run } from '../../src/protocol/run.ts'
import { listCheckpoints, readCheckpoint, saveCheckpoint } from '../../src/store/checkpoints.ts'
import type { Store } from '../../src/store/database.ts'
import { getDataset } from '../../src/store/datasets.ts'
import { truncateHistory } from '../../src/store/runs.ts'
import { loadSnapshot, packState, stateTensors } from './checkpoint.ts'
import { beginningOf } from './continued.ts'
import { checkpointingOf } from './estimate.ts'
import { FilmRecorder } from './film.ts'
import { HistoryLog } from './history.ts'
import type { HeldModel, LoadedModel, ModelLibrary } from './models.ts'
import { RowRecord } from './rowRecord.ts'
import { dataKey, DatasetRows } from './rows.ts'
import { planOf, type Shelves } from './runRequest.ts'
import type { RunTeller } from './runTeller.ts'

/** Steps between readbacks on a GPU, where one would drain the queue; elsewhere reading costs nothing. */
const READ_EVERY = { webgpu: 10, wasm: 1, cpu: 1 } as const

export interface TrainingRoom extends Shelves {
  turns: Turns
  backend: () => keyof typeof READ_EVERY
  teller: RunTeller
  emitFault: (error: GraftError) => void
}

/** A run that can train. */
export interface OpenRun {
  trainer: Trainer
  log: HistoryLog
  base: LoadedModel
  /** Frees the trainer's tensors, and the base for others. */
  close(): void
}

type Saved = ReturnType<typeof loadSnapshot>

/** `resume`: from the newest checkpoint. Throws E_DATASET where the run's rows are not what they were. */
export async function openRun(run: Run, resume: boolean, room: TrainingRoom): Promise<OpenRun> {
  const { store } = room
  const { base, release } = await hold(run, room.models)
  let trainer: Trainer | null = null
  const close = () => {
    trainer?.dispose()
    release()
  }
  try {
    const log = new HistoryLog(store, run)
    const saved = resume ? await newestState(run, store) : null
    trainer = await trainerOf(run, base, { log, saved }, room)
    if (resume) await rewind(run, trainer.step, store)
    return { trainer, log, base, close }
  } catch (error) {
    close()
    throw error
  }
}

/** The base of a run, in the precision that it began with. Throws E_BUSY where a question holds it in another one. */
async function hold({ config, precision }: Run, models: ModelLibrary): Promise<HeldModel> {
  if (precision && models.precisionOf(config.model) !== precision) {
    await models.config(config.model) // says that it is not here any more
    const unheard = { signal: new AbortController().signal, progress: () => undefined }
    await models.load({ builtin: config.model }, { precision }, unheard)
  }
  return models.hold(config.model)
}

/** The newest checkpoint, or null; a damaged one is passed over for the one before. */
async function newestState({ id: run, checkpoints }: Run, store: Store): Promise<Saved | null> {
  for (const { id } of checkpoints.toReversed()) {
    try {
      return loadSnapshot(await readCheckpoint(store, run, id))
    } catch (error) {
      if (asGraftError(error).code !== 'E_HASH') throw error
    }
  }
  return null
}

/** Forgets the history after the step where a trainer goes on. */
async function rewind(run: Run, step: number, store: Store): Promise<void> {
  await truncateHistory(store, run.id, step)
  run.history = run.history.filter((entry) => entry.step <= step)
  run.step = step
}

async function trainerOf(
  run: Run,
  base: LoadedModel,
  { log, saved }: { log: HistoryLog; saved: Saved | null },
  room: TrainingRoom,
): Promise<Trainer> {
  const { store, turns, backend, teller, models } = room
  const { config, labels } = run
  const { train, validation } = await rowsOf(run, base, store)
  const plan = planOf(base, config, labels)
  const initial = await initialOf(run, plan, base, saved, room)
  const record = await RowRecord.open(store, run, saved?.state.step ?? 0)
  const film = run.film && (await filmOf(run, base, () => trainer, saved?.state.step ?? 0, room))
  const trainer: Trainer = new Trainer({
    model: base.model,
    plan,
    initial,
    dropout: config.adapter.dropout,
    training: config.training,
    checkpointing: checkpointingOf(
      base.model,
      config,
      labels?.length ?? null,
      base.info.precision,
      models.budgetBeside(base.info.id),
    ),
    labels: labels?.length ?? null,
    padId: base.padId,
    train,
    validation: validation.rows > 0 ? validation : null,
    turns,
    readEvery: READ_EVERY[backend()],
    ...(film && { film }),
    hooks: {
      entries: async (entries) => {
        await teller.unlessFull(() => log.add(entries))
        const { seconds, step, steps } = trainer
        teller.tell(run, entries, {
          step,
          seconds,
          secondsLeft: step > 0 ? (seconds / step) * (steps - step) : null,
          skippedRows: train.empty + trainer.skippedRows,
        })
      },
      validation: async (step, result) => {
        await teller.unlessFull(() => log.amend(step, result))
        const entry = run.history.findLast((candidate) => candidate.step === step)
        if (entry) teller.tell(run, [entry])
      },
      rows: (seen) => record.add(seen),
      checkpoint: (state, validationLoss) =>
        teller.unlessFull(async () => {
          await log.flush()
          await record.flush()
          await save(run, trainer, state, validationLoss, room)
        }),
    },
  })
  if (saved) {
    trainer.restore(saved.state)
    await currentTuner()?.adopt(saved.kernels)
  }
  return trainer
}

/** Throws E_DATASET where the split or the recipe is not the one that the run began with. */
async function rowsOf({ config, taskConfig, labels, dataKey: begun }: Run, base: LoadedModel, store: Store) {
  const dataset = await getDataset(store, config.dataset)
  const { maxLength } = config.training
  const reading = { dataset, taskConfig, labels, tokenizer: base.tokenizer, maxLength }
  const train = await DatasetRows.open(store, reading, 'train')
  if ((await dataKey(store, dataset.id, taskConfig)) !== begun)
    throw new GraftError(
      'E_DATASET',
      `The split or the recipe of ${dataset.name} has changed since this run began, so it would train on rows that were held back, or with other weights. Start a new run.`,
      { dataset: dataset.id },
    )
  return { train, validation: await DatasetRows.open(store, reading, 'validation') }
}

/** The values that training begins or goes on with. */
async function initialOf(
  { config }: Run,
  plan: AdapterPlan,
  base: LoadedModel,
  saved: Saved | null,
  shelves: Shelves,
) {
  const { adapter, from, training } = config
  if (saved) return continuedParameters(plan, adapter, stateTensors(saved.state.parameters, saved.shapes))
  if (from === undefined)
    return initialParameters(plan, adapter, training.seed, baseValues(base.model, base.weights))
  const { tensors } = await beginningOf(from, base, shelves)
  return continuedParameters(plan, adapter, await tensors())
}

/** What takes the frames of a run's film, from a step on. */
function filmOf(
  run: Run,
  base: LoadedModel,
  trainer: () => Trainer,
  step: number,
  { store, turns, teller, emitFault }: TrainingRoom,
): Promise<FilmRecorder> {
  const { model, padId, tokenizer } = base
  return FilmRecorder.open(
    {
      store,
      run: run.id,
      info: run.film!,
      base,
      labels: run.labels,
      asked: () => ({ model, padId, turns, maskId: tokenizer.maskId, trainable: trainer().trainable() }),
      tell: (film) => teller.update(run, { film }),
      fault: emitFault,
    },
    step,
  )
}

async function save(
  run: Run,
  trainer: Trainer,
  state: TrainerState,
  validationLoss: number | undefined,
  { store, teller }: TrainingRoom,
): Promise<void> {
  const before = run.checkpoints.flatMap((checkpoint) => checkpoint.validationLoss ?? [])
  const best = validationLoss !== undefined && before.every((loss) => validationLoss < loss)
  await saveCheckpoint(
    store,
    run.id,
    { step: state.step, best, ...(validationLoss !== undefined && { validationLoss }) },
    packState(state, trainer.store.slots, run.config),
  )
  const checkpoints = (await listCheckpoints(store, run.id)).map(({ best: _best, ...info }) => info)
  await teller.update(run, { checkpoints, step: state.step, seconds: state.seconds })
}
