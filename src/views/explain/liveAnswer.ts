// What is asked at each key: gradient x input, one pass forward and one back, and what the model answers.
import type { GraftApi } from '../../protocol/api.ts'
import type { SaliencyResult } from '../../protocol/explain.ts'
import type { Asked } from '../parts/target.ts'
import { choiceOf, inputOf, type WantedOutputs } from './asking.ts'

export interface LiveQuestion extends WantedOutputs {
  of: Asked
  text: string
  asChat: boolean
}
export interface LiveAnswer {
  saliency: SaliencyResult
  /** Answers and their probabilities, the likeliest first. */
  likely: { name: string; share: number }[]
}

/** Answers shown beside the text. */
export const LIKELY = 4

export type LiveApi = Pick<GraftApi, 'tokenize' | 'predict'> & {
  explain: Pick<GraftApi['explain'], 'saliency' | 'logitLens'>
}

export async function askLive(
  api: LiveApi,
  question: LiveQuestion,
  signal: AbortSignal,
): Promise<LiveAnswer> {
  const { of, text, asChat } = question
  const input = inputOf(text, asChat)
  const choice = await choiceOf(api, of, question)
  signal.throwIfAborted()
  const request = { ...input, ...choice, method: 'gradientXInput' as const }
  const saliency = await api.explain.saliency(of.target, request, { signal })
  signal.throwIfAborted()
  if (of.classify) {
    const [prediction] = await api.predict(of.target, text, { signal })
    const scores = Object.entries(prediction?.scores ?? {}).sort((a, b) => b[1] - a[1])
    return { saliency, likely: scores.slice(0, LIKELY).map(([name, share]) => ({ name, share })) }
  }
  // The last layer of the lens is the model's own answer.
  const positions = [saliency.output.position]
  const lens = await api.explain.logitLens(of.target, { ...input, positions, k: LIKELY }, { signal })
  const last = lens.layers * LIKELY
  const likely = Array.from({ length: LIKELY }, (_, i) => ({
    name: lens.topNames[last + i] ?? '',
    share: lens.topProbabilities[last + i] ?? 0,
  }))
  return { saliency, likely }
}
