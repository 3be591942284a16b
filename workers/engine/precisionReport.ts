// What the precision of a loaded base costs, on texts of the caller's or on a few of ours.
import {
  maskedTokens,
  nextTokens,
  precisionCost,
  residentReference,
  SAMPLE_TEXTS,
  streamedReference,
  type ScoredText,
} from '../../src/core/train/precision.ts'
import type { Turns } from '../../src/core/turns.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { PrecisionReport } from '../../src/protocol/model.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { LoadedModel } from './models.ts'

/** Tokens of a text that are looked at. */
const LENGTH_LIMIT = 512

/**
 * The base is held by the caller. Throws E_ARGUMENT where the texts are too short, E_MODEL_UNSUPPORTED where the base has
 * no head over its vocabulary or no mask, E_ABORTED.
 */
export async function reportPrecision(
  base: LoadedModel,
  turns: Turns,
  texts: readonly string[] = SAMPLE_TEXTS,
  { signal, progress }: CallContext,
): Promise<PrecisionReport> {
  const { model, weights, info } = base
  const scored = texts.map((text) => scoredText(base, text))
  const onLayer = (done: number, total: number) =>
    progress({ label: `Comparing ${info.name} with full precision`, done, total, unit: 'items' })
  const reference =
    info.precision === 'f32'
      ? residentReference(model)
      : await streamedReference(model, weights, { turns, onLayer, signal })
  try {
    return await precisionCost({ model, precision: info.precision, reference, texts: scored, turns, signal })
  } finally {
    reference.dispose()
  }
}

function scoredText({ model, tokenizer, info }: LoadedModel, text: string): ScoredText {
  const { context, kind } = model.architecture
  const limit = Math.min(context, LENGTH_LIMIT)
  if (kind === 'decoder') return nextTokens(tokenizer.encode(text).slice(0, limit))
  const { maskId, prefixIds, suffixIds } = tokenizer
  if (maskId === null)
    throw new GraftError(
      'E_MODEL_UNSUPPORTED',
      `${info.name} has no mask token, so its perplexity cannot be measured.`,
    )
  const room = limit - prefixIds.length - suffixIds.length
  const inner = tokenizer.encode(text, { special: false }).slice(0, room)
  const end = prefixIds.length + inner.length
  return maskedTokens([...prefixIds, ...inner, ...suffixIds], maskId, [prefixIds.length, end])
}
