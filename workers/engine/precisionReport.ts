// What the precision of a loaded base costs, on texts of the caller's or on a few of ours.
import {
  nextTokens,
  precisionCost,
  residentReference,
  streamedReference,
  type ScoredText,
} from '../../src/core/train/precision.ts'
import type { Turns } from '../../src/core/turns.ts'
import { IGNORED } from '../../src/data/examples.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { PrecisionReport } from '../../src/protocol/model.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { LoadedModel } from './models.ts'

/** Tokens of a text that are looked at. */
const LENGTH_LIMIT = 512
/** Of an encoder every so many-th token is masked: about the share of its pretraining. */
const MASK_EVERY = 7

/** Plain English of different kinds: a report, a dialogue, an instruction, figures, a letter. */
const SAMPLES = [
  'The river rose overnight, and by morning the lower meadow was under water. Nobody had expected the dam to hold as long as it did, but the engineers had opened the second gate in time. In the village the schools stayed closed, the baker worked by candlelight, and people carried what they could to the upper floors.',
  '"Did you find the keys?" she asked. "They were in the kitchen, under the newspaper," he said. "You always put them there when you come home late." She laughed and took her coat. "Then tomorrow I will hang them by the door, where anybody can see them."',
  'To make the dough, mix the flour with the salt and the yeast. Add the water slowly and knead for ten minutes, until the dough is smooth. Cover it with a cloth and let it rest in a warm place for an hour. Then shape two loaves and bake them until they sound hollow when you knock on them.',
  'In the first quarter the company sold 1,240 machines, 12% more than in the year before. Costs rose by 3.5 million, mostly because of higher prices for steel and transport. The board expects the second half of the year to be better, since two large orders have already been confirmed.',
  'Dear Ms Miller, thank you for your message of last Tuesday. I am sorry that your order arrived damaged. We have sent you a new one today, free of charge, and you do not have to return the first. If there is anything else that we can do for you, please write to us or call us at any time.',
]

export async function reportPrecision(
  base: LoadedModel,
  turns: Turns,
  texts: readonly string[] = SAMPLES,
  { signal, progress }: CallContext,
): Promise<PrecisionReport> {
  const { model, weights, info } = base
  const scored = texts.map((text) => scoredText(base, text))
  const layered = (done: number, total: number) =>
    progress({ label: `Comparing ${info.name} with full precision`, done, total, unit: 'items' })
  const exact = info.precision === 'f32'
  const reference = exact
    ? residentReference(model)
    : await streamedReference(model, weights, { turns, onLayer: layered, signal })
  try {
    return await precisionCost({ model, precision: info.precision, reference, texts: scored, turns, signal })
  } finally {
    reference.dispose()
  }
}

function scoredText({ model, tokenizer, info }: LoadedModel, text: string): ScoredText {
  const { context, kind } = model.architecture
  const ids = tokenizer.encode(text).slice(0, Math.min(context, LENGTH_LIMIT))
  if (kind === 'decoder') return nextTokens(ids)
  const { maskId } = tokenizer
  if (maskId === null)
    throw new GraftError(
      'E_MODEL_UNSUPPORTED',
      `${info.name} has no mask token, so its perplexity cannot be measured.`,
    )
  const masked = (id: number, t: number) => t % MASK_EVERY === MASK_EVERY - 1 && !tokenizer.isSpecial(id)
  return {
    ids: ids.map((id, t) => (masked(id, t) ? maskId : id)),
    targets: ids.map((id, t) => (masked(id, t) ? id : IGNORED)),
  }
}
