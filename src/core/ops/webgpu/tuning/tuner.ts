// Which setting each class of shapes runs with on this adapter. A class is tried out before its first use in training, in
// a rehearsal of the pass (rehearse): never inside a step, so that a run uses one setting from its first step to its last.
// The choices are kept for the adapter, and that is what makes the same seed give the same bits after a reload.
// Settings matter: portable ones reach 80% of each GPU's best on average, 44% at worst (llama.cpp#22241).
import { backend as currentBackend, dispose, type Tensor } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { compileAhead, type Kernel } from '../runner.ts'
import { fastest, type Outcome } from './fastest.ts'
import { DEFAULT, type Abilities } from './settings.ts'
import { timeKernel } from './stopwatch.ts'

/** Goes up with every change of a kernel that may change which setting is fastest, or the bits that one gives. */
export const KERNEL_VERSION = 1

/** Where choices outlive the session. Both may fail: then they are made anew in each. */
export interface TuningMemory {
  /** What was saved for the adapter, or nothing. Not trusted. */
  load(adapter: string): Promise<unknown>
  save(adapter: string, choices: Record<string, string>): Promise<void>
}

export interface TuningRecord {
  adapter: string
  /** Setting by class. */
  choices: Record<string, string>
}

/** Work of one class: what the kernels ask with. */
export interface Tunable {
  /** Kind, precision and rounded sizes. */
  key: string
  /** The default first. */
  settings(abilities: Abilities): string[]
  /** The same on tensors of its own, disposed by the tuner. */
  trial(): Trial
}

export interface Trial {
  kernel(setting: string): Kernel
  /** What it writes, by the names in its code. */
  written: Record<string, Tensor>
  /** What else was made for it. */
  tensors: Tensor[]
}

/** Milliseconds of all trials of a class, and of a session with what it compiles. */
const BUDGET = { class: 150, session: 3_000 }

export interface TunerOptions {
  /** Names the adapter, its features and these kernels. */
  adapter: string
  abilities: Abilities
  /** False on an adapter made of software: the default stands. */
  active: boolean
  memory: TuningMemory | null
  /** Milliseconds of one dispatch; throws where the device refuses the kernel. */
  time?: (kernel: Kernel, written: Record<string, Tensor>) => Promise<number>
  /** Resolves when the kernel can be timed without compiling it; rejects where the device refuses it. */
  compile?: (kernel: Kernel, written: Record<string, Tensor>) => Promise<void>
  now?: () => number
  budget?: typeof BUDGET
}

export class Tuner {
  readonly abilities: Abilities
  readonly active: boolean
  /** What was timed in this session, by class. */
  readonly outcomes = new Map<string, Outcome>()
  readonly #adapter: string
  readonly #memory: TuningMemory | null
  readonly #time: NonNullable<TunerOptions['time']>
  readonly #compile: NonNullable<TunerOptions['compile']>
  readonly #now: () => number
  readonly #budget: typeof BUDGET
  readonly #choices = new Map<string, string>()
  readonly #wanted = new Map<string, Tunable>()
  #spent = 0
  #rehearsing = false
  /** Taken wherever it is among a kernel's settings. */
  #forced: string | null = null

  constructor(options: TunerOptions) {
    this.#adapter = options.adapter
    this.abilities = options.abilities
    this.active = options.active
    this.#memory = options.memory
    this.#time = options.time ?? timeKernel
    this.#compile = options.compile ?? compileAhead
    this.#now = options.now ?? (() => performance.now())
    this.#budget = options.budget ?? BUDGET
  }

  /** What an earlier session found; anything that is not a table of words is as good as nothing. */
  async load(): Promise<void> {
    if (!this.active || !this.#memory) return
    this.#take(await this.#memory.load(this.#adapter).catch(() => null))
  }

  /** The choices with the adapter that they are for: what a run keeps with its checkpoints. */
  get record(): TuningRecord {
    return { adapter: this.#adapter, choices: Object.fromEntries(this.#choices) }
  }

  /** Goes on with the choices that a run was begun with, if it was on this adapter: the memory may have been cleared since. */
  async adopt(record: TuningRecord | undefined): Promise<void> {
    if (!this.active || record?.adapter !== this.#adapter) return
    this.#take(record.choices)
    await this.#save()
  }

  #take(choices: unknown): void {
    if (typeof choices !== 'object' || choices === null || Array.isArray(choices)) return
    for (const [key, setting] of Object.entries(choices))
      if (typeof setting === 'string') this.#choices.set(key, setting)
  }

  /** A full or forbidden database costs the choices of the next session, not this one's work. */
  async #save(): Promise<void> {
    await this.#memory?.save(this.#adapter, this.record.choices).catch(() => undefined)
  }

  /** The setting to run with, or null in a rehearsal: then the work is only noted. */
  settingFor(work: Tunable): string | null {
    if (this.#forced !== null)
      return work.settings(this.abilities).includes(this.#forced) ? this.#forced : DEFAULT
    if (!this.active) return DEFAULT
    const chosen = this.#choices.get(work.key)
    const known = chosen !== undefined && work.settings(this.abilities).includes(chosen)
    if (this.#rehearsing) {
      if (!known) this.#wanted.set(work.key, work)
      return null
    }
    return known ? chosen : DEFAULT
  }

  /** Runs everything with this setting where it exists; null goes back to the choices. For tests and measurements. */
  force(setting: string | null): void {
    this.#forced = setting
  }

  /**
   * Runs `work`, whose products are not made but noted, then tries out those of unknown classes.
   * @throws what the signal was aborted with; classes that were not reached are tried another time.
   */
  async rehearse(work: () => void, signal?: AbortSignal): Promise<void> {
    if (!this.active || this.#forced !== null) return
    this.#rehearsing = true
    try {
      work()
    } finally {
      this.#rehearsing = false
    }
    if (this.#wanted.size === 0) return
    try {
      for (const [key, each] of this.#wanted) {
        await this.#tryOut(key, each, signal)
        this.#wanted.delete(key)
      }
    } finally {
      this.#wanted.clear()
      await this.#save()
    }
  }

  async #tryOut(key: string, work: Tunable, signal?: AbortSignal): Promise<void> {
    const settings = work.settings(this.abilities)
    const left = this.#budget.session - this.#spent
    // Out of time the default stands, and is kept as the choice: the next session must not choose otherwise.
    if (left <= 0 || settings.length === 1) return void this.#choices.set(key, settings[0]!)
    const start = this.#now()
    const { kernel, written, tensors } = work.trial()
    try {
      // All at once; a refusal shows again when the kernel is timed.
      await Promise.all(settings.map((each) => this.#compile(kernel(each), written).catch(() => undefined)))
      const outcome = await fastest({
        settings,
        time: (setting) => this.#time(kernel(setting), written),
        now: this.#now,
        budget: Math.min(this.#budget.class, left),
        signal,
      })
      this.outcomes.set(key, outcome)
      this.#choices.set(key, outcome.setting)
    } finally {
      dispose([...Object.values(written), ...tensors])
      this.#spent += this.#now() - start
    }
  }
}

const tuners = new WeakMap<GPUDevice, Tuner>()

export function setTuner(device: GPUDevice, tuner: Tuner): void {
  tuners.set(device, tuner)
}

/** The tuner of tfjs's current device, if it has one. */
export function currentTuner(): Tuner | undefined {
  return tuners.get((currentBackend() as WebGPUBackend).device)
}

/** The setting to run the work with; null: it is only rehearsed. */
export function settingFor(work: Tunable): string | null {
  const tuner = currentTuner()
  return tuner ? tuner.settingFor(work) : DEFAULT
}
