// The settings of the next run: what the person chose, what follows from it, and what is wrong with it. Everything that
// was not chosen has its default, and is not sent.
import type { Dataset } from '../protocol/data.ts'
import { FILM_SETTINGS } from '../protocol/filmSettings.ts'
import type { FilmRequest, FilmText } from '../protocol/explain.ts'
import type { EstimateRequest, ModelInfo } from '../protocol/model.ts'
import type { AdapterConfig, RunRequest, TrainingConfig } from '../protocol/run.ts'
import {
  ADAPTER_LISTS,
  ADAPTER_SETTINGS,
  checkSetting,
  defaultAdapter,
  defaultTraining,
  TRAINING_SETTINGS,
  type Setting,
} from '../protocol/settings.ts'
import type { Adapters } from './adapters.svelte.ts'
import type { Datasets } from './datasets.svelte.ts'
import type { Models } from './models.svelte.ts'
import type { Runs } from './runs.svelte.ts'

/** What the form reads of the application. */
interface Around {
  readonly datasets: Pick<Datasets, 'items' | 'current'>
  readonly models: Pick<Models, 'current'>
  readonly adapters: Pick<Adapters, 'of'>
  readonly runs: Pick<Runs, 'items'>
}

/** What training can go on from: an imported adapter, or what a run has learned. */
export interface Beginning {
  id: string
  name: string
  kind: 'adapter' | 'run'
  /** Its own settings, as far as they are known; they hold. */
  config: Partial<AdapterConfig> & Pick<AdapterConfig, 'method' | 'r' | 'alpha'>
}

type Method = AdapterConfig['method']
type ListKey = keyof typeof ADAPTER_LISTS

/** The settings that mean something with each method, besides `method` itself. */
const OF_METHOD: Record<Method, readonly (keyof AdapterConfig)[]> = {
  lora: [
    'r',
    'alpha',
    'dropout',
    'targets',
    'useRslora',
    'useDora',
    'initLoraWeights',
    'loraPlusRatio',
    'rankPattern',
    'alphaPattern',
    'layersToTransform',
    'modulesToSave',
    'bias',
  ],
  head: [],
  layers: ['topLayers'],
  full: [],
}

/** What may be set when a run goes on from something: settings of the training alone. */
const FREE: readonly (keyof AdapterConfig)[] = ['dropout', 'loraPlusRatio']

export class RunForm {
  name = $state('')
  training = $state.raw<Partial<TrainingConfig>>({})
  adapter = $state.raw<Partial<AdapterConfig>>({})
  /** Id of the adapter or run that training goes on from; null: a fresh adapter. */
  start = $state<string | null>(null)
  /** Texts that a film is recorded of; none: no film. */
  filmTexts = $state.raw<FilmText[]>([])
  filmEvery = $state<number | undefined>()
  readonly #app: Around

  constructor(app: Around) {
    this.#app = app
  }

  /** The datasets that can be learned from: those whose task was confirmed. */
  get datasets(): Dataset[] {
    return this.#app.datasets.items.filter((dataset) => dataset.config)
  }
  get dataset(): Dataset | undefined {
    const { current } = this.#app.datasets
    return current?.config ? current : this.datasets[0]
  }
  get model(): ModelInfo | undefined {
    return this.#app.models.current
  }
  get task() {
    return this.dataset?.config?.task
  }
  /** Whether a base can learn what the data is for. */
  suits(model: ModelInfo): boolean {
    return this.task === undefined || model.tasks.includes(this.task)
  }

  /** Adapters of this base and runs on it, for this kind of task. */
  get beginnings(): Beginning[] {
    const { model, task } = this
    const classify = task === 'classify'
    const adapters = this.#app.adapters
      .of(model?.id)
      .filter((adapter) => (adapter.task === 'classify') === classify)
      .map(({ id, name, r, alpha, targets, useDora, useRslora }): Beginning => {
        return {
          id,
          name,
          kind: 'adapter',
          config: { method: 'lora', r, alpha, targets, useDora, useRslora },
        }
      })
    const runs = this.#app.runs.items
      .filter(({ active, info: { config, checkpoints } }) => {
        const suits = config.model === model?.id && (config.task === 'classify') === classify
        return suits && !active && checkpoints.length > 0
      })
      .map(({ id, info: { config, step } }): Beginning => {
        return { id, name: `${config.name}, step ${step}`, kind: 'run', config: config.adapter }
      })
    return [...adapters, ...runs]
  }
  /** What it goes on from, if that still is there and goes with base and task. */
  get from(): Beginning | undefined {
    return this.beginnings.find(({ id }) => id === this.start)
  }

