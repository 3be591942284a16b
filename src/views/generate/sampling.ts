// The settings of an answer's sampling, with what each does: the form is made from this.
import type { NumberSetting } from '../../protocol/settings.ts'

export type SamplingKey =
  'temperature' | 'topK' | 'topP' | 'minP' | 'repetitionPenalty' | 'maxTokens' | 'seed'

export const SAMPLING: Record<SamplingKey, NumberSetting & { start: number }> = {
  temperature: {
    kind: 'number',
    label: 'Temperature',
    min: 0,
    max: 5,
    start: 0,
    help: '0 always takes the most likely token. Higher is more varied and less sure.',
  },
  topK: {
    kind: 'number',
    label: 'Top-k',
    min: 0,
    max: 100_000,
    integer: true,
    start: 0,
    help: 'Only the k most likely tokens can be drawn. 0 allows all.',
  },
  topP: {
    kind: 'number',
    label: 'Top-p',
    min: 0.01,
    max: 1,
    start: 1,
    help: 'Only the most likely tokens that together reach this probability can be drawn. 1 allows all.',
  },
  minP: {
    kind: 'number',
    label: 'Min-p',
    min: 0,
    max: 1,
    start: 0,
    help: 'Only tokens at least this likely, measured by the most likely one, can be drawn. 0 allows all.',
  },
  repetitionPenalty: {
    kind: 'number',
    label: 'Repetition penalty',
    min: 0.01,
    max: 100,
    start: 1,
    help: 'Above 1, what the text already says becomes less likely. 1 changes nothing.',
  },
  maxTokens: {
    kind: 'number',
    label: 'Max tokens',
    min: 1,
    max: 4096,
    integer: true,
    start: 64,
    help: 'The answer ends here at the latest.',
  },
  seed: {
    kind: 'number',
    label: 'Seed',
    min: 0,
    max: 4_294_967_295,
    integer: true,
    start: 42,
    help: 'The same seed draws the same answer.',
  },
}
