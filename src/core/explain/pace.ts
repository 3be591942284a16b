// Long sums on the processor in slices: between two of them waiting messages are read, so that a stop is heard.
import { throwIfAborted } from '../../protocol/errors.ts'
import { breathe } from '../turns.ts'

/** Milliseconds of a slice: shorter than anybody notices, long enough that breathing costs nothing. */
const SLICE = 20

export class Pace {
  readonly #signal: AbortSignal | undefined
  #begun = performance.now()

  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  /** Calls `step` for 0..count - 1, with a breath after each slice. Throws E_ABORTED when stopped. */
  async each(count: number, step: (index: number) => void): Promise<void> {
    for (let index = 0; index < count; index++) {
      if (performance.now() - this.#begun > SLICE) {
        await breathe()
        throwIfAborted(this.#signal)
        this.#begun = performance.now()
      }
      step(index)
    }
  }
}
