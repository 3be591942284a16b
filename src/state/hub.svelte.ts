// Looking for a base on the Hub: the words, what was found, and the token of this visit.
import type { GraftApi } from '../protocol/api.ts'
import { asGraftError, type GraftError } from '../protocol/errors.ts'
import type { HubModel } from '../protocol/model.ts'

/** Typing settles before the Hub is asked, in milliseconds. */
const PAUSE_MS = 350

export class Hub {
  /** For gated models. Kept only while this page is open: it is never stored, exported or logged. */
  token = $state('')
  words = $state('')
  /** What the answer on the page belongs to; empty for the curated list. */
  searched = $state('')
  results = $state.raw<HubModel[]>([])
  busy = $state(false)
  error = $state.raw<GraftError | null>(null)
  readonly #api: GraftApi
  #asking: AbortController | null = null
  /** The device that the estimates of the results are for. */
  #device: string | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(api: GraftApi) {
    this.#api = api
  }

  /** What goes with a call to the Hub. */
  get credentials(): { token?: string } {
    const token = this.token.trim()
    return token ? { token } : {}
  }

  /** Takes the words as they are typed; the search follows when they settle. */
  type(words: string): void {
    this.words = words
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.search(), PAUSE_MS)
  }

  /** Asks if there is nothing to show yet, or only estimates for another device. */
  show(device: string | undefined): void {
    if (this.results.length && device === this.#device) return
    this.#device = device
    void this.search()
  }

  /** Asks now. An empty query brings the curated list, which needs no network. */
  async search(): Promise<void> {
    clearTimeout(this.#timer)
    this.#asking?.abort()
    const asking = new AbortController()
    this.#asking = asking
    const words = this.words.trim()
    this.busy = true
    this.error = null
    try {
      const found = await this.#api.models.search(words, { ...this.credentials, signal: asking.signal })
      if (asking.signal.aborted) return
      this.results = found
      this.searched = words
    } catch (thrown) {
      if (asking.signal.aborted) return
      this.error = asGraftError(thrown)
    } finally {
      if (!asking.signal.aborted) this.busy = false
    }
  }
}

/** A base of the Hub as it is typed: owner/name, with @revision where it is not main. Null where it is neither. */
export function parseHubId(text: string): { hub: string; revision?: string } | null {
  const trimmed = text.trim().replace(/^https:\/\/huggingface\.co\//, '')
  const match = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+)|\/tree\/([\w./-]+))?\/?$/.exec(trimmed)
  if (!match) return null
  const revision = match[2] ?? match[3]
  return { hub: match[1]!, ...(revision !== undefined && { revision }) }
}
