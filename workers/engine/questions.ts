// What may be asked of a target, and the tokens that a question becomes: every refusal comes before the device is touched.
import { classifyIds } from '../../src/data/examples.ts'
import { renderPrompt } from '../../src/data/templates.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { ExplainInput } from '../../src/protocol/explain.ts'
import type { Message } from '../../src/protocol/target.ts'
import type { LoadedModel } from './models.ts'
import type { ResolvedTarget } from './targets.ts'

export const GENERATE_DEFAULTS = {
  maxTokens: 128,
  temperature: 0.7,
  topK: 40,
  topP: 0.95,
  minP: 0,
  repetitionPenalty: 1,
  seed: 0,
}

/** Token ids of an input, as the target learned to read it: a classifier cuts a text at its training length. */
export function inputIds({ base, taskConfig, labels, run }: ResolvedTarget, input: ExplainInput): number[] {
  if (!('messages' in input ? Array.isArray(input.messages) : typeof input.text === 'string'))
    throw new GraftError('E_ARGUMENT', 'Give a text, or a list of messages.')
  if ('messages' in input) {
    checkMessages(input.messages)
    return renderPrompt(taskConfig, base.tokenizer, input.messages).ids
  }
  if (!labels) return base.tokenizer.encode(input.text)
  const { ids, empty } = classifyIds(
    base.tokenizer,
    input.text,
    run?.config.training.maxLength ?? base.info.context,
  )
  return empty ? [] : ids
}

function checkMessages(messages: readonly (Partial<Message> | null)[]): void {
  const isText = (value: unknown) => typeof value === 'string'
  const wrong = messages.findIndex((message) => !isText(message?.role) || !isText(message?.content))
  if (messages.length > 0 && wrong < 0) return
  throw new GraftError(
    'E_ARGUMENT',
    messages.length === 0
      ? 'There are no messages. Give at least one.'
      : `Message ${wrong + 1} is none: a message has a role and a content, both texts.`,
  )
}

/**
 * The token whose scores are explained: the classifier's, the last one of a model that writes, the masked one of a model
 * that fills masks.
 */
export function explainedPosition(
  { base, labels }: Pick<ResolvedTarget, 'base' | 'labels'>,
  ids: readonly number[],
): number {
  const { kind } = base.model.architecture
  if (labels) return base.model.family.classifier.row === 'first' ? 0 : ids.length - 1
  if (kind === 'decoder') return ids.length - 1
  const { maskId, maskText } = base.tokenizer
  const at = maskId === null ? -1 : ids.indexOf(maskId)
  if (at < 0)
    throw new GraftError(
      'E_ARGUMENT',
      maskText === null
        ? `${base.info.name} has no mask token, so on its own it predicts nothing to explain. Choose a classification run.`
        : `${base.info.name} fills masks: write ${maskText} in place of the word that is to be explained.`,
      { mask: maskText },
    )
  return at
}

/** Encoders read a whole text at once; they do not continue one. */
export function refuseEncoder({ model, info }: LoadedModel, advice: string): void {
  if (model.architecture.kind === 'encoder')
    throw new GraftError('E_ARGUMENT', `${info.name} reads whole texts and does not write. ${advice}`, {
      model: info.id,
    })
}

export function checkIds(
  ids: readonly number[],
  { vocab, context }: { vocab: number; context: number },
): void {
  if (ids.length === 0) throw new GraftError('E_ARGUMENT', 'The text is empty. Write at least one character.')
  if (ids.length > context)
    throw new GraftError(
      'E_LIMIT',
      `The text has ${ids.length} tokens; this model reads at most ${context}. Shorten it.`,
      { tokens: ids.length, context },
    )
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocab)
  if (wrong !== undefined)
    throw new GraftError(
      'E_ARGUMENT',
      `${wrong} is no token id of this model; ids go from 0 to ${vocab - 1}.`,
    )
}

export function checkGeneration({
  maxTokens,
  temperature,
  topK,
  topP,
  minP,
  repetitionPenalty,
}: typeof GENERATE_DEFAULTS): void {
  const refuse = (name: string, wanted: string, value: number) => {
    throw new GraftError('E_ARGUMENT', `${name} must be ${wanted}, but is ${value}.`, {
      setting: name,
      value,
    })
  }
  if (!Number.isInteger(maxTokens) || maxTokens < 1) refuse('maxTokens', 'a whole number from 1', maxTokens)
  if (!(temperature >= 0)) refuse('temperature', '0 or more', temperature)
  if (!Number.isInteger(topK) || topK < 0) refuse('topK', 'a whole number, 0 for all', topK)
  if (!(topP > 0 && topP <= 1)) refuse('topP', 'above 0 and at most 1', topP)
  if (!(minP >= 0 && minP <= 1)) refuse('minP', 'from 0 to 1', minP)
  if (!(repetitionPenalty > 0 && repetitionPenalty <= 100))
    refuse('repetitionPenalty', 'above 0 and at most 100, 1 for none', repetitionPenalty)
}
