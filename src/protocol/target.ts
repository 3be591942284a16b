// What a question is put to: a base, a base with an adapter, or a run.

export type Target =
  | { model: string; adapter?: string; strength?: number }
  | { run: string; checkpoint?: string; strength?: number }

/** Who is to read an exported adapter: peft, or llama.cpp's converter, which knows neither rsLoRA nor patterns. */
export const ADAPTER_READERS = ['peft', 'llama.cpp'] as const
export type AdapterReader = (typeof ADAPTER_READERS)[number]

export interface LogitsResult {
  ids: number[]
  /** [T, V] for a language model, [1, labels] for a classifier. */
  shape: [number, number]
  logits: Float32Array
}

export interface Prediction {
  label: string
  /** Probability of each label; they add up to 1. */
  scores: Record<string, number>
}

export interface Message {
  role: string
  content: string
}

export interface GenerateRequest {
  prompt?: string
  messages?: Message[]
  maxTokens?: number
  /** 0 takes the most likely token. */
  temperature?: number
  /** 0 keeps all tokens. */
  topK?: number
  /** 1 keeps all tokens. */
  topP?: number
  /** Least probability of a token, as a share of the most likely one's; 0 keeps all tokens. */
  minP?: number
  /** Above 1, tokens of the text so far become less likely; 1 changes nothing. */
  repetitionPenalty?: number
  seed?: number
  /** Texts that end the answer; they are not part of it. */
  stop?: string[]
}

export interface GenerateResult {
  text: string
  tokens: number[]
  stopReason: 'end' | 'stop' | 'length'
  tokensPerSecond: number
}

export interface Evaluation {
  rows: number
  /** Mean cross-entropy per label, nats. */
  loss: number
  /** exp(loss), language modelling only. */
  perplexity?: number
  accuracy?: number
  macroF1?: number
  /** Share of the most frequent label of the training part. */
  majority?: number
  /** confusion[gold][predicted], labels in the run's order. */
  confusion?: number[][]
  labels?: string[]
}
