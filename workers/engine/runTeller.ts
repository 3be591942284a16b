// What happens to a run: changed in its record, written down, and told to everybody.
import { asGraftError, type GraftError } from '../../src/protocol/errors.ts'
import type { HistoryEntry, Run, RunEvent } from '../../src/protocol/run.ts'
import type { Store } from '../../src/store/database.ts'
import { putRun } from '../../src/store/runs.ts'

export interface TellerOptions {
  store: Store
  emit: (event: RunEvent) => void
  /** Something that does not end a run: the disk is full. */
  emitFault: (error: GraftError) => void
}

export class RunTeller {
  readonly #options: TellerOptions

  constructor(options: TellerOptions) {
    this.#options = options
  }

  /** Changes a run, writes it down and tells everybody. */
  async update(run: Run, change: Partial<Run>): Promise<void> {
    this.tell(run, [], change)
    // A full disk must not end a run that goes on in memory; the next checkpoint says so.
    await putRun(this.#options.store, run).catch(() => undefined)
  }

  /** Tells of new history; the record itself is written with the next checkpoint. */
  tell(run: Run, entries: HistoryEntry[], change: Partial<Run> = {}): void {
    Object.assign(run, change)
    const { history: _history, ...rest } = run
    this.#options.emit({ run: rest, entries })
  }

  async fail(run: Run, thrown: unknown): Promise<void> {
    const { code, message } = asGraftError(thrown)
    await this.update(run, { status: 'failed', secondsLeft: null, error: { code, message } })
  }

  /** Runs work on the store; a full disk is said, and the training goes on. Resolves with whether it was done. */
  async unlessFull(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (thrown) {
      const error = asGraftError(thrown)
      if (error.code !== 'E_STORAGE') throw error
      this.#options.emitFault(error)
      return false
    }
  }
}
