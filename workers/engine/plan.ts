// What a run will be, before it runs: rows, steps, cuts, and a time from a step that was measured here.
import { storeAdaptation } from '../../src/core/adapters/adaptation.ts'
import { countTrainable } from '../../src/core/adapters/count.ts'
import { initialParameters, type BaseValues } from '../../src/core/adapters/parameters.ts'
import type { AdapterPlan } from '../../src/core/adapters/plan.ts'
import { ParameterStore } from '../../src/core/optim/parameters.ts'
import { exampleBatch, lossAndGradients, readScalars, type Example } from '../../src/core/train/objective.ts'
import { totalSteps } from '../../src/core/train/plan.ts'
import { permutation } from '../../src/core/rng.ts'
import type { Turns } from '../../src/core/turns.ts'
import type { BackendName } from '../../src/protocol/engine.ts'
import { sayWeight } from '../../src/data/recipe/say.ts'
import type { TaskConfig, WeightRange } from '../../src/protocol/data.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { Checkpointing, RunConfig, RunPlan, RunRequest, UnlabelledRows } from '../../src/protocol/run.ts'
import type { FilmInfo, FilmPlan } from '../../src/protocol/explain.ts'
import { filmShot } from '../../src/core/explain/film.ts'
import type { Store } from '../../src/store/database.ts'
import { checkpointingOf } from './estimate.ts'
import { filmSize, namesOf, newFilm, scenesOf } from './film.ts'
import type { LoadedModel, ModelLibrary } from './models.ts'
import { dataKey, DatasetRows } from './rows.ts'
import type { RunManager } from './runs.ts'

/** Rows that are tokenised to estimate lengths. */
const SAMPLE_ROWS = 200
/** A pass over one row that is quicker than this leaves time to measure more rows, which is more exact. */
const QUICK_MILLISECONDS = 500
/** Rows of a measured step: enough to load the device, few enough to wait for. */
const MEASURED_ROWS = 8

/** Datasets and lengths whose rows without anything to learn are remembered. */
const REMEMBERED_PLANS = 20

export class Planner {
  readonly #store: Store
  readonly #models: ModelLibrary
  readonly #runs: RunManager
  readonly #turns: Turns
  readonly #backend: () => BackendName
  /** Measured tokens per second by base, precision, backend and adapter. */
  readonly #speeds = new Map<string, number>()
  readonly #unlabelledRows = new Map<string, UnlabelledRows>()

  constructor(
    store: Store,
    models: ModelLibrary,
    runs: RunManager,
    turns: Turns,
    backend: () => BackendName,
  ) {
    this.#store = store
    this.#models = models
    this.#runs = runs
    this.#turns = turns
    this.#backend = backend
  }

  async plan(request: RunRequest, signal: AbortSignal): Promise<RunPlan> {
    const { release } = await this.#models.hold(request.model)
    try {
      return await this.#plan(request, signal)
    } finally {
      release()
    }
  }

