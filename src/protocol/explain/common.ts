// What all explanations share: what is read, which number is explained, and in which units it is told.
import type { Message } from '../target.ts'

/** What is read: a text as it stands, or messages in the model's chat template, up to where its answer begins. */
export type ExplainInput = { text: string } | { messages: Message[] }

/** Which number is explained: the logit of one output, or how far it is above another's. */
export interface OutputChoice {
  /** A label's name or index (classify), a token by its id or its text (language model); default: the most likely one. */
  output?: string | number
  /** "Why `output` rather than this": the difference of the two logits is explained. */
  contrast?: string | number
}

/** The number that was explained. */
export interface ExplainedOutput {
  name: string
  index: number
  logit: number
  contrast?: { name: string; index: number; logit: number }
  /** logit, less the contrast's */
  value: number
  /** The token whose scores these are: the classifier's, the last one, or the masked one. */
  position: number
}

export const GRANULARITIES = ['token', 'word', 'sentence'] as const
/** In which pieces a text is explained. What the tokenizer or the template put around it belongs to none of them. */
export type Granularity = (typeof GRANULARITIES)[number]

/** A piece of a text: the tokens [from, to). */
export interface Unit {
  text: string
  from: number
  to: number
}

/** What stands in the place of a piece that is taken away: the mask token (models that have one), the padding token, or
 *  nothing: the text becomes shorter. */
export type Replacement = 'mask' | 'pad' | 'remove'

export interface UnitChoice {
  /** Default: 'word'. */
  granularity?: Granularity
  /** Default: 'mask' where the model knows one, else 'pad'. */
  replacement?: Replacement
}
