// Runs from request to result: one trains at a time, others wait in line; everything that happens is written down as it
// happens, so that a reload finds the run where its last checkpoint left it.
import { releaseFreeBuffers } from '../../src/core/backend/memory.ts'
import { deferred, type Deferred } from '../../src/core/deferred.ts'
import type { Trainer } from '../../src/core/train/trainer.ts'
import { asGraftError, GraftError } from '../../src/protocol/errors.ts'
import type { Run, RunRequest, RunStatus } from '../../src/protocol/run.ts'
import { takeLock, waitForLock } from '../../src/store/locks.ts'
import { keepStorage } from '../../src/store/quota.ts'
import { getRun, listRuns, putRun, removeRun, truncateHistory } from '../../src/store/runs.ts'
import { openRun, type OpenRun, type TrainingRoom } from './openRun.ts'
import { configureRun, newRun, type ConfiguredRun } from './runRequest.ts'
import { RunTeller, type TellerOptions } from './runTeller.ts'

const ENDED: readonly RunStatus[] = ['done', 'stopped', 'failed', 'interrupted']
/** How long the start waits for the locks of the page that was there before. */
const RELOAD_MILLISECONDS = 2000

export interface RunManagerOptions extends Omit<TrainingRoom, 'teller'>, TellerOptions {
  /** Resolves when a backend is there: after a lost device a new one is started. */
  ready: () => Promise<void>
  emitRemoved: (id: string) => void
}

/** A run in line, and what was asked of it before it began. */
interface Waiting {
  id: string
  /** The base that it trains. */
  model: string
  resume: boolean
  cancelled: boolean
  paused: boolean
  /** Held from the line to the end: other tabs see that the run is alive, and browsers do not freeze a tab with a lock. */
  lock: { release(): void }
  /** Resolves when the run has begun to train, or has ended without. */
  begun: Deferred<void>
}

interface LiveRun {
  run: Run
  trainer: Trainer
}

export class RunManager {
  readonly #options: RunManagerOptions
  readonly #teller: RunTeller
  readonly #ended = new Map<string, Deferred<Run>>()
  /** Runs in line, the first of them training. */
  #line: Waiting[] = []
  #live: LiveRun | null = null

  constructor(options: RunManagerOptions) {
    this.#options = options
    this.#teller = new RunTeller(options)
  }

