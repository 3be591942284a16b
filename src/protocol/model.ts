// Base models as the page and the engine speak of them.

export type ModelSource = { builtin: string } | { hub: string; revision?: string } | { files: File[] }

export type Precision = 'f32'

export interface ModelInfo {
  id: string
  name: string
  family: string
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
  /** Markdown of the model card, when there is one. */
  card?: string
}

export interface Tokens {
  ids: number[]
  /** The text of each token; bytes that are no character on their own are shown as U+FFFD. */
  tokens: string[]
}
