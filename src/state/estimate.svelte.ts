// A memory estimate that follows what is chosen: asked again when the choice settles, the last answer kept meanwhile.
import type { GraftApi } from '../protocol/api.ts'
import { asGraftError } from '../protocol/errors.ts'
import type { EstimateRequest, MemoryEstimate } from '../protocol/model.ts'

/** A choice settles before it is estimated, in milliseconds. */
const PAUSE_MS = 250

export class Estimate {
  value = $state.raw<MemoryEstimate | null>(null)
  /** Why there is none, as a sentence. */
  problem = $state<string | null>(null)
  busy = $state(false)
  readonly #api: GraftApi

  constructor(api: GraftApi) {
    this.#api = api
  }

  /**
   * Follows a request; null forgets. Call it in an effect and return what it returns: that cancels what is no longer
   * wanted.
   */
  follow(request: EstimateRequest | null): (() => void) | undefined {
    if (!request) {
      this.value = null
      this.problem = null
      return undefined
    }
    const asking = new AbortController()
    const timer = setTimeout(() => void this.#ask(request, asking.signal), PAUSE_MS)
    return () => {
      clearTimeout(timer)
      asking.abort()
    }
  }

  async #ask(request: EstimateRequest, signal: AbortSignal): Promise<void> {
    this.busy = true
    try {
      const answer = await this.#api.models.estimate(request, { signal })
      if (signal.aborted) return
      this.value = answer
      this.problem = null
    } catch (thrown) {
      if (signal.aborted) return
      this.value = null
      this.problem = asGraftError(thrown).message
    } finally {
      if (!signal.aborted) this.busy = false
    }
  }
}