  get method(): Method {
    const { from } = this
    if (from) return from.config.method
    const { method = 'lora' } = this.adapter
    return this.methods.includes(method) ? method : 'lora'
  }
  /** A head alone can only be trained where there is one. */
  get methods(): Method[] {
    return this.task === 'classify' ? ['lora', 'head', 'layers', 'full'] : ['lora', 'layers', 'full']
  }
  /** Whether a setting means something with the chosen method, and is not given by what the run goes on from. */
  has(key: keyof AdapterConfig): boolean {
    return OF_METHOD[this.method].includes(key) && (!this.from || FREE.includes(key))
  }

  get trainingDefaults(): TrainingConfig | null {
    const { model, task } = this
    return model && task ? defaultTraining(model, task, {}, this.method) : null
  }
  readonly adapterDefaults = defaultAdapter()

  get changed(): boolean {
    return Object.keys(this.training).length + Object.keys(this.adapter).length > 0 || this.start !== null
  }
  reset(): void {
    this.training = {}
    this.adapter = {}
    this.start = null
  }
  /** undefined returns to the default. */
  setTraining(key: keyof TrainingConfig, value: unknown): void {
    this.training = withValue(this.training, key, value)
  }
  setAdapter(key: keyof AdapterConfig, value: unknown): void {
    this.adapter = withValue(this.adapter, key, value)
  }

  /** What was chosen of the adapter and means something with the method. */
  get chosen(): Partial<AdapterConfig> {
    const kept = Object.entries(this.adapter).filter(([key]) => this.has(key as keyof AdapterConfig))
    return {
      ...Object.fromEntries(kept),
      ...(!this.from && this.method !== 'lora' && { method: this.method }),
      ...(this.adapter.initLoraWeights !== undefined &&
        this.has('initLoraWeights') && { initLoraWeights: firstValues(this.adapter.initLoraWeights) }),
    }
  }

  /** What is wrong, as sentences. */
  get problems(): string[] {
    const { model, task } = this
    const unfit =
      model && !this.suits(model)
        ? [
            model.kind === 'encoder'
              ? `${model.name} reads whole texts and can give them labels; it does not write. Choose another base, or set the data up to give labels.`
              : `${model.name} cannot be trained for this task. Choose another base.`,
          ]
        : []
    return [
      ...unfit,
      ...Object.entries(this.training).flatMap(([key, value]) =>
        problemOf(TRAINING_SETTINGS[key as keyof TrainingConfig], value),
      ),
      ...(this.filmEvery === undefined ? [] : problemOf(FILM_SETTINGS.every, this.filmEvery)),
      ...Object.entries(task ? this.chosen : {}).flatMap(([key, value]) => adapterProblem(key, value)),
    ]
  }

  /** The film that is asked for: texts that are empty are none. */
  get film(): FilmRequest | null {
    const labels = this.task === 'classify' ? (this.dataset?.labels ?? []) : null
    const texts = this.filmTexts
      .filter(({ text }) => text.trim() !== '')
      // A label of other data, chosen before, is none here.
      .map(({ text, output }) =>
        output && (!labels || labels.includes(output)) ? { text, output } : { text },
      )
    const { filmEvery: every } = this
    return texts.length ? { texts, ...(every !== undefined && { every }) } : null
  }

  get request(): RunRequest | null {
    const { dataset, model, from, film } = this
    if (!dataset || !model || this.problems.length) return null
    const name = this.name.trim()
    return {
      ...(name && { name }),
      dataset: dataset.id,
      model: model.id,
      adapter: { ...this.chosen, ...(from && { from: from.id }) },
      training: { ...this.training },
      ...(film && { film }),
    }
  }

  /** The same as a question about memory. */
  get estimate(): EstimateRequest | null {
    const { request, dataset, model, task, from } = this
    if (!request || !model || !task) return null
    return {
      model: model.id,
      task,
      adapter: { ...from?.config, ...this.chosen },
      training: { ...this.training },
      precision: model.precision,
      ...(dataset?.labels && { labels: dataset.labels.length }),
    }
  }
}

function withValue<T extends object>(values: T, key: keyof T, value: unknown): T {
  const { [key]: _old, ...rest } = values
  return (value === undefined ? rest : { ...rest, [key]: value }) as T
}

/** A form's choice is a word; PEFT writes the plain one as true. */
function firstValues(value: unknown): AdapterConfig['initLoraWeights'] {
  return value === 'gaussian' || value === 'pissa' ? value : true
}

function adapterProblem(key: string, value: unknown): string[] {
  if (Object.hasOwn(ADAPTER_LISTS, key)) {
    const { label, check } = ADAPTER_LISTS[key as ListKey]
    if (key === 'targets' && Array.isArray(value) && !value.length) return ['Choose at least one layer.']
    const problem = check(value)
    return problem ? [`${label} ${problem}`] : []
  }
  return problemOf(ADAPTER_SETTINGS[key as keyof typeof ADAPTER_SETTINGS], value)
}

function problemOf(setting: Setting, value: unknown): string[] {
  const problem = checkSetting(setting, value)
  return problem ? [`${setting.label} ${problem}`] : []
}
