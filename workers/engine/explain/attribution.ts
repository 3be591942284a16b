// What LIME and SHAP begin and end with: a text's pieces as a game, and what is said of them in the answer.
import type { EvaluateOptions } from '../../../src/core/explain/evaluate.ts'
import { textGame, type Game } from '../../../src/core/explain/game.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import {
  EXPLAINED_VALUES,
  type AttributionChoice,
  type AttributionResult,
  type ExplainedValue,
  type ExplainInput,
} from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import type { ResolvedTarget } from '../targets.ts'
import { secondsLeft } from '../time.ts'
import { checkCount, checkOneOf, checkPieces, checkSeed } from './checks.ts'
import type { Desk } from './desk.ts'
import { openPieces, type Pieces } from './pieces.ts'

/** Beyond, an answer would take hours. */
export const SAMPLES_LIMIT = 100_000

export interface Played {
  game: Game
  opened: Pieces
  said: Omit<AttributionResult, 'value' | 'evaluations'>
}

/** The game of a request that has been checked. */
export async function openGame(
  desk: Desk,
  resolved: ResolvedTarget,
  request: ExplainInput & AttributionChoice & { explained: ExplainedValue },
  { signal }: CallContext,
): Promise<Played> {
  const { explained, seed = 0 } = request
  const opened = await openPieces(desk, resolved, request, request)
  const { subject, tokens, output, units, granularity, masking } = opened
  return {
    game: textGame(subject, masking, explained, { signal }),
    opened,
    said: {
      tokens,
      ids: [...subject.ids],
      units,
      granularity,
      replacement: masking.replacement,
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
export function checkAttribution(
  choice: AttributionChoice & { explained?: ExplainedValue; samples?: number },
): void {
  const { explained, contrast, samples, seed } = choice
  checkPieces(choice)
  checkOneOf('explained', explained, EXPLAINED_VALUES)
  checkCount('samples', samples, 1, SAMPLES_LIMIT)
  checkSeed(seed)
  if (contrast !== undefined && explained !== undefined && explained !== 'logit')
    throw new GraftError(
      'E_ARGUMENT',
      'A contrast is a difference of two logits. Leave out the contrast, or set explained to "logit".',
      { explained },
    )
}
