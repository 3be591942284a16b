// Numbers that differ from step to step. A recorded step (webgpu/recording.ts) is made once and replayed many times: what
// may be another number each time is given as a function, which is asked anew for every replay.

export type Changing = number | (() => number)

export function now(value: Changing): number {
  return typeof value === 'function' ? value() : value
}
