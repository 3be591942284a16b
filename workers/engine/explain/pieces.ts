// A text in its pieces, with what stands for those that are taken away: what perturbing explanations begin with.
import { masking, type Masking } from '../../../src/core/explain/masking.ts'
import { unitsOf } from '../../../src/core/explain/units.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import {
  GRANULARITIES,
  type ExplainInput,
  type Granularity,
  type OutputChoice,
  type Unit,
  type UnitChoice,
} from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import type { ResolvedTarget } from '../targets.ts'
import { secondsLeft } from '../time.ts'
import { openSubject, type Desk, type Opened } from './desk.ts'

const REPLACEMENTS = ['mask', 'pad', 'remove']

export interface Pieces extends Opened {
  units: Unit[]
  granularity: Granularity
  masking: Masking
}

/** Throws E_ARGUMENT for a granularity or a replacement that there is not. */
export function checkPieces({ granularity, replacement }: UnitChoice): void {
  if (granularity !== undefined && !GRANULARITIES.includes(granularity))
    throw new GraftError(
      'E_ARGUMENT',
      `There is no granularity "${String(granularity)}". There are: ${GRANULARITIES.join(', ')}.`,
    )
  if (replacement !== undefined && !REPLACEMENTS.includes(replacement))
    throw new GraftError(
      'E_ARGUMENT',
      `There is no replacement "${String(replacement)}". There are: ${REPLACEMENTS.join(', ')}.`,
    )
}

/** Throws E_ARGUMENT unless the setting is absent or a whole number in the range. */
export function checkCount(name: string, value: number | undefined, least: number, most: number): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most))
    throw new GraftError(
      'E_ARGUMENT',
      `${name} must be a whole number from ${least} to ${most}, but is ${String(value)}.`,
      { setting: name },
    )
}

/** Throws E_ARGUMENT unless the setting is absent or between 0 and 1, both left out. */
export function checkShare(name: string, value: number | undefined): void {
  if (value !== undefined && !(value > 0 && value < 1))
    throw new GraftError('E_ARGUMENT', `${name} must be above 0 and below 1, but is ${String(value)}.`, {
      setting: name,
    })
}

export function checkSeed(seed: number | undefined): void {
  checkCount('seed', seed, 0, 2 ** 31 - 1)
}

/** Opens a subject and cuts it into pieces. Throws E_ARGUMENT for a text without any. */
export async function openPieces(
  desk: Desk,
  resolved: ResolvedTarget,
  request: ExplainInput & UnitChoice,
  choice: OutputChoice,
): Promise<Pieces> {
  const opened = await openSubject(desk, resolved, request, choice)
  const granularity = request.granularity ?? 'word'
  const units = unitsOf(opened.tokens, opened.subject.fixed, granularity)
  if (units.length === 0)
    throw new GraftError(
      'E_ARGUMENT',
      'The text has nothing that could be taken away: all of its tokens are special ones. Write at least one word.',
    )
  return { ...opened, units, granularity, masking: masking(opened.subject, units, request.replacement) }
}

/** Options of `answers` that report each batch and its time left. */
export function asking(context: CallContext, label: string) {
  let started = performance.now()
  return {
    signal: context.signal,
    onBatch: (done: number, total: number) => {
      context.progress({ label, done, total, unit: 'items', secondsLeft: secondsLeft(started, done, total) })
      if (done === total) started = performance.now()
    },
  }
}
