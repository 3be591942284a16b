// Every training setting with its default, its range and a one-line explanation: forms, checks and docs are made from it.
// Defaults and their sources: docs/architecture.md, "Starting values". Those of adapters are in adapterSettings.ts.
import type { Task } from './data.ts'
import type { ModelInfo } from './model.ts'
import type { AdapterConfig, TrainingConfig } from './run.ts'
import { checkSettings, defined, type Setting } from './setting.ts'

export { ADAPTER_LISTS, ADAPTER_SETTINGS, defaultAdapter } from './adapterSettings.ts'
export { checkSetting, type NumberSetting, type Setting } from './setting.ts'

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
  packing: {
    kind: 'toggle',
    label: 'Pack short rows',
    help: 'Short rows share the space of the longest one, so that less padding is computed. What is learnt stays the same.',
  },
  checkpointing: {
    kind: 'choice',
    label: 'Checkpointing',
    choices: [
      { value: 'auto', label: 'By memory' },
      { value: 'none', label: 'Keep all' },
      { value: 'block', label: 'Compute again' },
    ],
    help: 'What the backward pass needs is kept, which is faster, or computed a second time, which takes far less memory.',
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
  labelSmoothing: {
    kind: 'number',
    label: 'Label smoothing',
    min: 0,
    max: 0.9,
    help: 'Share of each target that is spread over all answers: a brake against overconfidence, and against wrong labels. The training loss then has a floor above zero.',
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
  recordRows: {
    kind: 'toggle',
    label: 'Record rows',
    help: 'Keeps how sure the model was of every training row in every epoch, for the map of training rows in Explain. Changes nothing that is learnt; six bytes a row and epoch.',
  },
} as const satisfies Record<keyof TrainingConfig, Setting>

/** What the learning rate depends on. */
export type RateModel = Pick<ModelInfo, 'hidden'> & Partial<Pick<ModelInfo, 'family' | 'kind'>>

/** Full fine-tuning wants a tenth of LoRA's rate (Thinking Machines, "LoRA Without Regret"). */
const FULL_SHARE = 0.1
/** BERT's paper trains whole encoders at 2e-5 to 5e-5 (Devlin et al. 2018, arXiv 1810.04805); LoRA at ten times that. */
const ENCODER_RATE = 3e-4
/** How fast the rate falls with the width: Thinking Machines' fits, made for these two; others go by Llama's. */
const WIDTH_POWER = { qwen: 0.0775, llama: 0.781 }

/**
 * The rate for LoRA on a decoder is 5e-5 x 10 x (2000 / hidden)^P (Thinking Machines, "LoRA Without Regret");
 * two significant digits.
 */
export function defaultLearningRate(model: RateModel, method: AdapterConfig['method'] = 'lora'): number {
  const power = model.family?.startsWith('qwen') ? WIDTH_POWER.qwen : WIDTH_POWER.llama
  const lora = model.kind === 'encoder' ? ENCODER_RATE : 5e-4 * (2000 / model.hidden) ** power
  const share = method === 'full' || method === 'layers' ? FULL_SHARE : 1
  return Number((lora * share).toPrecision(2))
}

export function defaultTraining(
  model: RateModel & Pick<ModelInfo, 'context'>,
  task: Task,
  given: Partial<TrainingConfig> = {},
  method: AdapterConfig['method'] = 'lora',
): TrainingConfig {
  const defaults: TrainingConfig = {
    epochs: 3,
    batchSize: task === 'classify' ? 16 : 8,
    accumulation: 1,
    packing: true,
    checkpointing: 'auto',
    learningRate: defaultLearningRate(model, method),
    schedule: 'linear',
    warmup: 0.05,
    weightDecay: 0,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    clip: 1,
    labelSmoothing: 0,
    maxLength: Math.min(256, model.context),
    shuffle: true,
    seed: 42,
    validateEvery: 0,
    checkpointEvery: 0,
    recordRows: true,
  }
  return checkSettings('training', TRAINING_SETTINGS, { ...defaults, ...defined(given) })
}

/** Settings as they were kept; what an earlier version did not know is as that version trained. */
export function storedTraining(kept: Partial<TrainingConfig>): TrainingConfig {
  return {
    packing: false,
    checkpointing: 'auto',
    labelSmoothing: 0,
    recordRows: false,
    ...kept,
  } as TrainingConfig
}
