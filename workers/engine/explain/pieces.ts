// A text in its pieces, with what stands for those that are taken away: what perturbing explanations begin with.
import { masking, type Masking } from '../../../src/core/explain/masking.ts'
import { unitsOf } from '../../../src/core/explain/units.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type {
  ExplainInput,
  Granularity,
  OutputChoice,
  Unit,
  UnitChoice,
} from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import type { ResolvedTarget } from '../targets.ts'
import { secondsLeft } from '../time.ts'
import { openSubject, type Desk, type Opened } from './desk.ts'

export interface Pieces extends Opened {
  units: Unit[]
  granularity: Granularity
  masking: Masking
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
