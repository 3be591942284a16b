// Which output each of many texts gets, and how surely: what anchors and minimal edits ask. The same text is asked once.
import { answers, type AnswerOptions, type Question } from './answers.ts'
import type { Asked } from './subject.ts'

export interface Decision {
  /** The most likely output. */
  output: number
  /** Logit of the output that was asked about, less the highest of the others: below 0 where the answer is another. */
  margin: number
}

export type Decide = (questions: readonly Question[]) => Promise<Decision[]>

export function decider(asked: Asked, output: number, options: AnswerOptions = {}): Decide {
  const known = new Map<string, Decision>()
  return async (questions) => {
    const keys = questions.map(({ ids }) => ids.join())
    const fresh = new Map<string, Question>()
    keys.forEach((key, i) => {
      if (!known.has(key)) fresh.set(key, questions[i]!)
    })
    const { logits } = await answers(asked, [...fresh.values()], 'all', options)
    const width = logits.length / fresh.size
    ;[...fresh.keys()].forEach((key, row) => {
      known.set(key, decisionOf(logits.subarray(row * width, (row + 1) * width), output))
    })
    return keys.map((key) => known.get(key)!)
  }
}

function decisionOf(logits: Float32Array, output: number): Decision {
  let other = -1
  logits.forEach((logit, i) => {
    if (i !== output && (other < 0 || logit > logits[other]!)) other = i
  })
  const margin = other < 0 ? Infinity : logits[output]! - logits[other]!
  return { output: margin < 0 ? other : output, margin }
}
