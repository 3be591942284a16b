// Errors are part of the interface: each has a stable code, says what happened and to what, and what to do next.

/** Every error code of Graft, with the kind of thing that went wrong. */
export const ERROR_CODES = [
  'E_ABORTED', // the caller cancelled
  'E_ARGUMENT', // a setting or argument is missing or out of range
  'E_NOT_FOUND', // no such dataset, model, run or checkpoint
  'E_NOT_A_TABLE', // a dropped file is no table
  'E_FORMAT', // a file breaks its own format
  'E_LIMIT', // a named limit was reached
  'E_DATASET', // a dataset cannot serve the asked task
  'E_MODEL_UNSUPPORTED', // an architecture or field that changes the maths and is not supported
  'E_MODEL_FILES', // files of a model are missing or disagree
  'E_NETWORK', // a download failed
  'E_HASH', // bytes are not the expected ones
  'E_STORAGE', // the browser's storage refused
  'E_NO_ADAPTER', // no WebGPU adapter or device
  'E_DEVICE_LOST', // the GPU device was lost
  'E_GPU', // the GPU reported an error
  'E_MEMORY', // not enough memory
  'E_NON_FINITE', // a loss or gradient is not a number
  'E_BUSY', // something exclusive is in use
  'E_WORKER', // a worker stopped
  'E_INTERNAL', // a defect of Graft
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** An error for people and for scripts: `message` is a sentence that says what happened, where, and what to do. */
export class GraftError extends Error {
  readonly code: ErrorCode
  readonly details: Record<string, unknown>

  constructor(
    code: ErrorCode,
    message: string,
    details: Record<string, unknown> = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'GraftError'
    this.code = code
    this.details = details
  }
}

/** An error as it crosses a worker boundary. */
export interface WireError {
  code: ErrorCode
  message: string
  details: Record<string, unknown>
  stack?: string
}

/** Any thrown value as a GraftError; what is not ours becomes E_INTERNAL, an AbortError becomes E_ABORTED. */
export function asGraftError(thrown: unknown): GraftError {
  if (thrown instanceof GraftError) return thrown
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  if (error.name === 'AbortError') return new GraftError('E_ABORTED', 'Cancelled.', {}, { cause: error })
  if (error.name === 'QuotaExceededError')
    return new GraftError(
      'E_STORAGE',
      'The browser has no room left for this site. Remove a dataset, run or model, then try again.',
      {},
      { cause: error },
    )
  const wrapped = new GraftError('E_INTERNAL', error.message, {}, { cause: error })
  if (error.stack) wrapped.stack = error.stack
  return wrapped
}

export function toWire(thrown: unknown): WireError {
  const { code, message, details, stack } = asGraftError(thrown)
  return stack === undefined ? { code, message, details } : { code, message, details, stack }
}

export function fromWire(wire: WireError): GraftError {
  const error = new GraftError(wire.code, wire.message, wire.details)
  if (wire.stack) error.stack = wire.stack
  return error
}

/** Throws E_ABORTED if the signal has fired. */
export function throwIfAborted(signal?: AbortSignal): void {
  if (signal?.aborted) throw new GraftError('E_ABORTED', 'Cancelled.')
}
