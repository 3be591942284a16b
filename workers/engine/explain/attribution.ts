// What LIME and SHAP begin and end with: a text's pieces as a game, and what is said of them in the answer.
import type { EvaluateOptions } from '../../../src/core/explain/evaluate.ts'
import { textGame, type Game } from '../../../src/core/explain/game.ts'
import { masking } from '../../../src/core/explain/masking.ts'
import { unitsOf } from '../../../src/core/explain/units.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import {
  EXPLAINED_VALUES,
  GRANULARITIES,
  type AttributionChoice,
  type AttributionResult,
  type ExplainedValue,
  type ExplainInput,
} from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import type { ResolvedTarget } from '../targets.ts'
import { secondsLeft } from '../time.ts'
import { openSubject, type Desk, type Opened } from './desk.ts'

/** Beyond, an answer would take hours. */
const SAMPLES_LIMIT = 100_000
const REPLACEMENTS = ['mask', 'pad', 'remove']

export interface Played {
  game: Game
  opened: Opened
  said: Omit<AttributionResult, 'value' | 'evaluations'>
}

/** The game of a request that has been checked. */
export async function openGame(
  desk: Desk,
  resolved: ResolvedTarget,
  request: ExplainInput & AttributionChoice & { explained: ExplainedValue },
  { signal }: CallContext,
): Promise<Played> {
  const { granularity = 'word', explained, seed = 0 } = request
  const opened = await openSubject(desk, resolved, request, request)
  const { subject, tokens, output } = opened
  const units = unitsOf(tokens, subject.fixed, granularity)
  if (units.length === 0)
    throw new GraftError('E_ARGUMENT', 'The text has no piece to take away. Write at least one word.')
  const masked = masking(subject, units, request.replacement)
  return {
    game: textGame(subject, masked, explained, { signal }),
    opened,
    said: {
      tokens,
      ids: [...subject.ids],
      units,
      granularity,
      replacement: masked.replacement,
      output,
      explained,
      seed,
    },
  }
}

/** Progress with the time left, and a way to stop. */
export function reporting(label: string, { signal, progress }: CallContext): EvaluateOptions {
  const started = performance.now()
  return {
    signal,
    onEvaluated: (done, total) =>
      progress({ label, done, total, unit: 'items', secondsLeft: secondsLeft(started, done, total) }),
  }
}

/** Throws E_ARGUMENT for what no text can be explained with. */
export function checkAttribution({
  granularity,
  replacement,
  explained,
  contrast,
  samples,
  seed,
}: AttributionChoice & { explained?: ExplainedValue; samples?: number }): void {
  checkOneOf('granularity', granularity, GRANULARITIES)
  checkOneOf('replacement', replacement, REPLACEMENTS)
  checkOneOf('explained', explained, EXPLAINED_VALUES)
  checkNumber('samples', samples, 1, SAMPLES_LIMIT, true)
  checkNumber('seed', seed, 0, 2 ** 32 - 1, true)
  if (contrast !== undefined && explained !== undefined && explained !== 'logit')
    throw new GraftError(
      'E_ARGUMENT',
      'A contrast is a difference of two logits. Leave out the contrast, or set explained to "logit".',
      { explained },
    )
}

export function checkOneOf(name: string, value: string | undefined, choices: readonly string[]): void {
  if (value !== undefined && !choices.includes(value))
    throw new GraftError('E_ARGUMENT', `${name} is "${value}"; it can be ${choices.join(', ')}.`, {
      [name]: value,
    })
}

export function checkNumber(
  name: string,
  value: number | undefined,
  least: number,
  most: number,
  whole = false,
): void {
  if (value === undefined) return
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return
  throw new GraftError(
    'E_ARGUMENT',
    `${name} must be a ${whole ? 'whole ' : ''}number from ${least} to ${most}, but is ${value}.`,
    { [name]: value },
  )
}
