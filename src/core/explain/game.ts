// A cooperative game: what is explained, as a function of which pieces of the text are there. LIME, SHAP, faithfulness
// and counterfactuals see nothing else, so each is tested on games with a closed form.
import { answers, type AnswerOptions } from './answers.ts'
import type { Masking } from './masking.ts'
import type { Subject } from './subject.ts'

export interface Game {
  /** Pieces. */
  readonly players: number
  /** The value of each coalition; a coalition is [players], 1 for those that are there. */
  values(coalitions: readonly Uint8Array[]): Promise<Float64Array>
}

/** What a game's value is: the logit (less the contrast's), or the probability of the output. */
export type GameValue = 'logit' | 'probability' | 'logProbability'

/** The game of a text. Coalitions that leave the same tokens are asked once. */
export function textGame(
  subject: Subject,
  masking: Masking,
  value: GameValue = 'logit',
  options: AnswerOptions = {},
): Game {
  const { index, contrast } = subject.explained
  const known = new Map<string, number>()
  return {
    players: masking.units.length,
    async values(coalitions) {
      const questions = coalitions.map((coalition) => masking.masked(coalition))
      const keys = questions.map(({ ids }) => ids.join())
      const fresh = new Map<string, number>()
      keys.forEach((key, i) => {
        if (!known.has(key) && !fresh.has(key)) fresh.set(key, i)
      })
      const places = [...fresh.values()]
      const outputs = contrast === null ? [index] : [index, contrast]
      const found = await answers(
        subject,
        places.map((place) => questions[place]!),
        outputs,
        options,
      )
      ;[...fresh.keys()].forEach((key, i) => {
        const [logit, other = 0] = found.logits.subarray(i * outputs.length, (i + 1) * outputs.length)
        const own = logit! - found.logSums[i]!
        known.set(key, value === 'logit' ? logit! - other : value === 'probability' ? Math.exp(own) : own)
      })
      return Float64Array.from(keys, (key) => known.get(key)!)
    },
  }
}
