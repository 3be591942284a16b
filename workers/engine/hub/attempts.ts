// Trying again: how often, after what wait, and when a silent connection is given up.
import { GraftError, throwIfAborted } from '../../../src/protocol/errors.ts'
import type { Failure } from './failure.ts'

/**
 * Attempts without progress before giving up; the waits between them double from one second. A question that somebody
 * waits for ends sooner than a download.
 */
export const TRIES = { question: 3, download: 5 }
/** Bytes between two cuts that count as progress. */
const PROGRESS_BYTES = 1024 * 1024
/** Longest wait that a server may ask for while somebody watches a progress bar. */
const MAX_WAIT_MS = 120_000

/** Waits so many milliseconds; rejects with E_ABORTED on abort. */
export type Wait = (milliseconds: number, signal?: AbortSignal) => Promise<void>

/** Counts failed attempts and waits between them; throws the last one's error when there have been enough. */
export class Failures {
  count = 0
  #at = 0

  constructor(
    readonly tries: number,
    readonly wait: Wait,
    readonly signal: AbortSignal | undefined,
  ) {}

  async add(failure: Failure, at: number): Promise<void> {
    if (at - this.#at >= PROGRESS_BYTES) this.count = 0
    this.#at = at
    this.count++
    const waitMs = failure.waitMs ?? 1000 * 2 ** (this.count - 1)
    if (!failure.again || this.count >= this.tries || waitMs > MAX_WAIT_MS) throw failure.error
    await this.wait(waitMs, this.signal)
    throwIfAborted(this.signal)
  }
}

/** Aborts a request that is silent for too long. */
export class Stall {
  readonly signal: AbortSignal
  readonly #abort = new AbortController()
  #timer: ReturnType<typeof setTimeout>

  constructor(
    readonly milliseconds: number,
    signal: AbortSignal | undefined,
  ) {
    this.signal = signal ? AbortSignal.any([signal, this.#abort.signal]) : this.#abort.signal
    this.#timer = this.#start()
  }

  again(): void {
    clearTimeout(this.#timer)
    this.#timer = this.#start()
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #start(): ReturnType<typeof setTimeout> {
    return setTimeout(() => this.#abort.abort(), this.milliseconds)
  }
}

export const delay: Wait = (milliseconds, signal) => {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(new GraftError('E_ABORTED', 'Cancelled.'))
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })
}
