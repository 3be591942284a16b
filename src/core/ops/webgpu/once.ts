// What is made of frozen numbers alone and kept beyond the step, such as joined biases: it must be there for real also when
// the step that first asks for it is only recorded.

/** A recording that lets work through to the device. */
export interface Suspendable {
  suspend<T>(work: () => T): T
}

let recording: Suspendable | null = null

/** Runs `work`, which `once` may suspend. */
export function suspendable<T>(by: Suspendable, work: () => T): T {
  const before = recording
  recording = by
  try {
    return work()
  } finally {
    recording = before
  }
}

/** Does `work` at once, also while a step is recorded. */
export function once<T>(work: () => T): T {
  return recording ? recording.suspend(work) : work()
}
