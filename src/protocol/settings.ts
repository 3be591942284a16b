// Every training setting with its default, its range and a one-line explanation: forms, checks and docs are made from it.
// Defaults and their sources: docs/architecture.md, "Starting values".
import { GraftError } from './errors.ts'
import type { Task } from './data.ts'
import type { ModelInfo } from './model.ts'
import type { AdapterConfig, TrainingConfig } from './run.ts'

export interface NumberSetting {
  kind: 'number'
  label: string
  unit?: string
  min: number
  max: number
  integer?: boolean
  help: string
  /** Shown at first sight; the others are behind Advanced. */
  main?: boolean
}
export interface ChoiceSetting {
  kind: 'choice'
  label: string
  choices: { value: string; label: string }[]
  help: string
  main?: boolean
}
export interface ToggleSetting {
  kind: 'toggle'
  label: string
  help: string
  main?: boolean
}
export type Setting = NumberSetting | ChoiceSetting | ToggleSetting

export const TRAINING_SETTINGS = {
  epochs: {
    kind: 'number',
    label: 'Epochs',
    min: 0.01,
    max: 1000,
    main: true,
    help: 'How many times the model sees every training row. More can fit more, and memorise more.',
  },
  steps: {
    kind: 'number',
    label: 'Steps',
    min: 1,
    max: 1_000_000,
    integer: true,
    help: 'Optimizer steps. Where it is set, it takes the place of epochs.',
  },
  batchSize: {
    kind: 'number',
    label: 'Batch size',
    unit: 'rows',
    min: 1,
    max: 1024,
    integer: true,
    main: true,
    help: 'Rows that go through the model at once. Larger is steadier and needs more memory.',
  },
  accumulation: {
    kind: 'number',
    label: 'Accumulation',
    unit: 'batches',
    min: 1,
    max: 1024,
    integer: true,
    help: 'Batches whose gradients are added up before one step: a larger batch without more memory.',
  },
  learningRate: {
    kind: 'number',
    label: 'Learning rate',
    min: 1e-8,
    max: 1e30,
    main: true,
    help: 'How far each step moves the adapter. Too high and the loss jumps; too low and nothing happens.',
  },
  schedule: {
    kind: 'choice',
    label: 'Schedule',
    choices: [
      { value: 'linear', label: 'Linear to zero' },
      { value: 'cosine', label: 'Cosine to zero' },
      { value: 'constant', label: 'Constant' },
    ],
    help: 'How the learning rate changes over the run.',
  },
  warmup: {
    kind: 'number',
    label: 'Warm-up',
    min: 0,
    max: 1_000_000,
    help: 'Share of the steps (below 1) or number of steps during which the learning rate rises from zero.',
  },
  weightDecay: {
    kind: 'number',
    label: 'Weight decay',
    min: 0,
    max: 1,
    help: 'Pulls trained weights towards zero at each step: a brake against memorising.',
  },
  beta1: {
    kind: 'number',
    label: 'Beta 1',
    min: 0,
    max: 0.9999,
    help: 'AdamW: memory of the gradient mean.',
  },
  beta2: {
    kind: 'number',
    label: 'Beta 2',
    min: 0,
    max: 0.999999,
    help: 'AdamW: memory of the gradient square.',
  },
  epsilon: {
    kind: 'number',
    label: 'Epsilon',
    min: 1e-16,
    max: 1,
    help: 'AdamW: keeps the division away from zero.',
  },
  clip: {
    kind: 'number',
    label: 'Gradient clipping',
    min: 0,
    max: 1_000_000,
    help: 'Largest length of the gradient; longer ones are shortened to it. 0 switches it off.',
  },
  maxLength: {
    kind: 'number',
    label: 'Longest example',
    unit: 'tokens',
    min: 1,
    max: 131_072,
    integer: true,
    main: true,
    help: 'Tokens kept of one row; the rest is cut off.',
  },
  shuffle: { kind: 'toggle', label: 'Shuffle rows', help: 'A new, seeded order of the rows in every epoch.' },
  seed: {
    kind: 'number',
    label: 'Seed',
    min: 0,
    max: 4_294_967_295,
    integer: true,
    help: 'Start of everything random. The same seed gives the same run.',
  },
  validateEvery: {
    kind: 'number',
    label: 'Validate every',
    unit: 'steps',
    min: 0,
    max: 1_000_000,
    integer: true,
    help: 'Steps between looks at the validation rows. 0: after each epoch.',
  },
  checkpointEvery: {
    kind: 'number',
    label: 'Checkpoint every',
    unit: 'steps',
    min: 0,
    max: 1_000_000,
    integer: true,
    help: 'Steps between saved states. 0: about every half minute, and at the end.',
  },
} as const satisfies Record<keyof TrainingConfig, Setting>

