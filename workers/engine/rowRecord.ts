// What a run's model says of its training rows, epoch by epoch: held while it trains, written down with each checkpoint, so
// that a run that goes on from there finds what belongs to it and nothing later.
import { RowOrder, stepsPerEpoch } from '../../src/core/train/plan.ts'
import type { SeenRows } from '../../src/core/train/rowTap.ts'
import type { Run } from '../../src/protocol/run.ts'
import type { Store } from '../../src/store/database.ts'
import { putRowEpochs, readRowEpochs, removeRowEpochs, type RowEpoch } from '../../src/store/rowEpochs.ts'

/** Stands for no class; there are fewer. */
export const NO_CLASS = 0xffff

type RecordedRun = Pick<Run, 'id' | 'labels' | 'rows' | 'config'>

export class RowRecord {
  readonly #store: Store
  readonly #run: RecordedRun
  /** Epochs that are not written in full yet. */
  #epochs = new Map<number, RowEpoch>()
  readonly #stepsPerEpoch: number

  private constructor(store: Store, run: RecordedRun) {
    this.#store = store
    this.#run = run
    this.#stepsPerEpoch = stepsPerEpoch(run.rows, run.config.training)
  }

  /** The record of a run that begins, or goes on after `step` steps. What a run before it wrote of later steps is forgotten. */
  static async open(store: Store, run: RecordedRun, step: number): Promise<RowRecord> {
    const record = new RowRecord(store, run)
    if (run.config.training.recordRows) await record.#rewind(step)
    return record
  }

  add(seen: readonly SeenRows[]): void {
    for (const { step, places, gold, predicted } of seen) {
      const epoch = this.#epoch(Math.floor((step - 1) / this.#stepsPerEpoch))
      places.forEach((place, i) => {
        epoch.gold[place] = gold[i]!
        if (epoch.predicted) epoch.predicted[place] = predicted[i]!
      })
    }
  }

  /** Writes what was added; call it with a checkpoint. Throws E_STORAGE and keeps it for the next try. */
  async flush(): Promise<void> {
    if (this.#epochs.size === 0) return
    await putRowEpochs(this.#store, [...this.#epochs.values()])
    // Only the last one can still grow.
    const last = Math.max(...this.#epochs.keys())
    for (const epoch of this.#epochs.keys()) if (epoch !== last) this.#epochs.delete(epoch)
  }

  #epoch(epoch: number): RowEpoch {
    const known = this.#epochs.get(epoch)
    if (known) return known
    const { id, rows, labels } = this.#run
    const made: RowEpoch = {
      run: id,
      epoch,
      gold: new Float32Array(rows).fill(NaN),
      predicted: labels && new Uint16Array(rows).fill(NO_CLASS),
    }
    this.#epochs.set(epoch, made)
    return made
  }

  async #rewind(step: number): Promise<void> {
    const { id, rows, config } = this.#run
    const epoch = Math.floor(step / this.#stepsPerEpoch)
    await removeRowEpochs(this.#store, id, epoch)
    const found = (await readRowEpochs(this.#store, id)).find((each) => each.epoch === epoch)
    if (!found) return
    const order = new RowOrder(rows, config.training)
    for (let k = step; k < (epoch + 1) * this.#stepsPerEpoch; k++)
      for (const place of order.microBatches(k).flat()) {
        found.gold[place] = NaN
        if (found.predicted) found.predicted[place] = NO_CLASS
      }
    this.#epochs.set(epoch, found)
  }
}
