// The worker's side of src/protocol/rpc.ts: one loop that both workers share, so that every call has
// an AbortSignal, progress and coded errors, and so that a heartbeat is answered while calls are under way.
import { GraftError, toWire } from '../src/protocol/errors.ts'
import type { CallContext } from '../src/protocol/progress.ts'
import type { CallMap, FromWorker, ToWorker } from '../src/protocol/rpc.ts'

/** A worker's calls by name: one object in, one value (or a promise of it) out. Calls run concurrently. */
export type Handlers<Calls extends CallMap<Calls>> = {
  [K in keyof Calls]: (
    args: Parameters<Calls[K]>[0],
    context: CallContext,
  ) => Promise<ReturnType<Calls[K]>> | ReturnType<Calls[K]>
}

/** What `serve` needs of the worker's global scope, or of a MessagePort in a test. */
export interface Port {
  postMessage(message: unknown, transfer?: Transferable[]): void
  addEventListener(type: 'message', listener: (event: MessageEvent<ToWorker>) => void): void
}

export interface Server<Event> {
  /** Says something unasked to the page; the event must be structured-cloneable. */
  emit(event: Event): void
}

/**
 * Answers the page's messages with `handlers`. Call it before any top-level `await`: messages that arrive
 * while nobody listens are lost.
 */
export function serve<Calls extends CallMap<Calls>, Event>(
  handlers: Handlers<Calls>,
  port: Port = globalThis as unknown as Port,
): Server<Event> {
  const running = new Map<number, AbortController>()
  const send = (message: FromWorker<Event>): void => port.postMessage(message)

  async function call(id: number, method: string, args: unknown): Promise<void> {
    const controller = new AbortController()
    running.set(id, controller)
    const handed = new Set<ArrayBuffer>()
    const context: CallContext = {
      signal: controller.signal,
      // Progress after an answer would reach nobody.
      progress: (progress) => {
        if (running.has(id)) send({ type: 'progress', id, progress })
      },
      handOver: (buffer) => {
        if (buffer instanceof ArrayBuffer) handed.add(buffer)
      },
    }
    try {
      const value: unknown = await find(handlers, method)(args, context)
      port.postMessage({ type: 'result', id, value } satisfies FromWorker<Event>, [...handed])
    } catch (thrown) {
      sendError(id, thrown)
    } finally {
      running.delete(id)
    }
  }

  function sendError(id: number, thrown: unknown): void {
    const error = toWire(thrown)
    try {
      send({ type: 'error', id, error })
    } catch {
      // Details that cannot be cloned must not swallow the message.
      send({ type: 'error', id, error: { ...error, details: {} } })
    }
  }

  port.addEventListener('message', ({ data }) => {
    switch (data.type) {
      case 'call':
        void call(data.id, data.method, data.args)
        break
      case 'abort':
        running.get(data.id)?.abort(new GraftError('E_ABORTED', 'Cancelled.'))
        break
      case 'ping':
        send({ type: 'pong', id: data.id })
        break
      default:
        data satisfies never
    }
  })

  return { emit: (event) => send({ type: 'event', event }) }
}

/** The handler of a method; own properties only, so that "constructor" is no method. */
function find<Calls extends CallMap<Calls>>(
  handlers: Handlers<Calls>,
  method: string,
): (args: unknown, context: CallContext) => unknown {
  if (!Object.hasOwn(handlers, method))
    throw new GraftError('E_INTERNAL', `This worker has no call "${method}".`)
  return handlers[method as keyof Calls] as (args: unknown, context: CallContext) => unknown
}
