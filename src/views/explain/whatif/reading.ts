// One text as the model reads it: its answers with their probabilities, and what each word does. Two of them make a
// difference: between the text that was asked and the one that it was changed to.
import { diffWords, type WordChange } from '../../../charts/wordDiff.ts'
import type { GraftApi } from '../../../protocol/api.ts'
import type { ExplainInput, Granularity } from '../../../protocol/explain.ts'
import type { CallOptions } from '../../../protocol/progress.ts'
import type { Question } from '../../../state/explaining.svelte.ts'
import { askWords, type WordMethod, type WordScores } from '../wordMethods.ts'

export interface Answer {
  /** Place among the labels, or id of the token: names of tokens may be the same. */
  id: number
  name: string
  share: number
}

export interface Reading {
  text: string
  words: WordScores
  /** Every label; of a model that writes, the most likely next tokens. The most likely first. */
  answers: Answer[]
  /** Not all there are: the others are below the last one. */
  cut: boolean
}

/** Next tokens that are looked at; as many are told as the list has room for. */
const NEXT_TOKENS = 100

/** `output`: the one that words are explained for; default: that of the question, else the most likely one. */
export async function readText(
  api: GraftApi,
  question: Question,
  text: string,
  by: { method: WordMethod; granularity: Granularity; output?: number },
  options: CallOptions,
): Promise<Reading> {
  const { target, asked, choice } = question
  const input: ExplainInput =
    'messages' in question.input ? { messages: [{ role: 'user', content: text }] } : { text }
  const output = by.output ?? choice.output
  const changed = { ...question, input, choice: { ...choice, ...(output !== undefined && { output }) } }
  const words = await askWords(api, changed, by.method, by.granularity, options)
  if (asked.classify) {
    const [prediction] = await api.predict(target, text, options)
    const answers = Object.entries(prediction!.scores).map(([name, share], id) => ({ id, name, share }))
    return { text, words, answers: answers.sort((a, b) => b.share - a.share), cut: false }
  }
  const lens = await api.explain.logitLens(
    target,
    { ...input, positions: [words.output.position], k: NEXT_TOKENS },
    options,
  )
  const from = lens.layers * lens.k
  return {
    text,
    words,
    answers: Array.from({ length: lens.k }, (_, i) => ({
      id: lens.topIds[from + i]!,
      name: lens.topNames[from + i]!,
      share: lens.topProbabilities[from + i]!,
    })),
    cut: true,
  }
}

export interface Shift extends Answer {
  before: number
  after: number
  /** Not among those that were looked at on this side: at most so much. */
  most?: 'before' | 'after'
}

/** Answers in both readings, the most likely on either side first; at most `count`. */
export function shiftsOf(before: Reading, after: Reading, count: number): Shift[] {
  const sides = (reading: Reading) => ({
    least: reading.cut ? (reading.answers.at(-1)?.share ?? 0) : 0,
    shares: new Map(reading.answers.map(({ id, share }) => [id, share])),
  })
  const [was, is] = [sides(before), sides(after)]
  const all = new Map([...before.answers, ...after.answers].map((answer) => [answer.id, answer]))
  return [...all.values()]
    .map(({ id, name }): Shift => {
      const [ours, theirs] = [was.shares.get(id), is.shares.get(id)]
      const sidesOf = { before: ours ?? was.least, after: theirs ?? is.least }
      return {
        id,
        name,
        share: Math.max(sidesOf.before, sidesOf.after),
        ...sidesOf,
        ...(ours === undefined ? { most: 'before' } : theirs === undefined ? { most: 'after' } : {}),
      }
    })
    .sort((a, b) => b.share - a.share)
    .slice(0, count)
}

export interface WordShift extends WordChange {
  /** As it stands in its text, white space before it included. */
  shown: string
  name: string
  /** 0 where the word is not there. */
  scoreBefore: number
  scoreAfter: number
}

export function wordShifts(before: WordScores, after: WordScores): WordShift[] {
  const textsOf = ({ units }: WordScores) => units.map(({ text }) => text)
  return diffWords(textsOf(before), textsOf(after)).map((change) => {
    const { units, tokens } = change.after === null ? before : after
    const unit = units[(change.after ?? change.before)!]!
    return {
      ...change,
      name: unit.text,
      shown: tokens.slice(unit.from, unit.to).join(''),
      scoreBefore: change.before === null ? 0 : before.scores[change.before]!,
      scoreAfter: change.after === null ? 0 : after.scores[change.after]!,
    }
  })
}
