// The precisions of a frozen base in plain words, and what one of them costs.
import type { Precision, PrecisionReport } from '../../protocol/model.ts'
import { count, number, percent } from '../../charts/format.ts'

export const PRECISION_WORDS: Record<
  Precision,
  { label: string; /** Of one weight. */ bits: string; about: string }
> = {
  f32: { label: 'f32', bits: '32 bits', about: 'Exact. The most memory.' },
  f16: { label: 'f16', bits: '16 bits', about: 'Half the memory, nearly exact.' },
  int8: { label: 'int8', bits: '8 bits', about: 'A quarter of the memory.' },
  nf4: {
    label: 'nf4',
    bits: '4 bits',
    about: "QLoRA's format, for large bases.",
  },
}

/** A change of perplexity below this share is called none. */
const NOTHING = 0.001

/** The report as sentences: what it costs first, how far single scores are off second. */
export function costWords(report: PrecisionReport): { perplexity: string; logits: string } {
  const { precision, perplexity, perplexityF32, tokens, logitError } = report
  const change = perplexity / perplexityF32 - 1
  const on = `on ${count(tokens)} tokens of sample text`
  const verdict =
    Math.abs(change) < NOTHING
      ? `In ${precision} the base foresees text as well as in f32`
      : `In ${precision} the base foresees text ${percent(Math.abs(change))} ${change > 0 ? 'worse' : 'better'} than in f32`
  return {
    perplexity: `${verdict}: perplexity ${number(perplexity, 4)} in place of ${number(perplexityF32, 4)}, ${on}.`,
    logits: `Its scores are off by ${number(logitError.rms, 2)} on average (root mean square), at most by ${percent(logitError.relative, 2)} of the largest score.`,
  }
}
