// One answer of a model that writes: what a question and the writing of rows share.
import { decode, type Decoded } from '../../src/core/generate/generate.ts'
import type { SamplingSettings } from '../../src/core/generate/sampler.ts'
import type { Turns } from '../../src/core/turns.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { LoadedModel } from './models.ts'
import { refuseEncoder } from './questions.ts'
import type { ResolvedTarget } from './targets.ts'

/** Throws E_ARGUMENT for what reads but does not write. */
export function refuseClassifier(base: LoadedModel, labels: readonly string[] | null): void {
  if (labels) throw new GraftError('E_ARGUMENT', 'A classification run gives labels, not text. Use predict.')
  refuseEncoder(base, 'To write text, choose a base such as Llama, Qwen, Gemma or GPT-2.')
}

export interface Written {
  text: string
  tokens: number[]
  stopReason: Decoded['stopReason']
}

/** Goes on from `ids` until an end token, a stop text, or the token or context limit. */
export async function writeText(
  { base, trainable }: Pick<ResolvedTarget, 'base' | 'trainable'>,
  turns: Turns,
  {
    ids,
    settings,
    stop,
  }: { ids: number[]; settings: SamplingSettings & { maxTokens: number }; stop: readonly string[] },
  signal: AbortSignal,
  onText: (text: string, tokens: number) => void,
): Promise<Written> {
  let text = ''
  const { ids: tokens, stopReason } = await decode({
    model: base.model,
    adaptation: () => trainable.adaptation,
    turns,
    prompt: ids,
    maxTokens: settings.maxTokens,
    endIds: base.endIds,
    sampling: settings,
    signal,
    onToken: (tokens) => {
      text = base.tokenizer.decode(tokens)
      const ends = stop.map((mark) => text.indexOf(mark)).filter((at) => at >= 0)
      if (ends.length > 0) text = text.slice(0, Math.min(...ends))
      onText(text, tokens.length)
      return ends.length > 0
    },
  })
  return { text, tokens, stopReason }
}
