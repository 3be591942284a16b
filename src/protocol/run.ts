// Training runs: configuration, history, checkpoints.
import type { Task, TaskConfig } from './data.ts'

export interface AdapterConfig {
  /** `lora` adapts linear layers; `head` trains the classification head alone. */
  method: 'lora' | 'head'
  r: number
  alpha: number
  dropout: number
  targets: 'all-linear' | string[]
}

export type ScheduleName = 'linear' | 'cosine' | 'constant'

export interface TrainingConfig {
  /** Passes over the training rows; `steps`, where given, wins. */
  epochs: number
  steps?: number
  /** Rows in one micro-batch. */
  batchSize: number
  /** Micro-batches in one optimizer step. */
  accumulation: number
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
  /** Tokens kept of one example. */
  maxLength: number
  shuffle: boolean
  seed: number
  /** Optimizer steps between validations; 0 validates at the end of each epoch. */
  validateEvery: number
  /** Optimizer steps between checkpoints; 0 leaves it to the clock (CHECKPOINT_SECONDS) and the end. */
  checkpointEvery: number
}

/** What `runs.start` takes; everything absent gets its default (src/protocol/settings.ts). */
export interface RunRequest {
  name?: string
  dataset: string
  model: string
  task?: Task
  adapter?: Partial<AdapterConfig>
  training?: Partial<TrainingConfig>
}

export interface RunConfig {
  name: string
  dataset: string
  model: string
  task: Task
  adapter: AdapterConfig
  training: TrainingConfig
}

export type RunStatus = 'queued' | 'running' | 'paused' | 'interrupted' | 'done' | 'stopped' | 'failed'

export interface HistoryEntry {
  /** Optimizer steps completed, from 1. */
  step: number
  /** Mean cross-entropy per label of this step, nats. */
  loss: number
  learningRate: number
  /** Global norm of the gradient before clipping. */
  gradNorm: number
  /** Non-padding tokens trained on per second of wall clock. */
  tokensPerSecond: number
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
  trainableParameters: number
  backend: string
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
  trainableParameters: number
  /** Estimated from a measured step on this device. */
  seconds: number
  /** One sentence in plain words. */
  sentence: string
}
