// What is explained: a model as it stands at one moment, and one number of its answer.
import type { Transformer } from '../models/transformer.ts'
import type { Trainable } from '../train/objective.ts'
import type { Turns } from '../turns.ts'

/** A model with what stands beside it, and the device's lane. */
export interface Asked {
  model: Transformer
  trainable: Trainable
  turns: Turns
  padId: number
  /** Null where the model knows no mask. */
  maskId: number | null
}

/** Logit number `index`, less that of `contrast`, at a token. */
export interface Explained {
  index: number
  contrast: number | null
  position: number
}

/** One text and the number that is explained. */
export interface Subject extends Asked {
  ids: readonly number[]
  explained: Explained
  /** [T]: 1 for tokens that the tokenizer or a template put around the text: they always stay. */
  fixed: Uint8Array
}

/** The token that a model's answer is read from, in a text of `length` tokens: the first or the last of a classifier, the
 *  last of a model that writes. */
export function answerPosition(
  { model, trainable }: Pick<Asked, 'model' | 'trainable'>,
  length: number,
): number {
  return trainable.classify && model.family.classifier.row === 'first' ? 0 : length - 1
}
