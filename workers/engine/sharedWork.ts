// Long work that several callers ask for at once, such as loading one model from two places: it is done once, every
// caller sees its progress, and it is cancelled only when the last of them has gone.
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'

interface Job<T> {
  result: Promise<T>
  abort: AbortController
  /** Why it was cancelled from outside. */
  reason: GraftError | null
  /** One entry for each caller that still waits. */
  callers: Set<{ context: CallContext | undefined }>
}

export class SharedWork<T> {
  readonly #jobs = new Map<string, Job<T>>()

  has(key: string): boolean {
    return this.#jobs.has(key)
  }

  /**
   * Joins the work under this key, or starts it. `context.signal` takes only this caller out, at once and with
   * E_ABORTED; the work is told by its own signal when nobody waits any more.
   */
  async run(
    key: string,
    context: CallContext | undefined,
    work: (context: CallContext) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(context?.signal)
    const job = this.#jobs.get(key) ?? this.#start(key, work)
    const caller = { context }
    job.callers.add(caller)
    const signal = context?.signal
    return new Promise<T>((resolve, reject) => {
      const leave = () => {
        job.callers.delete(caller)
        if (job.callers.size === 0) this.#stop(key, job)
        reject(new GraftError('E_ABORTED', 'Cancelled.'))
      }
      signal?.addEventListener('abort', leave, { once: true })
      job.result.then(resolve, reject).finally(() => signal?.removeEventListener('abort', leave))
    })
  }

  /** Cancels the work; as soon as it has ended, all its callers fail with `reason`. */
  cancel(key: string, reason: GraftError): void {
    const job = this.#jobs.get(key)
    if (!job) return
    job.reason = reason
    this.#stop(key, job)
  }

  #start(key: string, work: (context: CallContext) => Promise<T>): Job<T> {
    const abort = new AbortController()
    const callers: Job<T>['callers'] = new Set()
    const result = work({
      signal: abort.signal,
      progress: (progress) => callers.forEach(({ context }) => context?.progress(progress)),
    })
      .catch((error: unknown) => {
        throw job.reason ?? error
      })
      .finally(() => this.#forget(key, job))
    const job: Job<T> = { result, abort, reason: null, callers }
    this.#jobs.set(key, job)
    return job
  }

  /** Who asks from now on starts anew, rather than joining what is being cancelled. */
  #stop(key: string, job: Job<T>): void {
    this.#forget(key, job)
    job.abort.abort()
  }

  #forget(key: string, job: Job<T>): void {
    if (this.#jobs.get(key) === job) this.#jobs.delete(key)
  }
}
