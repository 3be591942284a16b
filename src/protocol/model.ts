// Base models and adapters as the page and the engine speak of them.
import type { Task } from './data.ts'
import type { AdapterConfig, Checkpointing, TrainingConfig } from './run.ts'

export type ModelSource = { builtin: string } | { hub: string; revision?: string } | { files: File[] }

/** How the frozen weights are kept on the device: packed halves, 8 bits a weight by row, or QLoRA's 4 bits by block. */
export const PRECISIONS = ['f32', 'f16', 'int8', 'nf4'] as const
export type Precision = (typeof PRECISIONS)[number]

/** `decoder`: writes text from left to right. `encoder`: reads a whole text at once and fills masks. */
export type ModelKind = 'decoder' | 'encoder'

export interface LoadOptions {
  /** Default: the best that fits this device by the memory estimate. */
  precision?: Precision
  /** For gated models of the Hub. Used for this call, never stored, exported or logged. */
  token?: string
}

export interface ModelInfo {
  id: string
  name: string
  family: string
  kind: ModelKind
  /** What it can be trained for. */
  tasks: Task[]
  /** Number of weights. */
  parameters: number
  layers: number
  heads: number
  keyValueHeads: number
  hidden: number
  headSize: number
  intermediate: number
  vocab: number
  /** Longest sequence in tokens. */
  context: number
  precision: Precision
  /** Bytes of the checkpoint files. */
  bytes: number
  /** True when the files are in this browser and it loads without a network. */
  stored: boolean
  loaded: boolean
  /** The names of the linear layers that an adapter may target. */
  targets: string[]
  hasChatTemplate: boolean
  source: { builtin: string } | { hub: string; revision: string } | { files: string[] }
  licence?: string
  /** Markdown of the model card, when there is one. */
  card?: string
}

/** Whether a task with its settings has room on this device: with a margin, barely, or not. */
export type Fit = 'fits' | 'tight' | 'tooLarge'

/** A model on the Hub, as a search or the curated list shows it. */
export interface HubModel {
  /** owner/name */
  id: string
  name: string
  /** `model_type`, null where the Hub does not say. */
  family: string | null
  parameters: number | null
  /** Bytes of the weights to download. */
  bytes: number | null
  licence: string | null
  /** Longest sequence in tokens. */
  context: number | null
  /** Needs an account that was granted access, and its token. */
  gated: boolean
  downloads: number | null
  /** Part of the list that comes with Graft: known to work. */
  curated: boolean
  /** Why Graft cannot use it, or null. */
  unsupported: string | null
  /** With the best precision for this device and default settings; null where the Hub tells too little. */
  estimate: MemoryEstimate | null
}

export interface EstimateRequest {
  /** Id of a model in the list, or where it would come from. */
  model: string | { hub: string; revision?: string }
  task?: Task
  adapter?: Partial<AdapterConfig>
  training?: Partial<TrainingConfig>
  precision?: Precision
  /** Classes of a `classify` task; default 2. */
  labels?: number
}

/** Bytes that training takes on the device, by the formula of src/core/train/memory.ts. */
export interface MemoryEstimate {
  precision: Precision
  /** What is kept for the backward pass; where the settings leave it open, by what fits. */
  checkpointing: Checkpointing
  bytes: number
  parts: {
    /** The frozen base in its precision. */
    weights: number
    /** Values, gradients and both moments of everything trainable. */
    trainable: number
    /** What the blocks keep for the backward pass: their inputs, or all that they made. */
    inputs: number
    /** Everything else alive while one block is computed, forward and backward. */
    block: number
    /** One tile of the output head's logits. */
    head: number
    /** What pools and allocators hold beyond that. */
    slack: number
  }
  trainableParameters: number
  /** Bytes that this device is taken to have for Graft. */
  budget: number
  fit: Fit
  /** The same for each precision, so that people may choose. */
  byPrecision: Record<Precision, { bytes: number; fit: Fit }>
  /** One sentence in plain words, with what to change where it does not fit. */
  sentence: string
}

/** What a quantised base costs against the same weights in float32, on sample texts. */
export interface PrecisionReport {
  precision: Precision
  /** Largest |difference| of the logits / largest |logit|, and the root mean square of the differences. */
  logitError: { relative: number; rms: number }
  perplexity: number
  perplexityF32: number
  tokens: number
}

export type AdapterSource = { files: File[] } | { hub: string; revision?: string; token?: string }

/** A finished adapter that stands beside a base: imported from PEFT's files. */
export interface AdapterInfo {
  id: string
  name: string
  /** The base in this browser that it was imported for. */
  model: string
  task: 'causal' | 'classify'
  /** Names for its classes, where it is a classifier. */
  labels: string[] | null
  r: number
  alpha: number
  targets: string[]
  useDora: boolean
  useRslora: boolean
  parameters: number
  bytes: number
  createdAt: number
  /** What its own files say it was trained on. */
  baseName: string | null
  source: { hub: string; revision: string } | { files: string[] }
  /** Sentences about what was found odd in its files and taken nevertheless. */
  warnings?: string[]
}

export interface Tokens {
  ids: number[]
  /** The text of each token; bytes that are no character on their own are shown as U+FFFD. */
  tokens: string[]
}
