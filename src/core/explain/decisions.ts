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

/** Texts whose logits are held at once: of a language model each has tens of thousands. */
const AT_ONCE = 64

export function decider(asked: Asked, output: number, options: AnswerOptions = {}): Decide {
  const known = new Map<string, Decision>()
  return async (questions) => {
    const keys = questions.map(({ ids }) => ids.join())
    const fresh = new Map<string, Question>()
    keys.forEach((key, i) => {
      if (!known.has(key)) fresh.set(key, questions[i]!)
    })
    const [names, asks] = [[...fresh.keys()], [...fresh.values()]]
    for (let start = 0; start < asks.length; start += AT_ONCE) {
      const some = asks.slice(start, start + AT_ONCE)
      const { logits } = await answers(asked, some, 'all', {
        ...options,
        onBatch: (done) => options.onBatch?.(start + done, asks.length),
      })
      const width = logits.length / some.length
      some.forEach((_, row) => {
        known.set(names[start + row]!, decisionOf(logits.subarray(row * width, (row + 1) * width), output))
      })
    }
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
