// A result that several callers wait for: it is computed once, kept as long as it is among the latest, and given up when all
// who asked for it have given up. Scrolling asks for many pages of one sorted view at once; typing abandons searches.
import { GraftError, throwIfAborted } from '../../protocol/errors.ts'
import type { CallContext, Progress } from '../../protocol/progress.ts'

interface Entry<T> {
  result: Promise<T>
  controller: AbortController
  waiting: Set<CallContext>
  done: boolean
}

export class Shared<T> {
  readonly #entries = new Map<string, Entry<T>>()
  readonly #keep: number

  /** @param keep results kept; the least recently used one goes first */
  constructor(keep: number) {
    this.#keep = keep
  }

  clear(): void {
    for (const entry of this.#entries.values())
      if (!entry.done) entry.controller.abort(new GraftError('E_ABORTED', 'The data has changed; ask again.'))
    this.#entries.clear()
  }

  async get(key: string, context: CallContext, compute: (context: CallContext) => Promise<T>): Promise<T> {
    throwIfAborted(context.signal)
    let entry = this.#entries.get(key)
    if (entry) this.#entries.delete(key)
    else entry = this.#start(key, compute)
    this.#entries.set(key, entry)
    if (entry.done) return entry.result
    const { waiting, controller, result } = entry
    waiting.add(context)
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        waiting.delete(context)
        reject(new GraftError('E_ABORTED', 'Cancelled.'))
        if (waiting.size > 0) return
        controller.abort(new GraftError('E_ABORTED', 'Cancelled.'))
        if (this.#entries.get(key) === entry) this.#entries.delete(key)
      }
      context.signal.addEventListener('abort', leave, { once: true })
      result.then(resolve, reject).finally(() => {
        waiting.delete(context)
        context.signal.removeEventListener('abort', leave)
      })
    })
  }

  #start(key: string, compute: (context: CallContext) => Promise<T>): Entry<T> {
    const controller = new AbortController()
    const waiting = new Set<CallContext>()
    const progress = (report: Progress): void => {
      for (const each of waiting) each.progress(report)
    }
    const entry: Entry<T> = {
      controller,
      waiting,
      done: false,
      result: compute({ signal: controller.signal, progress }),
    }
    entry.result.then(
      () => {
        entry.done = true
        for (const [old, { done }] of this.#entries) {
          if (this.#entries.size <= this.#keep) break
          if (done && old !== key) this.#entries.delete(old)
        }
      },
      () => {
        // A failure is not kept: the next one to ask tries again.
        if (this.#entries.get(key) === entry) this.#entries.delete(key)
      },
    )
    return entry
  }
}

/** Milliseconds of work between two turns for other calls. */
const TURN = 24
/** Milliseconds between two reports of progress. */
const REPORT_EVERY = 100

/** Lets other calls of the worker have a turn now and then, notices cancellation, and reports how far a scan is. */
export function pacer(
  { signal, progress }: CallContext,
  label: string,
  total: number,
): (done: number) => Promise<void> | undefined {
  const start = performance.now()
  let turn = start
  let reported = start
  return (done) => {
    const now = performance.now()
    if (now - turn < TURN) return undefined
    throwIfAborted(signal)
    if (now - reported >= REPORT_EVERY) {
      reported = now
      const secondsLeft = done > 0 ? ((now - start) / 1000) * (total / done - 1) : undefined
      progress({ label, done, total, unit: 'rows', ...(secondsLeft === undefined ? {} : { secondsLeft }) })
    }
    return new Promise((resolve) =>
      setTimeout(() => {
        turn = performance.now()
        resolve()
      }),
    )
  }
}