  async #plan(request: RunRequest, signal: AbortSignal): Promise<RunPlan> {
    const { config, dataset, taskConfig, base, labels, plan } = await this.#runs.configure(request)
    const reading = {
      dataset,
      taskConfig,
      labels,
      tokenizer: base.tokenizer,
      maxLength: config.training.maxLength,
    }
    const rows = await DatasetRows.open(this.#store, reading, 'train')
    const steps = totalSteps(rows.rows, config.training)
    const places = [...permutation({ seed: 0, purpose: 'noise' }, rows.rows).slice(0, SAMPLE_ROWS)]
    const sample = await rows.examples(places)
    const count = Math.max(1, sample.length)
    const meanTokens = sample.reduce((sum, example) => sum + example.ids.length, 0) / count
    const unusable = sample.filter((example) => example.problem !== undefined).length / count
    const unlabelled = await this.#unlabelled(rows, config, taskConfig, signal)
    const labelCount = labels?.length ?? null
    const examples = await rows.get(places.slice(0, MEASURED_ROWS))
    const speed = examples.length > 0 ? await this.#speed(base, config, plan, labelCount, examples) : Infinity
    const tokens = steps * config.training.batchSize * config.training.accumulation * meanTokens
    const seconds = Number.isFinite(speed) && speed > 0 ? tokens / speed : 0
    const film = config.film && newFilm(config.film, { base, taskConfig, labels, config }, steps)
    const filming = film && (await this.#film(film, base, config, plan, labels, steps))
    return {
      config,
      rows: rows.rows,
      steps,
      meanTokens,
      truncated: sample.filter((example) => example.truncated).length / count,
      unusable,
      unlabelled,
      trainableParameters: countTrainable(plan, config.adapter),
      seconds,
      ...(filming && { film: filming }),
      sentence:
        sentence(config, taskConfig, labelCount, rows.rows, steps, seconds, this.#backend()) +
        (filming ? filmed(filming) : '') +
        weighing(dataset.version?.weights) +
        warning(unlabelled, rows.rows + rows.empty),
    }
  }

  /** Looked for once for the same rows, base and length: a plan is made anew with every change of a setting. */
  async #unlabelled(
    rows: DatasetRows,
    { dataset, model, training }: RunConfig,
    taskConfig: TaskConfig,
    signal: AbortSignal,
  ): Promise<UnlabelledRows> {
    const key = [await dataKey(this.#store, dataset, taskConfig), dataset, model, training.maxLength].join(
      ' ',
    )
    const known = this.#unlabelledRows.get(key)
    if (known) return known
    const found = await rows.unlabelled(signal)
    for (const old of this.#unlabelledRows.keys()) {
      if (this.#unlabelledRows.size < REMEMBERED_PLANS) break
      this.#unlabelledRows.delete(old)
    }
    this.#unlabelledRows.set(key, found)
    return found
  }

  /** Tokens per second of a forward and backward pass here; measured once per base, precision, backend and adapter. */
  async #speed(
    base: LoadedModel,
    config: RunConfig,
    plan: AdapterPlan,
    labels: number | null,
    examples: Example[],
  ): Promise<number> {
    const { id, precision } = base.info
    const { packing, checkpointing: asked } = config.training
    const settings = [JSON.stringify(config.adapter), packing, asked, labels === null]
    const key = [id, precision, this.#backend(), ...settings].join(' ')
    const known = this.#speeds.get(key)
    if (known !== undefined) return known
    const budget = this.#models.budgetBeside(id)
    const checkpointing = checkpointingOf(base.model, config, labels, precision, budget)
    const timed = (count: number) =>
      this.#turns.take(() => measure(base, config, plan, labels, examples.slice(0, count), checkpointing))
    // The first pass compiles shaders and fills buffers. A slow device is judged by one row: its user waits for this.
    await timed(1)
    const started = performance.now()
    let speed = await timed(1)
    if (performance.now() - started < QUICK_MILLISECONDS) speed = await timed(examples.length)
    // While a run trains, half the turns are its own and the figure would mislead later.
    if (!this.#runs.busy) this.#speeds.set(key, speed)
    return speed
  }

  /** What a film would take, from a frame that is taken here; measured once for the same texts. */
  async #film(
    film: FilmInfo,
    base: LoadedModel,
    config: RunConfig,
    plan: AdapterPlan,
    labels: string[] | null,
    steps: number,
  ): Promise<FilmPlan> {
    const { id, precision } = base.info
    const lengths = film.texts.map(({ ids }) => ids.length)
    const key = ['film', id, precision, this.#backend(), JSON.stringify([config.adapter, film.maps, lengths])]
    const known = this.#speeds.get(key.join(' '))
    const frame = known ?? (await this.#measureFrame(film, base, config, plan, labels))
    if (!this.#runs.busy) this.#speeds.set(key.join(' '), frame)
    const { taken, kept, every, bytes } = filmSize(film, steps)
    return {
      frames: kept.length,
      every,
      seconds: taken * frame,
      bytes,
      texts: film.texts.map(({ text, ids, cut }) => ({ text, tokens: ids.length, cut })),
    }
  }

  /** Seconds that one frame of all texts takes. A slow device is judged by the first text: its user waits for this. */
  async #measureFrame(
    film: FilmInfo,
    base: LoadedModel,
    { adapter }: RunConfig,
    plan: AdapterPlan,
    labels: string[] | null,
  ): Promise<number> {
    const { model, padId, tokenizer } = base
    const initial = await initialParameters(plan, { ...adapter, initLoraWeights: true }, 0, NO_BASE)
    const store = new ParameterStore(model.ops, initial)
    const trainable = { adaptation: storeAdaptation(store, plan), classify: labels !== null }
    const asked = { model, padId, turns: this.#turns, maskId: tokenizer.maskId, trainable }
    const timed = async (scene: ReturnType<typeof scenesOf>[number]) => {
      const started = performance.now()
      await filmShot(asked, scene, film.maps, namesOf(base, labels))
      return (performance.now() - started) / 1000
    }
    try {
      const scenes = scenesOf(film, base, labels)
      const [first, ...others] = scenes
      const cold = await timed(first!)
      const tokens = scenes.reduce((sum, { ids }) => sum + ids.length, 0)
      if (cold * 1000 > QUICK_MILLISECONDS) return (await timed(first!)) * (tokens / first!.ids.length)
      let seconds = await timed(first!)
      for (const scene of others) seconds += await timed(scene)
      return seconds
    } finally {
      store.dispose()
    }
  }
}

/** A step takes as long whatever the values: reading the base, or taking it apart as PiSSA does, would take far longer. */
const NO_BASE: BaseValues = {
  tensor: ({ shape }) => Promise.resolve(new Float32Array(shape.reduce((size, extent) => size * extent, 1))),
  rowNorms: ({ shape: [out] }) => Promise.resolve(new Float32Array(out).fill(1)),
  components: ({ path }) =>
    Promise.reject(new GraftError('E_INTERNAL', `${path} is not taken apart for a measurement.`)),
}

async function measure(
  base: LoadedModel,
  config: RunConfig,
  plan: AdapterPlan,
  labels: number | null,
  examples: Example[],
  checkpointing: Checkpointing,
): Promise<number> {
  const { model, padId } = base
  const initial = await initialParameters(plan, { ...config.adapter, initLoraWeights: true }, 0, NO_BASE)
  const store = new ParameterStore(model.ops, initial)
  const batch = exampleBatch(
    examples,
    padId,
    model.architecture.context,
    model.family.classifier.row,
    config.training.packing,
  )
  try {
    if (batch.labelCount === 0) return 0
    const trainable = { adaptation: storeAdaptation(store, plan), classify: labels !== null }
    const started = performance.now()
    const { loss, energy } = lossAndGradients(
      model,
      batch,
      trainable,
      1 / batch.labelWeight,
      store.gradients,
      checkpointing,
    )
    const norm = store.step({ ...config.training, learningRate: 0, step: 1 })
    await readScalars([loss, energy, norm])
    return batch.tokenCount / ((performance.now() - started) / 1000)
  } finally {
    batch.dispose()
    store.dispose()
  }
}

function sentence(
  config: RunConfig,
  { task, columns }: TaskConfig,
  labels: number | null,
  rows: number,
  steps: number,
  seconds: number,
  backend: BackendName,
): string {
  const what = {
    classify: `Classify ${columns.text} into ${labels} ${columns.label}${labels === 1 ? '' : 's'}`,
    instruct: `Answer ${columns.prompt} with ${columns.completion}`,
    complete:
      columns.completion === undefined
        ? `Continue ${columns.text}`
        : `Complete ${columns.prompt} with ${columns.completion}`,
    chat: `Answer in the conversations of ${columns.messages ?? columns.completion}`,
  }[task]
  const { epochs, steps: fixed } = config.training
  const passes =
    fixed === undefined ? `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'} (${steps} steps)` : `${steps} steps`
  const place = backend === 'webgpu' ? 'on this GPU' : 'on this CPU'
  return `${what}: ${rows.toLocaleString('en')} rows, ${passes}, ${duration(seconds)} ${place}.`
}

function duration(seconds: number): string {
  if (seconds < 45) return 'less than a minute'
  if (seconds < 90) return 'about a minute'
  const minutes = Math.round(seconds / 60)
  if (minutes < 90) return `about ${minutes} minutes`
  return `about ${(seconds / 3600).toFixed(1)} hours`
}

function filmed({ frames, every, seconds, bytes, texts }: FilmPlan): string {
  const of = texts.length === 1 ? 'a text' : `${texts.length} texts`
  const time =
    seconds < 1.5
      ? 'about a second'
      : seconds < 90
        ? `about ${Math.round(seconds)} seconds`
        : duration(seconds)
  const cut = texts.filter((text) => text.cut > 0).length
  return (
    ` The film of ${of} (${frames} frames, one every ${every === 1 ? 'step' : `${every} steps`}) adds ${time} and ${(bytes / 1e6).toFixed(1)} MB.` +
    (cut ? ` ${cut === 1 ? 'One text is' : `${cut} texts are`} cut for it.` : '')
  )
}

function weighing(weights: WeightRange | undefined): string {
  if (!weights) return ''
  return ` The recipe weighs rows in the loss, from ${sayWeight(weights.least)} to ${sayWeight(weights.most)}.`
}

/** Rows with nothing to learn are said before the training, not after. */
function warning({ count, reason, checked }: UnlabelledRows, rows: number): string {
  if (count === 0) return ''
  if (count >= rows) return ` No row leaves anything to learn. ${reason}`
  const about = checked < rows ? 'About ' : ''
  return ` ${about}${count.toLocaleString('en')} ${count === 1 ? 'row has' : 'rows have'} nothing to learn and will be left out. ${reason}`
}
