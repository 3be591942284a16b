// Long work beside others: it stops for a moment, so that messages (a cancellation, a question) are read, and says how far it is.
import { throwIfAborted } from '../protocol/errors.ts'
import type { Progress } from '../protocol/progress.ts'

/**
 * Gives way to other work, and throws E_ABORTED once the caller has cancelled. `share`: how much of this work is done, from 0
 * to 1, where that is known.
 */
export type Pause = (share?: number) => Promise<void>

/** Milliseconds of work between two stops. */
const SLICE_MS = 40

export function pausing(signal: AbortSignal | undefined, tell: (share: number) => void): Pause {
  let slice = performance.now()
  return async (share) => {
    throwIfAborted(signal)
    if (share !== undefined) tell(share)
    if (performance.now() - slice < SLICE_MS) return
    await new Promise((resolve) => setTimeout(resolve))
    throwIfAborted(signal)
    slice = performance.now()
  }
}

/** Tells the share of a piece of work, from now on, as hundredths with the time that is left. */
export function hundredths(label: string, progress: (progress: Progress) => void): (share: number) => void {
  const started = performance.now()
  return (share) => {
    const passed = (performance.now() - started) / 1000
    progress({
      label,
      done: Math.round(100 * share),
      total: 100,
      unit: 'steps',
      ...(passed > 1 && share > 0 ? { secondsLeft: (passed / share) * (1 - share) } : {}),
    })
  }
}
