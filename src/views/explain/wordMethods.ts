// Every way to say what a word does to the answer, and how each is asked: one form for what the page draws.
import type { GraftApi } from '../../protocol/api.ts'
import type {
  ExplainedOutput,
  Granularity,
  Replacement,
  SaliencyBaseline,
  SaliencyMethod,
  ShapMethod,
  Unit,
} from '../../protocol/explain.ts'
import { SALIENCY_BASELINES, SALIENCY_METHODS } from '../../protocol/explain.ts'
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

/** Settings that methods have besides; what is absent is the method's own default. */
export interface WordSettings {
  /** Texts, noisy copies or points, by method. */
  samples?: number
  seed?: number
  baseline?: SaliencyBaseline
  replacement?: Replacement
}

/** Which of them a method reads, and what it calls its budget. */
export interface MethodSettings {
  samples?: { label: string; help: string; fallback?: number; least: number; most: number }
  seed?: true
  baseline?: true
  replacement?: true
}

const texts = (least: number, fallback?: number, note = '') => ({
  label: 'Texts to ask',
  help: `How many variants of the text the model answers at most. More take longer and leave less to chance.${note}`,
  least,
  most: 100_000,
  ...(fallback !== undefined && { fallback }),
})

const SETTINGS: Record<string, MethodSettings> = {
  smoothGrad: {
    samples: {
      label: 'Noisy copies',
      help: 'Gradients that the mean is taken of.',
      fallback: 10,
      least: 1,
      most: 1000,
    },
    seed: true,
  },
  integratedGradients: {
    samples: {
      label: 'Points of the way',
      help: 'Gradients that are added up on the way from the baseline to the text. More leave less unexplained. Empty: 50, or 100 where 50 leave too much.',
      least: 1,
      most: 1000,
    },
    baseline: true,
  },
  partition: { samples: texts(4, 500), replacement: true },
  kernel: {
    samples: texts(1, undefined, ' Empty: 2048 and two for each word.'),
    seed: true,
    replacement: true,
  },
  permutation: {
    samples: texts(3, undefined, ' Empty: enough for ten orders of the words, forwards and back.'),
    seed: true,
    replacement: true,
  },
  lime: { samples: texts(10, 5000), seed: true, replacement: true },
}
export const settingsOf = ({ value }: Pick<WordMethod, 'value'>): MethodSettings => SETTINGS[value] ?? {}

/** Without what the method does not read, and without what is no number. */
export function settingsFor(method: Pick<WordMethod, 'value'>, given: WordSettings): WordSettings {
  const reads = settingsOf(method)
  const { samples, seed, baseline, replacement } = given
  return {
    ...(reads.samples && samples !== undefined && { samples }),
    ...(reads.seed && seed !== undefined && { seed }),
    ...(reads.baseline && baseline !== undefined && { baseline }),
    ...(reads.replacement && replacement !== undefined && { replacement }),
  }
}

/** For the address, and back. */
export function settingsToQuery({ samples, seed, baseline, replacement }: WordSettings) {
  return {
    samples: samples === undefined ? '' : String(samples),
    seed: seed === undefined ? '' : String(seed),
    baseline: baseline ?? '',
    instead: replacement ?? '',
  }
}
export function settingsFromQuery(query: Readonly<Record<string, string>>): WordSettings {
  const whole = (text = '') => (/^\d{1,9}$/.test(text) ? Number(text) : undefined)
  const [samples, seed] = [whole(query.samples), whole(query.seed)]
  const baseline = SALIENCY_BASELINES.find((name) => name === query.baseline)
  const replacement = (['mask', 'pad', 'remove'] as const).find((name) => name === query.instead)
  return {
    ...(samples !== undefined && { samples }),
    ...(seed !== undefined && { seed }),
    ...(baseline && { baseline }),
    ...(replacement && { replacement }),
  }
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
  /** Those that were asked for. */
  settings: WordSettings
  /** What a reader should know about it. */
  facts: Fact[]
}
type Fact = [name: string, value: number, help: string]

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
  given: WordSettings = {},
): Promise<WordScores> {
  const settings = settingsFor(method, given)
  const request = { ...input, ...choice, granularity, ...settings }
  const saliency = SALIENCY_METHODS.find((name): name is SaliencyMethod => name === method.value)
  if (saliency) {
    const found = await api.explain.saliency(target, { ...request, method: saliency }, options)
    const { tokens, units, unitScores, output, residual, base, seed } = found
    return {
      method,
      tokens,
      units,
      scores: unitScores,
      output,
      granularity,
      settings,
      ...(seed !== undefined && { seed }),
      facts:
        residual === undefined || base === undefined
          ? []
          : [
              ['baseline', base, 'The score of a text that says nothing: where the way begins.'],
              ['left unexplained', residual, 'Sum of all scores minus the whole change: near 0 is right.'],
            ],
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
      settings,
      seed,
      facts: [
        ['fit (R²)', score, 'How well the straight line follows the model near this text: 1 is perfectly.'],
        ['texts asked', evaluations, 'Variants of the text that the model answered.'],
        ['largest standard error', largest(standardErrors), ERROR_HELP],
      ],
    }
  }
  const found = await api.explain.shap(target, { ...request, method: method.value as ShapMethod }, options)
  const { tokens, units, values, standardErrors, output, seed, base, value, evaluations } = found
  const { exact, residual, unresolved } = found
  return {
    method,
    tokens,
    units,
    scores: values,
    ...(standardErrors && { errors: standardErrors }),
    output,
    granularity,
    settings,
    seed,
    facts: [
      [
        'without any word',
        base,
        'The score of the text with every word taken away: where the credit begins.',
      ],
      ['whole text', value, 'The score of the text as it stands: where the credit ends.'],
      ['texts asked', evaluations, 'Variants of the text that the model answered.'],
      ['left unexplained', residual, 'Sum of all scores minus the whole change: rounding alone.'],
      ...(unresolved !== undefined
        ? [['not yet shared out', unresolved, UNRESOLVED_HELP] satisfies Fact]
        : exact || standardErrors
          ? [
              [
                'largest standard error',
                standardErrors ? largest(standardErrors) : 0,
                ERROR_HELP,
              ] satisfies Fact,
            ]
          : []),
    ],
  }
}

const ERROR_HELP = 'How far a score would move with other texts drawn: 0 where nothing was drawn at random.'
const UNRESOLVED_HELP =
  'Credit of groups of words that the budget did not open, which was shared out evenly: 0 where nothing is left. Ask more texts.'
const largest = (errors: Float64Array) => errors.reduce((most, error) => Math.max(most, error), 0)
