// Asks again at every change of a question, and never more than once at a time: the newest question wins, the one before is
// cancelled and has ended before the next begins. How long it waits for the next key is what the last answer took, so that
// a slow device is not kept busy with answers to half a word. These are no jobs: the list of jobs stays as it is.
import { asGraftError, type GraftError } from '../protocol/errors.ts'

/** Longest wait after a key, in milliseconds. */
const LONGEST_WAIT = 1000
/** Typing has stopped after this many milliseconds: then an error is worth telling. */
const QUIET = 900

export class Live<Question, Answer> {
  /** The newest answer and the question that it is to; it stays until there is a newer one. */
  answer = $state.raw<{ to: Question; is: Answer } | null>(null)
  /** What went wrong with the newest question, once typing has stopped. */
  error = $state.raw<GraftError | null>(null)
  /** A question waits or is being answered. */
  busy = $state(false)
  readonly #ask: (question: Question, signal: AbortSignal) => Promise<Answer>
  #waiting: { question: Question } | null = null
  #running: AbortController | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #quiet: ReturnType<typeof setTimeout> | undefined
  #wait = 0
  #changed = 0

  constructor(ask: (question: Question, signal: AbortSignal) => Promise<Answer>) {
    this.#ask = ask
  }

  /** Milliseconds it waits after a change. */
  get wait(): number {
    return this.#wait
  }

  put(question: Question): void {
    this.#cancel()
    this.#waiting = { question }
    this.#changed = performance.now()
    this.busy = true
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#go()
    }, this.#wait)
  }

  /** Cancels what is under way and forgets the answer. */
  stop(): void {
    this.#cancel()
    this.answer = null
  }

  #cancel(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#quiet)
    this.#timer = undefined
    this.#waiting = null
    this.error = null
    this.busy = false
    this.#running?.abort()
  }

  async #go(): Promise<void> {
    // One that was cancelled still ends: what waits is asked then.
    if (this.#running || !this.#waiting) return
    const { question } = this.#waiting
    this.#waiting = null
    const controller = (this.#running = new AbortController())
    const from = performance.now()
    try {
      const is = await this.#ask(question, controller.signal)
      if (!controller.signal.aborted) {
        this.answer = { to: question, is }
        this.busy = false
      }
    } catch (thrown) {
      if (!controller.signal.aborted) this.#fail(asGraftError(thrown))
    }
    // What was cancelled took at least this long.
    const took = performance.now() - from
    const known = controller.signal.aborted ? Math.max(this.#wait, took) : took
    this.#wait = Math.min(LONGEST_WAIT, known)
    this.#running = null
    if (this.#timer === undefined) void this.#go()
  }

  #fail(error: GraftError): void {
    this.busy = false
    const left = this.#changed + QUIET - performance.now()
    this.#quiet = setTimeout(() => (this.error = error), Math.max(0, left))
  }
}
