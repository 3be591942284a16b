// What every explanation begins with: a target on the device, the tokens of its input, and the number to explain.
import { answers } from '../../../src/core/explain/answers.ts'
import type { Explained, Subject } from '../../../src/core/explain/subject.ts'
import { greedy } from '../../../src/core/generate/sampler.ts'
import type { Turns } from '../../../src/core/turns.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type {
  ExplainedOutput,
  ExplainInput,
  ExplainMethod,
  ExplainRequest,
  ExplainResult,
  OutputChoice,
} from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import type { Target } from '../../../src/protocol/target.ts'
import type { Store } from '../../../src/store/database.ts'
import type { ModelLibrary } from '../models.ts'
import { checkIds, explainedPosition, inputIds } from '../questions.ts'
import type { ResolvedTarget, Targets } from '../targets.ts'

/** What explanations work with. */
export interface Desk {
  store: Store
  models: ModelLibrary
  targets: Targets
  turns: Turns
}

/** The function behind one method of `graft.explain`. */
export type Explainer<M extends ExplainMethod> = (
  desk: Desk,
  target: Target,
  request: ExplainRequest<M>,
  context: CallContext,
) => Promise<ExplainResult<M>>

/** Does the work on a target that is on the device, and frees it afterwards. */
export async function withTarget<T>(
  desk: Desk,
  target: Target,
  work: (resolved: ResolvedTarget) => Promise<T>,
): Promise<T> {
  const resolved = await desk.targets.resolve(target)
  try {
    return await work(resolved)
  } finally {
    resolved.release()
  }
}

/** A subject with what is said about it in the answer. */
export interface Opened {
  subject: Subject
  tokens: string[]
  output: ExplainedOutput
}

/** The tokens of an input, checked, and which of them stay whatever is taken away. The model is not asked. */
export function readInput(resolved: ResolvedTarget, input: ExplainInput) {
  const { base } = resolved
  const ids = inputIds(resolved, input)
  checkIds(ids, base.model.architecture)
  const tokens = base.tokenizer.tokens(ids)
  return { ids, tokens, fixed: fixedTokens(resolved, ids, tokens, input) }
}

/** Reads the input, checks it, and settles which number is explained. */
export async function openSubject(
  desk: Desk,
  resolved: ResolvedTarget,
  input: ExplainInput,
  choice: OutputChoice,
): Promise<Opened> {
  const { base, trainable, labels } = resolved
  const { ids, tokens, fixed } = readInput(resolved, input)
  const position = explainedPosition(resolved, ids)
  const asked = {
    model: base.model,
    trainable,
    turns: desk.turns,
    padId: base.padId,
    maskId: base.tokenizer.maskId,
  }
  const { logits } = await answers(asked, [{ ids, position }], 'all')
  const nameOf = (index: number) => (labels ? labels[index]! : base.tokenizer.tokens([index])[0]!)
  const index = outputIndex(choice.output, resolved, logits.length) ?? greedy(logits)
  const contrast = outputIndex(choice.contrast, resolved, logits.length)
  if (contrast === index)
    throw new GraftError(
      'E_ARGUMENT',
      `The contrast is the explained output itself (${nameOf(index)}). Choose another one.`,
      { output: nameOf(index) },
    )
  const explained: Explained = { index, contrast, position }
  const named = (at: number) => ({ name: nameOf(at), index: at, logit: logits[at]! })
  return {
    subject: { ...asked, ids, explained, fixed },
    tokens,
    output: {
      ...named(index),
      ...(contrast !== null && { contrast: named(contrast) }),
      value: logits[index]! - (contrast === null ? 0 : logits[contrast]!),
      position,
    },
  }
}

/** Index of an output that was asked for by name or number; null where none was. Throws E_ARGUMENT. */
export function outputIndex(
  output: string | number | undefined,
  { labels, base: { tokenizer } }: Pick<ResolvedTarget, 'labels' | 'base'>,
  count: number,
): number | null {
  if (output === undefined) return null
  if (typeof output === 'string' && !labels) {
    const ids = tokenizer.encode(output, { special: false })
    if (ids.length === 1) return ids[0]!
    const parts = tokenizer.tokens(ids).map((token) => JSON.stringify(token))
    throw new GraftError(
      'E_ARGUMENT',
      `${JSON.stringify(output)} is no one token, but ${ids.length}${ids.length ? ` (${parts.join(', ')})` : ''}. Give the one that comes first, as a text or by its id.`,
      { output, ids },
    )
  }
  const index = typeof output === 'number' ? output : labels!.indexOf(output)
  if (!Number.isInteger(index) || index < 0 || index >= count)
    throw new GraftError(
      'E_ARGUMENT',
      labels
        ? `"${output}" is not one of the labels: ${labels.join(', ')}.`
        : `${output} is no token id; ids go from 0 to ${count - 1}.`,
    )
  return index
}

/** 1 for special tokens, and for what a chat template writes around the last message. */
function fixedTokens(
  { base }: ResolvedTarget,
  ids: readonly number[],
  tokens: readonly string[],
  input: ExplainInput,
): Uint8Array {
  const fixed = Uint8Array.from(ids, (id) => Number(base.tokenizer.isSpecial(id)))
  const last = 'messages' in input ? input.messages.at(-1)?.content.trim() : undefined
  if (!last) return fixed
  const begin = tokens.join('').lastIndexOf(last)
  if (begin < 0) return fixed
  let at = 0
  tokens.forEach((token, t) => {
    const end = at + token.length
    if (end <= begin || at >= begin + last.length) fixed[t] = 1
    at = end
  })
  return fixed
}
