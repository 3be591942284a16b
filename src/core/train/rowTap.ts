// What a step says of each of its rows, besides the sum that it learns from: the probability of the row's own label or
// text. The numbers are there in every pass (of a classifier softmax - target, of a language model the cross-entropies), so
// nothing is computed for them; they are copied, and read together with the numbers of the steps.
import { clone, concat, dispose, keep, reshape, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Ops } from '../ops/ops.ts'
import type { Recorder, RowLog } from '../ops/recorder.ts'
import type { Example, ExampleRows } from './objective.ts'
import { rowResults } from './rowResults.ts'

/** Rows of a step, as the model saw them before it learnt from them. */
export interface SeenRows {
  /** Optimizer steps completed after this one, from 1. */
  step: number
  /** Places in the training part. */
  places: number[]
  /** Probability of the row's label; of a language model exp(-mean cross-entropy of its labels). */
  gold: number[]
  /** The most likely class; -1 of a language model. */
  predicted: number[]
}

export interface TapOptions {
  ops: Ops
  /** Number of classes, or null for language modelling. */
  classes: number | null
  smoothing: number
  /** Most numbers that are left between two readings. */
  capacity: number
}

/** One micro-batch that was handed over. */
interface Noted {
  step: number
  places: readonly number[]
  examples: readonly Example[]
  rows: Pick<ExampleRows, 'rows' | 'labels' | 'weights' | 'labelCount'>
  factor: number
}

/** Bytes on the device that are given for it; runs whose steps leave more are not recorded. */
const LARGEST = 64 * 1024 * 1024

export class RowTap {
  readonly #options: TapOptions
  #log: RowLog | null = null
  /** Where the next micro-batch is copied to in the log. */
  #next = 0
  #at = 0
  /** Of computed steps that were not read yet. */
  #kept: Tensor[] = []
  #noted: Noted[] = []
  /** What was read when recording was given up. */
  #before: Float32Array | null = null
  #reading: Promise<unknown> = Promise.resolve()

  constructor(options: TapOptions) {
    this.#options = options
  }

  /** Null where this kind of run cannot tell: smoothed losses of a language model hide the label's own. */
  static of(options: TapOptions): RowTap | null {
    if (options.classes === null && options.smoothing > 0) return null
    return 4 * options.capacity <= LARGEST ? new RowTap(options) : null
  }

  /** Steps are replayed from here on: copies go to a log of the recorder. */
  recordWith(recorder: Recorder): void {
    this.#log = recorder.rowLog(this.#options.capacity)
  }

  /** Steps are computed from here on. */
  async giveUp(): Promise<void> {
    const log = this.#log
    if (!log) return
    await this.#reading
    if (this.#next > 0) this.#before = await log.read(this.#next)
    log.dispose()
    this.#log = null
    this.#next = 0
  }

  /** Before a micro-batch is replayed. */
  begin({ rows }: Pick<ExampleRows, 'rows'>): void {
    this.#at = this.#next
    this.#next += this.#size(rows.length)
  }

  /** What a pass is handed: copies the numbers of a micro-batch, or of consecutive rows of one. */
  readonly watch = (values: Tensor): void => {
    if (this.#log) this.#log.add(values, () => this.#at)
    else this.#kept.push(keep(this.#options.ops.part(values, 0, [values.size])))
  }

  /** After a step was handed over: which rows its micro-batches were, and what their losses were multiplied by. */
  note(step: number, factor: number, micros: readonly Pick<Noted, 'places' | 'examples' | 'rows'>[]): void {
    for (const micro of micros) if (micro.rows.labelCount > 0) this.#noted.push({ step, factor, ...micro })
  }

  /** All rows since the last reading; further steps may be handed over meanwhile. One reading at a time. */
  async read(): Promise<SeenRows[]> {
    const { classes, smoothing } = this.#options
    const noted = this.#noted.splice(0)
    const reading = this.#read()
    this.#reading = reading.catch(() => undefined)
    const numbers = await reading
    const seen: SeenRows[] = []
    let at = 0
    for (const { step, places, examples, rows, factor } of noted) {
      const size = this.#size(rows.rows.length)
      const own = numbers.subarray(at, at + size)
      at += size
      const found = rowResults({ examples, rows, factor, classes, smoothing }, own)
      seen.push({
        step,
        places: found.map(({ index }) => places[index]!),
        gold: found.map(({ gold }) => gold),
        predicted: found.map(({ predicted }) => predicted),
      })
    }
    return seen
  }

  dispose(): void {
    dispose(this.#kept)
    this.#kept = []
    this.#log?.dispose()
    this.#log = null
  }

  async #read(): Promise<Float32Array> {
    const before = this.#before
    this.#before = null
    if (this.#log) {
      const count = this.#next
      this.#next = 0
      return count > 0 ? this.#log.read(count) : new Float32Array(0)
    }
    const kept = this.#kept
    this.#kept = []
    const parts: Float32Array[] = before ? [before] : []
    if (kept.length > 0) {
      const all = tidy(() =>
        kept.length === 1 ? clone(kept[0]!) : concat(kept.map((x) => reshape(x, [x.size]))),
      )
      dispose(kept)
      parts.push((await all.data()) as Float32Array)
      all.dispose()
    }
    return parts.length === 1 ? parts[0]! : Float32Array.from(parts.flatMap((part) => [...part]))
  }

  #size(rows: number): number {
    return rows * (this.#options.classes ?? 1)
  }
}
