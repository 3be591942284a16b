// One worker as the page sees it: calls with progress and cancellation, events, a heartbeat. When the worker dies or
// hangs, every pending call is rejected with E_WORKER and the next call starts a fresh worker.
import { asGraftError, fromWire, GraftError } from '../protocol/errors.ts'
import type { CallOptions, Progress } from '../protocol/progress.ts'
import type { CallMap, FromWorker, ToWorker } from '../protocol/rpc.ts'

/** How often a worker with pending calls is asked for a sign of life, in milliseconds. */
const PING_EVERY = 5_000
/** A worker silent for this long counts as hung. A micro-batch on a slow CPU is one silent computation, and killing a
 *  worker that computes loses more than waiting for one that hangs. */
const SILENCE_LIMIT = 180_000

/** What is wrong with the options of a call, which come from scripts. */
function problemOf({ signal, onProgress }: CallOptions): string | null {
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function')
    return 'signal must be an AbortSignal, such as new AbortController().signal.'
  if (onProgress !== undefined && typeof onProgress !== 'function')
    return 'onProgress must be a function; it is called with each progress.'
  return null
}

interface Pending {
  resolve(value: unknown): void
  reject(error: GraftError): void
  onProgress: ((progress: Progress) => void) | undefined
}

export class WorkerHandle<Calls extends CallMap<Calls>, Event> {
  readonly #name: string
  readonly #spawn: () => Worker
  readonly #listeners = new Set<(event: Event) => void>()
  readonly #pending = new Map<number, Pending>()
  #worker: Worker | null = null
  #heartbeat: ReturnType<typeof setInterval> | undefined
  #lastSign = 0
  #lastBeat = 0
  #nextId = 1

  /** `name` is what errors call it: "The engine". */
  constructor(name: string, spawn: () => Worker) {
    this.#name = name
    this.#spawn = spawn
  }

  call<K extends keyof Calls & string>(
    method: K,
    args: Parameters<Calls[K]>[0],
    options: CallOptions = {},
  ): Promise<Awaited<ReturnType<Calls[K]>>> {
    const { signal, onProgress } = options
    const problem = problemOf(options)
    if (problem) return Promise.reject(new GraftError('E_ARGUMENT', `${method}: ${problem}`))
    if (signal?.aborted) return Promise.reject(new GraftError('E_ABORTED', 'Cancelled.'))
    const worker = (this.#worker ??= this.#start())
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const abort = () => this.#post({ type: 'abort', id })
      const settle = () => {
        signal?.removeEventListener('abort', abort)
        this.#pending.delete(id)
      }
      this.#pending.set(id, {
        resolve: (value) => {
          settle()
          resolve(value as Awaited<ReturnType<Calls[K]>>)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
        onProgress,
      })
      signal?.addEventListener('abort', abort)
      try {
        worker.postMessage({ type: 'call', id, method, args } satisfies ToWorker)
      } catch (error) {
        this.#pending
          .get(id)
          ?.reject(
            new GraftError(
              'E_ARGUMENT',
              `${method}: the arguments cannot be sent to the engine. ${asGraftError(error).message}`,
            ),
          )
      }
    })
  }

  /** Listens to everything the worker says unasked; returns how to stop listening. */
  subscribe(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #start(): Worker {
    const worker = this.#spawn()
    worker.onmessage = ({ data }: MessageEvent<FromWorker<Event>>) => this.#receive(data)
    worker.onerror = (event) => {
      event.preventDefault()
      this.#die(event.message || 'it could not be loaded')
    }
    worker.onmessageerror = () => this.#die('a message could not be read')
    this.#lastSign = this.#lastBeat = performance.now()
    this.#heartbeat = setInterval(() => this.#beat(), PING_EVERY)
    return worker
  }

  #beat(): void {
    const now = performance.now()
    // A page that was frozen or asleep has heard nothing because it did not listen.
    const slept = now - this.#lastBeat > 2 * PING_EVERY
    this.#lastBeat = now
    if (slept || this.#pending.size === 0) this.#lastSign = now
    if (this.#pending.size === 0) return
    if (performance.now() - this.#lastSign > SILENCE_LIMIT)
      this.#die(`it did not answer for ${SILENCE_LIMIT / 1000} seconds`)
    else this.#post({ type: 'ping', id: 0 })
  }

  #receive(message: FromWorker<Event>): void {
    this.#lastSign = performance.now()
    switch (message.type) {
      case 'result':
        this.#pending.get(message.id)?.resolve(message.value)
        break
      case 'error':
        this.#pending.get(message.id)?.reject(fromWire(message.error))
        break
      case 'progress':
        this.#pending.get(message.id)?.onProgress?.(message.progress)
        break
      case 'event':
        for (const listener of this.#listeners) listener(message.event)
        break
      case 'pong':
        break
      default:
        message satisfies never
    }
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message)
  }

  #die(reason: string): void {
    clearInterval(this.#heartbeat)
    this.#worker?.terminate()
    this.#worker = null
    const error = new GraftError(
      'E_WORKER',
      `${this.#name} stopped: ${reason}. It starts again with the next thing you do; runs go on from their last checkpoint.`,
    )
    for (const pending of [...this.#pending.values()]) pending.reject(error)
  }
}