export const ADAPTER_SETTINGS = {
  method: {
    kind: 'choice',
    label: 'Method',
    choices: [
      { value: 'lora', label: 'LoRA' },
      { value: 'head', label: 'Head only' },
    ],
    help: 'LoRA adds small trainable matrices beside the frozen ones. Head only trains nothing but the label head.',
  },
  r: {
    kind: 'number',
    label: 'Rank',
    min: 1,
    max: 512,
    integer: true,
    main: true,
    help: 'How many directions the adapter may learn; more can fit more and forget more.',
  },
  alpha: {
    kind: 'number',
    label: 'Alpha',
    min: 1e-6,
    max: 4096,
    help: 'Strength of the adapter: its output is multiplied by alpha / rank.',
  },
  dropout: {
    kind: 'number',
    label: 'Dropout',
    min: 0,
    max: 0.95,
    help: "Share of the adapter's inputs that is switched off at random while training.",
  },
} as const satisfies Record<Exclude<keyof AdapterConfig, 'targets'>, Setting>

/** Thinking Machines, "LoRA Without Regret": 5e-5 x 10 x (2000 / hidden)^0.781 for Llama; two significant digits. */
export function defaultLearningRate(hidden: number): number {
  return Number((5e-4 * (2000 / hidden) ** 0.781).toPrecision(2))
}

export function defaultAdapter(given: Partial<AdapterConfig> = {}): AdapterConfig {
  return check('adapter', ADAPTER_SETTINGS, {
    method: 'lora',
    r: 16,
    alpha: 32,
    dropout: 0,
    targets: 'all-linear',
    ...defined(given),
  })
}

export function defaultTraining(
  model: Pick<ModelInfo, 'hidden' | 'context'>,
  task: Task,
  given: Partial<TrainingConfig> = {},
): TrainingConfig {
  const defaults: TrainingConfig = {
    epochs: 3,
    batchSize: task === 'classify' ? 16 : 8,
    accumulation: 1,
    learningRate: defaultLearningRate(model.hidden),
    schedule: 'linear',
    warmup: 0.05,
    weightDecay: 0,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    clip: 1,
    maxLength: Math.min(256, model.context),
    shuffle: true,
    seed: 42,
    validateEvery: 0,
    checkpointEvery: 0,
  }
  return check('training', TRAINING_SETTINGS, { ...defaults, ...defined(given) })
}

function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T
}

function check<T extends object>(place: string, settings: Record<string, Setting>, values: T): T {
  for (const [name, value] of Object.entries(values)) {
    const setting = settings[name]
    if (!setting) {
      if (name === 'targets') continue
      throw new GraftError(
        'E_ARGUMENT',
        `${place}.${name} is not a setting. Known: ${Object.keys(settings).join(', ')}.`,
      )
    }
    const problem = checkSetting(setting, value)
    if (problem) throw new GraftError('E_ARGUMENT', `${place}.${name} ${problem}`, { setting: name, value })
  }
  return values
}

/** What is wrong with a value, as the rest of a sentence, or null. */
export function checkSetting(setting: Setting, value: unknown): string | null {
  switch (setting.kind) {
    case 'number': {
      if (typeof value !== 'number' || !Number.isFinite(value))
        return `must be a number, but is ${String(value)}.`
      if (setting.integer && !Number.isInteger(value)) return `must be a whole number, but is ${value}.`
      if (value < setting.min || value > setting.max)
        return `must be from ${setting.min} to ${setting.max}, but is ${value}.`
      return null
    }
    case 'choice':
      return setting.choices.some((choice) => choice.value === value)
        ? null
        : `must be one of ${setting.choices.map((choice) => choice.value).join(', ')}, but is ${String(value)}.`
    case 'toggle':
      return typeof value === 'boolean' ? null : `must be true or false, but is ${String(value)}.`
    default:
      return setting satisfies never
  }
}
