// Training runs: configuration, history, checkpoints.
import type { Task, TaskConfig, WeightRange } from './data.ts'
import type { FilmConfig, FilmInfo, FilmPlan, FilmRequest } from './explain/film.ts'
import type { Precision } from './model.ts'

/** What is trained. Names and meanings are PEFT's (LoraConfig), in camelCase. */
export interface AdapterConfig {
  /** `lora` adapts linear layers; `head` trains the classification head alone; `layers` the last `topLayers` blocks
   *  and what stands above them; `full` every weight. */
  method: 'lora' | 'head' | 'layers' | 'full'
  r: number
  alpha: number
  dropout: number
  /** Last parts of module paths, whole paths, or, as one string, a regular expression for whole paths. */
  targets: 'all-linear' | string | string[]
  /** Scale alpha / sqrt(r) in place of alpha / r (Kalajdzievski 2023, arXiv 2312.03732). */
  useRslora: boolean
  /** A trained magnitude for every output row (Liu et al. 2024, arXiv 2402.09353). */
  useDora: boolean
  /** true: Kaiming-uniform A; B is zero. `pissa` begins with the base's principal components (arXiv 2404.02948). */
  initLoraWeights: true | 'gaussian' | 'pissa'
  /** Learning rate of B / learning rate of A (LoRA+, arXiv 2402.12354); 1 is plain LoRA. */
  loraPlusRatio: number
  /** Ranks and alphas of single layers, by the end of the module path or a regular expression. */
  rankPattern: Record<string, number>
  alphaPattern: Record<string, number>
  /** Blocks that get adapters, from 0; null: all. */
  layersToTransform: number[] | null
  /** Modules that are trained whole and saved beside the adapter, by the end of their path. */
  modulesToSave: string[]
  /** Which biases are trained too. */
  bias: 'none' | 'all' | 'lora_only'
  /** Method `layers`: how many blocks, counted from the top. */
  topLayers: number
}

/** Of a block, the backward pass keeps all that the forward pass made (`none`), or the input alone, and computes the rest
 *  again (`block`). */
export type Checkpointing = 'none' | 'block'

export type ScheduleName = 'linear' | 'cosine' | 'constant'

export interface TrainingConfig {
  /** Passes over the training rows; `steps`, where given, wins. */
  epochs: number
  steps?: number
  /** Rows in one micro-batch. */
  batchSize: number
  /** Micro-batches in one optimizer step. */
  accumulation: number
  /** Short rows share the length of the longest row of their batch; each still sees itself alone. */
  packing: boolean
  /** `auto`: by the memory estimate. */
  checkpointing: 'auto' | Checkpointing
  learningRate: number
  schedule: ScheduleName
  /** Share of the steps (below 1) or number of steps (1 and above) with a rising learning rate. */
  warmup: number
  weightDecay: number
  beta1: number
  beta2: number
  epsilon: number
  /** Largest global norm of the gradient; 0 switches clipping off. */
  clip: number
  /** Share of each target that is spread over all words or classes; 0 learns the labels as they are. */
  labelSmoothing: number
  /** Tokens kept of one example. */
  maxLength: number
  shuffle: boolean
  seed: number
  /** Optimizer steps between validations; 0 validates at the end of each epoch. */
  validateEvery: number
  /** Optimizer steps between checkpoints; 0 leaves it to the clock (CHECKPOINT_SECONDS) and the end. */
  checkpointEvery: number
  /** Keeps the probability of each training row's label or text in each epoch, for dataset cartography. Changes no result. */
  recordRows: boolean
}

/** What `runs.start` takes; everything absent gets its default (src/protocol/settings.ts). */
export interface RunRequest {
  name?: string
  dataset: string
  model: string
  task?: Task
  /** `from`: goes on from an imported adapter, whose own settings then hold. */
  adapter?: Partial<AdapterConfig> & { from?: string }
  training?: Partial<TrainingConfig>
  /** Attention and saliency of a few texts, recorded while it trains; changes no bit of the training. */
  film?: FilmRequest
}

export interface RunConfig {
  name: string
  dataset: string
  model: string
  task: Task
  adapter: AdapterConfig
  /** Id of the imported adapter whose weights it began with. */
  from?: string
  training: TrainingConfig
  /** Absent: none is recorded. */
  film?: FilmConfig
}

export type RunStatus = 'queued' | 'running' | 'paused' | 'interrupted' | 'done' | 'stopped' | 'failed'

export interface HistoryEntry {
  /** Optimizer steps completed, from 1. */
  step: number
  /** Mean cross-entropy per label of this step, nats; where rows have weights, their weighted mean. */
  loss: number
  learningRate: number
  /** Global norm of the gradient before clipping. */
  gradNorm: number
  /** Non-padding tokens trained on per second of wall clock. */
  tokensPerSecond: number
  /** Mean cross-entropy per label, nats: validation rows have no weights. */
  validationLoss?: number
  /** classify only: share of validation rows predicted correctly. */
  validationAccuracy?: number
}

export interface CheckpointInfo {
  id: string
  step: number
  createdAt: number
  validationLoss?: number
}

export interface Run {
  id: string
  status: RunStatus
  createdAt: number
  /** Optimizer steps completed and planned. */
  step: number
  steps: number
  epochs: number
  /** Seconds of training, pauses excluded. */
  seconds: number
  secondsLeft: number | null
  history: HistoryEntry[]
  checkpoints: CheckpointInfo[]
  config: RunConfig
  /** How rows became examples when the run started. */
  taskConfig: TaskConfig
  /** Labels in the order of the score head (classify only). */
  labels: string[] | null
  /** Fingerprint of the split and the task when the run started: it resumes only on the same rows. */
  dataKey: string
  /** Rows in the training part; rows left out because no label of theirs would be trained. */
  rows: number
  skippedRows: number
  /** The range of the training rows' weights in the loss; absent where the recipe gives none. */
  weights?: WeightRange
  trainableParameters: number
  /** Where one is recorded. */
  film?: FilmInfo
  backend: string
  /** Of the base that it trains beside; absent until it begins. */
  precision?: Precision
  /** Names for people who see the run when its dataset or base has been removed. */
  datasetName: string
  modelName: string
  error: { code: string; message: string } | null
}

/** What a subscriber gets: the whole run without its history, and the entries that are new. */
export interface RunEvent {
  run: Omit<Run, 'history'>
  entries: HistoryEntry[]
}

/** Rows that would train nothing. */
export interface UnlabelledRows {
  count: number
  /** The first UNLABELLED_LIMIT of them, by their index in the dataset. */
  rows: number[]
  /** The most frequent reason, as a sentence; null where there is no such row. */
  reason: string | null
  /** Rows that were looked at; fewer than the training part means that `count` is projected from these. */
  checked: number
}

/** What will run, before it runs. */
export interface RunPlan {
  config: RunConfig
  rows: number
  steps: number
  /** Mean tokens an example after truncation, and the share of (sampled) examples that are cut. */
  meanTokens: number
  truncated: number
  /** Share of (sampled) examples with nothing left to learn: an empty side, or a prompt that fills the whole length. */
  unusable: number
  /** Rows of the training part with nothing to learn; they are left out. */
  unlabelled: UnlabelledRows
  trainableParameters: number
  /** Estimated from a measured step on this device. */
  seconds: number
  /** What the film takes, where one is asked for; its seconds come on top. */
  film?: FilmPlan
  /** One sentence in plain words. */
  sentence: string
}
