// Which device computes, why, and how much memory is in use.
import type { GraftApi } from '../protocol/api.ts'
import type { BackendName, EngineInfo } from '../protocol/engine.ts'
import { fromWire, type GraftError } from '../protocol/errors.ts'
import type { Notices } from './notices.svelte.ts'

/** Memory is asked for this often while the page is visible, in milliseconds. */
const REFRESH_MS = 5000

export const BACKEND_LABELS: Record<BackendName, string> = {
  webgpu: 'GPU',
  wasm: 'CPU (WASM)',
  cpu: 'CPU (slow)',
}

export class Engine {
  info = $state.raw<EngineInfo | null>(null)
  switching = $state<BackendName | 'auto' | null>(null)
  readonly #api: GraftApi
  readonly #notices: Notices
  #said: string[] = []

  constructor(api: GraftApi, notices: Notices) {
    this.#api = api
    this.#notices = notices
    api.engine.subscribe((event) => {
      if (event.type === 'info') this.info = event.info
      if (event.type === 'fault') this.#fault(fromWire(event.error))
    })
    setInterval(() => {
      if (this.info && !document.hidden && !this.switching) void this.refresh()
    }, REFRESH_MS)
  }

  async refresh(): Promise<void> {
    try {
      this.info = await this.#api.engine.info()
    } catch {
      // The call that needs the engine will say why it does not answer.
    }
  }

  /** A broken shader reports itself at every dispatch; it is said once. */
  #fault(error: GraftError): void {
    if (this.#said.includes(error.message)) return
    this.#said.push(error.message)
    this.#notices.fail(
      error.code === 'E_STORAGE' ? 'A checkpoint could not be saved' : 'The GPU reported a fault',
      error,
    )
  }

  async use(backend: BackendName | 'auto'): Promise<void> {
    this.switching = backend
    try {
      this.info = await this.#api.engine.use(backend)
    } catch (thrown) {
      this.#notices.fail('The device could not be changed', thrown)
    } finally {
      this.switching = null
    }
  }
}
