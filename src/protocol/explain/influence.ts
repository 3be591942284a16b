// What training rows did: how each of them went over the epochs of a run, and which of them speak for or against an answer.
// Targets are runs whose dataset is still there, with the rows it had.
import type { ExplainedOutput, ExplainInput } from './common.ts'

/** What is asked about: an answer, or the rows alone (only their influence on themselves is told then). */
export type InfluenceRequest = (ExplainInput | { text?: undefined; messages?: undefined }) & {
  /** The answer: a label's name or index (classify), a token id (language model); default: the most likely one. */
  output?: string | number
  /** Language models: the answer as a text, in place of one token. */
  answer?: string
  /** Training rows that are looked at, drawn with the seed; default 200. */
  rows?: number
  /** Or exactly these, by their index in the dataset; rows outside of the training part are refused. */
  indices?: number[]
  /** Sums that gradients are projected to; 0: exact inner products, no projection. Default 512. */
  projection?: number
  /** By id; default: all that the run has. */
  checkpoints?: string[]
  /** Of the drawn rows and of the projection; default 0. */
  seed?: number
}

export interface InfluentialRow {
  /** Index in the dataset. */
  row: number
  /** Above 0: training on it spoke for the answer; below 0: against it. Nats of the answer's loss, first order. */
  influence: number | null
  /** Influence on itself, at least 0: large where the model had to bend for this row alone. */
  self: number
  text: string
  /** classify: its label; else the text that is learnt, empty where that is all of it. */
  label: string
}

export interface InfluenceResult {
  /** The answer that was asked about; null without a text. `name` is the label, or the text of the answer. */
  output: Pick<ExplainedOutput, 'name' | 'index'> | null
  /** By falling influence; without an answer by falling influence on themselves. */
  rows: InfluentialRow[]
  /** Rows of the training part, of which `rows` are some. */
  of: number
  /** Rows that were drawn but have nothing to learn. */
  skipped: number
  /** What the sum goes over. */
  checkpoints: { id: string; step: number; learningRate: number }[]
  projection: number
  seed: number
  /** The inner products are those of plain gradient descent; the run took steps of AdamW, which scales every number. */
  approximate: true
}

export interface CartographyRequest {
  /** Epochs in which a row must have been met; default and least 3. */
  epochs?: number
}

export const ROW_REGIONS = ['easy', 'ambiguous', 'hard'] as const
export type RowRegion = (typeof ROW_REGIONS)[number]

/** Arrays go by the rows that were met often enough, in the order of the training part. */
export interface CartographyResult {
  /** Index of each in the dataset. */
  rows: Int32Array
  /** Mean over epochs of the probability of the row's own label; of a language model, of the geometric mean probability of
   *  the tokens that are learnt, exp(-mean cross-entropy). */
  confidence: Float64Array
  /** Its population standard deviation over epochs, at most 0.5. */
  variability: Float64Array
  /** Share of epochs in which the row's own label was the most likely one; of a language model, in which its probability
   *  was 0.5 or more. */
  correctness: Float64Array
  /** Index into ROW_REGIONS: `ambiguous` is the third that varied most, the others are `easy` from a confidence of 0.5. */
  region: Uint8Array
  /** Epochs in which each row was met. */
  epochs: Uint16Array
  /** classify: class of each row, and the classes' names; else null. */
  label: Int32Array | null
  labels: string[] | null
  /** Epochs that were recorded, the last of them perhaps in part. */
  recorded: number
  /** Rows whose label was never the most likely. */
  neverLearnt: number
  /** Rows that were met in fewer epochs than asked, and are left out. */
  tooFew: number
}
