// Messages between the page and a worker. Written by hand rather than with Comlink because every call here
// needs what Comlink lacks: coded errors, progress, cancellation, and rejection when the worker dies.
import type { WireError } from './errors.ts'
import type { Progress } from './progress.ts'

export type ToWorker =
  | { type: 'call'; id: number; method: string; args: unknown }
  | { type: 'abort'; id: number }
  | { type: 'ping'; id: number }

export type FromWorker<Event> =
  | { type: 'result'; id: number; value: unknown }
  | { type: 'error'; id: number; error: WireError }
  | { type: 'progress'; id: number; progress: Progress }
  | { type: 'event'; event: Event }
  | { type: 'pong'; id: number }

/** Signatures of a worker's calls: one object in, one value out. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the only way to say "any signature" in a constraint
export type Signature = (args: any) => unknown
export type CallMap<T> = { [K in keyof T]: Signature }