  /** Marks runs that a reload or crash cut short; those of another tab are marked when that tab ends. */
  async recover(): Promise<void> {
    const open = (await listRuns(this.#options.store)).filter((run) => !ENDED.includes(run.status))
    const marked = Promise.all(open.map((run) => this.#recoverRun(run.id)))
    // A page that is being reloaded gives its locks back a moment later.
    await Promise.race([marked, new Promise((resolve) => setTimeout(resolve, RELOAD_MILLISECONDS))])
  }

  async #recoverRun(id: string): Promise<void> {
    const { store } = this.#options
    const lock = await waitForLock(lockName(id))
    try {
      const run = await getRun(store, id)
      if (ENDED.includes(run.status)) return
      const step = run.checkpoints.at(-1)?.step ?? 0
      await truncateHistory(store, id, step)
      await this.#teller.update({ ...run, history: [] }, { status: 'interrupted', step, secondsLeft: null })
    } finally {
      lock.release()
    }
  }

  /** The run that is training right now, if it is this one. */
  live(id: string): LiveRun | undefined {
    return this.#live?.run.id === id ? this.#live : undefined
  }

  /** Whether a run trains this base, or waits in line to. */
  needs(model: string): boolean {
    return this.#line.some((entry) => entry.model === model)
  }

  /** The device reported a fault: the run that is training ends with it, and can be resumed from its checkpoint. */
  fault(error: GraftError): void {
    this.#live?.trainer.fail(error)
  }

  get busy(): boolean {
    return this.#line.length > 0
  }

  /** The configuration of a request with all defaults, and what it will work on. */
  configure(request: RunRequest): Promise<ConfiguredRun> {
    return configureRun(request, this.#options)
  }

  async start(request: RunRequest): Promise<string> {
    const { store, backend } = this.#options
    const run = await newRun(await this.configure(request), store, backend())
    const lock = await this.#lock(run.id)
    await putRun(store, run)
    void keepStorage()
    this.#enqueue(run, false, lock)
    return run.id
  }

  /** Resolves when the run is done, stopped, failed or was cut short; also one that trains in another tab. */
  async wait(id: string): Promise<Run> {
    const ended = this.#ended.get(id)
    if (ended) return ended.promise
    const run = await getRun(this.#options.store, id)
    if (ENDED.includes(run.status)) return run
    const lock = await waitForLock(lockName(id))
    lock.release()
    return getRun(this.#options.store, id)
  }

  /** Resolves when the run has halted, after a checkpoint; a run that waits in line halts as soon as it begins. */
  async pause(id: string): Promise<void> {
    const waiting = this.#line.find((entry) => entry.id === id)
    if (!waiting)
      throw new GraftError('E_ARGUMENT', 'This run is not training, so it cannot be paused.', { run: id })
    waiting.paused = true
    if (waiting !== this.#line[0]) return
    await waiting.begun.promise
    const live = this.live(id)
    if (!live) return
    await live.trainer.pause()
    if (this.#live === live && live.trainer.paused)
      await this.#teller.update(live.run, { status: 'paused', secondsLeft: null })
  }

  /** Goes on with a paused run, or takes one that was cut short, stopped or failed up from its last checkpoint. */
  async resume(id: string): Promise<void> {
    const live = this.live(id)
    if (live) {
      if (!live.trainer.paused) return
      await this.#teller.update(live.run, { status: 'running' })
      live.trainer.resume()
      return
    }
    const waiting = this.#line.find((entry) => entry.id === id)
    if (waiting) {
      waiting.paused = false
      return
    }
    const lock = await this.#lock(id)
    const run = await getRun(this.#options.store, id).catch((error: unknown) => {
      lock.release()
      throw error
    })
    if (run.status === 'done') {
      lock.release()
      throw new GraftError('E_ARGUMENT', `"${run.config.name}" has trained all its ${run.steps} steps.`)
    }
    this.#enqueue(run, true, lock)
  }

  /** Ends a run, keeping what it has learnt; resolves when it has ended. */
  async stop(id: string): Promise<void> {
    const waiting = this.#line.find((entry) => entry.id === id)
    if (!waiting) throw new GraftError('E_ARGUMENT', 'This run is not training.', { run: id })
    const ended = this.#ended.get(id)
    if (waiting === this.#line[0]) {
      waiting.cancelled = true
      this.live(id)?.trainer.stop()
      await ended?.promise
      return
    }
    // It has not begun: it leaves the line at once.
    this.#line = this.#line.filter((entry) => entry !== waiting)
    const run = await getRun(this.#options.store, id)
    await this.#teller.update(run, { status: 'stopped' })
    waiting.lock.release()
    this.#ended.delete(id)
    ended?.resolve(run)
  }

  async list(): Promise<Run[]> {
    const runs = await listRuns(this.#options.store)
    return runs.map((run) => this.live(run.id)?.run ?? run)
  }

  async get(id: string): Promise<Run> {
    return this.live(id)?.run ?? getRun(this.#options.store, id)
  }

  async remove(id: string): Promise<void> {
    if (this.#line.some((entry) => entry.id === id)) await this.stop(id)
    const lock = await this.#lock(id)
    try {
      await removeRun(this.#options.store, id)
    } finally {
      lock.release()
    }
    this.#options.emitRemoved(id)
  }

  /** The right to change a run. Throws E_BUSY while another tab has it, or this one is still busy with it. */
  async #lock(id: string): Promise<{ release(): void }> {
    const lock = await takeLock(lockName(id))
    if (!lock)
      throw new GraftError('E_BUSY', 'This run is in use in another tab. Close that tab, or wait for it.', {
        run: id,
      })
    return lock
  }

  #enqueue(run: Run, resume: boolean, lock: { release(): void }): void {
    this.#ended.set(run.id, deferred())
    this.#line.push({
      id: run.id,
      model: run.config.model,
      resume,
      cancelled: false,
      paused: false,
      lock,
      begun: deferred(),
    })
    void this.#teller.update(run, { status: 'queued', error: null })
    if (this.#line.length === 1) void this.#work()
  }

  async #work(): Promise<void> {
    while (this.#line.length > 0) {
      const entry = this.#line[0]!
      const ended = this.#ended.get(entry.id)
      try {
        const run = await getRun(this.#options.store, entry.id)
        if (entry.cancelled) await this.#teller.update(run, { status: 'stopped' })
        else await this.#train(run, entry)
        ended?.resolve(run)
      } catch (error) {
        ended?.reject(asGraftError(error))
      }
      this.#line.shift()
      this.#ended.delete(entry.id)
      entry.begun.resolve()
      entry.lock.release()
    }
  }

  async #train(run: Run, entry: Waiting): Promise<void> {
    const { ready, backend } = this.#options
    const teller = this.#teller
    let open: OpenRun | null = null
    try {
      await ready()
      open = await openRun(run, entry.resume, { ...this.#options, teller })
      const { trainer, log, base } = open
      this.#live = { run, trainer }
      const { precision } = base.info
      await teller.update(run, { status: 'running', backend: backend(), precision, error: null })
      entry.begun.resolve()
      if (entry.cancelled) trainer.stop()
      else if (entry.paused) void this.pause(run.id)
      const outcome = await trainer.run()
      await teller.unlessFull(() => log.flush())
      await teller.update(run, {
        status: outcome,
        step: trainer.step,
        seconds: trainer.seconds,
        secondsLeft: outcome === 'done' ? 0 : null,
      })
    } catch (error) {
      await open?.log.flush().catch(() => undefined)
      await teller.fail(run, error)
    } finally {
      this.#live = null
      open?.close()
      releaseFreeBuffers()
    }
  }
}

const lockName = (id: string) => `graft-run-${id}`
