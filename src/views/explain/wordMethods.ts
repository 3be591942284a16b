// Every way to say what a word does to the answer, and how each is asked: one form for what the page draws.
import type { GraftApi } from '../../protocol/api.ts'
import type {
  ExplainedOutput,
  Granularity,
  SaliencyMethod,
  ShapMethod,
  Unit,
} from '../../protocol/explain.ts'
import { SALIENCY_METHODS } from '../../protocol/explain.ts'
import type { CallOptions } from '../../protocol/progress.ts'
import type { Question } from '../../state/explaining.svelte.ts'
import { METHODS } from './methods.ts'

export interface WordMethod {
  value: string
  label: string
  about: string
  signed: boolean
  group: string
}

/** What a method found out, whatever it is. */
export interface WordScores {
  method: WordMethod
  tokens: string[]
  units: Unit[]
  /** [units] */
  scores: Float64Array
  /** [units], where the scores were sampled. */
  errors?: Float64Array
  output: ExplainedOutput
  granularity: Granularity
  /** Of methods that draw. */
  seed?: number
  /** What a reader should know about it, with its number: [name, value, help]. */
  facts: [string, number, string][]
}

const ASKING = 'Asking again without words'

export const WORD_METHODS: WordMethod[] = [
  ...METHODS.map((method) => ({ ...method, group: 'Gradients' })),
  {
    value: 'partition',
    label: 'SHAP (partition)',
    group: ASKING,
    signed: true,
    about:
      'Credit for the score, shared out fairly among groups of neighbouring words and then within them (Owen values). The numbers add up to the whole change.',
  },
  {
    value: 'kernel',
    label: 'SHAP (kernel)',
    group: ASKING,
    signed: true,
    about: 'Shapley values from many subsets of the words, by weighted least squares.',
  },
  {
    value: 'permutation',
    label: 'SHAP (permutation)',
    group: ASKING,
    signed: true,
    about: 'Shapley values from adding the words one by one in random orders, forwards and back.',
  },
  {
    value: 'lime',
    label: 'LIME',
    group: ASKING,
    signed: true,
    about:
      'A straight line through the probabilities of the text with random words taken away: what each word adds near this text.',
  },
]

export async function askWords(
  api: GraftApi,
  { target, input, choice }: Question,
  method: WordMethod,
  granularity: Granularity,
  options: CallOptions,
): Promise<WordScores> {
  const request = { ...input, ...choice, granularity }
  const saliency = SALIENCY_METHODS.find((name): name is SaliencyMethod => name === method.value)
  if (saliency) {
    const found = await api.explain.saliency(target, { ...request, method: saliency }, options)
    const { tokens, units, unitScores, output, residual } = found
    return {
      method,
      tokens,
      units,
      scores: unitScores,
      output,
      granularity,
      ...(saliency === 'smoothGrad' && { seed: 0 }),
      facts:
        residual === undefined
          ? []
          : [['left unexplained', residual, 'Sum of all scores minus the whole change: near 0 is right.']],
    }
  }
  if (method.value === 'lime') {
    const { tokens, units, weights, standardErrors, output, seed, score, evaluations } =
      await api.explain.lime(target, request, options)
    return {
      method,
      tokens,
      units,
      scores: weights,
      errors: standardErrors,
      output,
      granularity,
      seed,
      facts: [
        ['fit (R²)', score, 'How well the straight line follows the model near this text: 1 is perfectly.'],
        ['texts asked', evaluations, 'Variants of the text that the model answered.'],
      ],
    }
  }
  const found = await api.explain.shap(target, { ...request, method: method.value as ShapMethod }, options)
  const { tokens, units, values, standardErrors, output, seed, base, value, evaluations } = found
  return {
    method,
    tokens,
    units,
    scores: values,
    ...(standardErrors && { errors: standardErrors }),
    output,
    granularity,
    seed,
    facts: [
      [
        'without any word',
        base,
        'The score of the text with every word taken away: where the credit begins.',
      ],
      ['whole text', value, 'The score of the text as it stands: where the credit ends.'],
      ['texts asked', evaluations, 'Variants of the text that the model answered.'],
    ],
  }
}
