// The engine's one lane: training steps, tokens of an answer and layers of an explanation take turns on the device,
// first come, first served, so that asking the live model works while it trains.

export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Runs `work` after everything that asked before it. */
  take<T>(work: () => Promise<T> | T): Promise<T> {
    const turn = this.#last.then(async () => {
      // Messages (a pause, a new question) are read between turns, even if every turn is pure computation.
      await breathe()
      return work()
    })
    this.#last = turn.catch(() => undefined)
    return turn
  }
}

/** Lets the event loop handle waiting messages; not a timer, so a hidden tab does not slow it down. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })
}
