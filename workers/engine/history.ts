// Where a run's history goes while it trains.
import type { HistoryEntry, Run } from '../../src/protocol/run.ts'
import type { Store } from '../../src/store/database.ts'
import { appendHistory, truncateHistory } from '../../src/store/runs.ts'

/** A run's history in memory and, a second's worth at a time, in the store. */
export class HistoryLog {
  readonly #store: Store
  readonly #run: Run
  #unwritten: HistoryEntry[] = []
  #lastWrite = performance.now()

  constructor(store: Store, run: Run) {
    this.#store = store
    this.#run = run
  }

  async add(entries: HistoryEntry[]): Promise<void> {
    this.#run.history.push(...entries)
    this.#unwritten.push(...entries)
    if (performance.now() - this.#lastWrite > 1000) await this.flush()
  }

  /** Adds what was measured after a step to that step's entry. */
  async amend(step: number, more: Partial<HistoryEntry>): Promise<HistoryEntry | undefined> {
    const entry = this.#run.history.findLast((candidate) => candidate.step === step)
    if (!entry) return undefined
    Object.assign(entry, more)
    // Pieces are keyed by their first step: a piece of one step replaces only itself.
    if (!this.#unwritten.includes(entry)) await this.#rewriteLastPiece(entry)
    return entry
  }

  async flush(): Promise<void> {
    const entries = this.#unwritten
    this.#unwritten = []
    this.#lastWrite = performance.now()
    try {
      await appendHistory(this.#store, this.#run.id, entries)
    } catch (error) {
      // Kept for the next try: a full disk may be emptied meanwhile.
      this.#unwritten = [...entries, ...this.#unwritten]
      throw error
    }
  }

  async #rewriteLastPiece(entry: HistoryEntry): Promise<void> {
    await truncateHistory(this.#store, this.#run.id, entry.step - 1)
    this.#unwritten = [entry, ...this.#unwritten.filter((other) => other.step > entry.step)]
    await this.flush()
  }
}
