// A text with some of its pieces taken away, in token-id space: which token stands in their place, and where the answer is
// then read.
import { GraftError } from '../../protocol/errors.ts'
import type { Replacement, Unit } from '../../protocol/explain.ts'
import type { Question } from './answers.ts'
import type { Subject } from './subject.ts'

export interface Masking {
  units: readonly Unit[]
  replacement: Replacement
  /** keep [units], 1 for those that stay -> the text without the others. */
  masked(keep: ArrayLike<number>): Question
}

/** Throws E_ARGUMENT where the model has no token to stand for what is taken away. */
export function masking(subject: Subject, units: readonly Unit[], replacement?: Replacement): Masking {
  const chosen = replacement ?? (subject.maskId === null ? 'pad' : 'mask')
  const { ids, explained } = subject
  const substitute = chosen === 'mask' ? subject.maskId : chosen === 'pad' ? subject.padId : null
  if (chosen === 'mask' && substitute === null)
    throw new GraftError(
      'E_ARGUMENT',
      'This model has no mask token. Choose the padding token as replacement, or removal.',
      { replacement: chosen },
    )
  const masked = (keep: ArrayLike<number>): Question => {
    const gone = new Uint8Array(ids.length)
    units.forEach(({ from, to }, unit) => {
      // The token that the answer is read from stays: without it there is no answer.
      if (!keep[unit]) for (let t = from; t < to; t++) gone[t] = 1
    })
    if (substitute !== null)
      return { ids: ids.map((id, t) => (gone[t] ? substitute : id)), position: explained.position }
    gone[explained.position] = readsToken(subject) ? 0 : gone[explained.position]!
    const left = ids.filter((_, t) => !gone[t])
    return left.length === 0
      ? { ids: [subject.padId], position: 0 }
      : { ids: left, position: positionAfter(subject, gone, left.length) }
  }
  return { units, replacement: chosen, masked }
}

/** The answer is read from a token of the middle (a mask), not from an end of the text. */
function readsToken({ ids, explained }: Subject): boolean {
  return explained.position > 0 && explained.position < ids.length - 1
}

function positionAfter(subject: Subject, gone: Uint8Array, left: number): number {
  if (subject.explained.position === 0) return 0
  if (!readsToken(subject)) return left - 1
  let at = 0
  for (let t = 0; t < subject.explained.position; t++) if (!gone[t]) at++
  return at
}
