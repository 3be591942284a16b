// What a question is put to: a base on its own, a finished run from its checkpoint, or a run that is training right now.
import { clone, dispose, keep, tensor, type Tensor } from '@tensorflow/tfjs-core'
import { tensorAdaptation } from '../../src/core/adapters/adaptation.ts'
import type { ParameterSnapshot } from '../../src/core/optim/parameters.ts'
import type { Trainer } from '../../src/core/train/trainer.ts'
import type { Trainable } from '../../src/core/train/objective.ts'
import type { TaskConfig } from '../../src/protocol/data.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { Run } from '../../src/protocol/run.ts'
import type { Target } from '../../src/protocol/target.ts'
import { readCheckpoint } from '../../src/store/checkpoints.ts'
import type { Store } from '../../src/store/database.ts'
import { getRun } from '../../src/store/runs.ts'
import { loadSnapshot } from './checkpoint.ts'
import type { LoadedModel, ModelLibrary } from './models.ts'
import { planOf, type RunManager } from './runs.ts'

export interface ResolvedTarget {
  base: LoadedModel
  run: Run | null
  taskConfig: TaskConfig | null
  labels: string[] | null
  /** What stands beside the base. Of a run that is training: as it was at the moment of asking. */
  trainable: Trainable
  /** Frees what was put on the device for this question. */
  release(): void
}

/** Tensors of one checkpoint on the device. */
interface ResidentAdapter {
  key: string
  tensors: Map<string, Tensor>
}

/** Checkpoints kept on the device, so that asking the same run again costs nothing. */
const RESIDENT_LIMIT = 2

export class Targets {
  readonly #store: Store
  readonly #models: ModelLibrary
  readonly #runs: RunManager
  #resident: ResidentAdapter[] = []

  constructor(store: Store, models: ModelLibrary, runs: RunManager) {
    this.#store = store
    this.#models = models
    this.#runs = runs
  }

  async resolve(target: Target): Promise<ResolvedTarget> {
    const strength = target.strength ?? 1
    if (!(strength >= 0 && strength <= 1))
      throw new GraftError('E_ARGUMENT', `strength must be from 0 to 1, but is ${strength}.`)
    if ('model' in target) {
      if (target.adapter !== undefined)
        throw new GraftError(
          'E_NOT_FOUND',
          `There is no adapter "${target.adapter}". Ask a run with { run } instead.`,
          { adapter: target.adapter },
        )
      const { base, release } = await this.#models.hold(target.model)
      const trainable = { adaptation: null, classify: false }
      return { base, run: null, taskConfig: null, labels: null, trainable, release }
    }
    const live = target.checkpoint === undefined ? this.#runs.live(target.run) : undefined
    const run = live?.run ?? (await getRun(this.#store, target.run))
    const { base, release } = await this.#models.hold(run.config.model)
    const tensors = await this.#tensors(live, run, target.checkpoint).catch((error: unknown) => {
      release()
      throw error
    })
    return {
      base,
      run,
      taskConfig: run.taskConfig,
      labels: run.labels,
      trainable: {
        adaptation: tensorAdaptation(tensors, planOf(base, run.config, run.labels), strength),
        classify: run.labels !== null,
      },
      release: () => {
        dispose([...tensors.values()])
        release()
      },
    }
  }

  /** Tensors of the caller's own: of a live run as it is now, else of a checkpoint. */
  async #tensors(
    live: { trainer: Trainer } | undefined,
    run: Run,
    checkpoint?: string,
  ): Promise<Map<string, Tensor>> {
    return live ? live.trainer.store.copies() : copies((await this.#load(run, checkpoint)).tensors)
  }

  /** The trained tensors of a target, for an export. */
  async tensors(
    target: Target,
  ): Promise<{ run: Run; tensors: { name: string; shape: number[]; data: Float32Array }[] }> {
    if (!('run' in target))
      throw new GraftError('E_ARGUMENT', 'An untrained base has no adapter to export. Choose a run.')
    const live = target.checkpoint === undefined ? this.#runs.live(target.run) : undefined
    const run = live?.run ?? (await getRun(this.#store, target.run))
    const { parameters, shapes } = live
      ? { parameters: (await live.trainer.state()).parameters, shapes: shapesOf(live.trainer.store.slots) }
      : await this.#snapshot(run, target.checkpoint)
    const tensors = Object.entries(parameters.values).map(([name, data]) => ({
      name,
      shape: shapes[name]!,
      data,
    }))
    return { run, tensors }
  }

  /** Frees everything on the device: a run was removed, or the backend changes. */
  clear(): void {
    for (const { tensors } of this.#resident) dispose([...tensors.values()])
    this.#resident = []
  }

  async #load(run: Run, checkpoint?: string): Promise<ResidentAdapter> {
    const id = checkpoint ?? newest(run)
    const key = `${run.id}/${id}`
    const found = this.#resident.find((adapter) => adapter.key === key)
    if (found) return found
    const { parameters, shapes } = await this.#snapshot(run, id)
    const adapter = { key, tensors: upload(parameters, shapes) }
    for (const old of this.#resident.splice(0, this.#resident.length - RESIDENT_LIMIT + 1))
      dispose([...old.tensors.values()])
    this.#resident.push(adapter)
    return adapter
  }

  async #snapshot(run: Run, checkpoint = newest(run)) {
    const { state, shapes } = loadSnapshot(await readCheckpoint(this.#store, run.id, checkpoint))
    return { parameters: state.parameters, shapes }
  }
}

/** Handles of their own on the same data, so that the originals may go meanwhile. */
function copies(tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map([...tensors].map(([name, value]) => [name, keep(clone(value))]))
}

/** The id of a run's last checkpoint. Throws E_NOT_FOUND where it has none. */
export function newest(run: Run): string {
  const last = run.checkpoints.at(-1)
  if (!last)
    throw new GraftError('E_NOT_FOUND', `The run "${run.config.name}" has no checkpoint yet.`, {
      run: run.id,
    })
  return last.id
}

const shapesOf = (slots: readonly { name: string; shape: number[] }[]) =>
  Object.fromEntries(slots.map(({ name, shape }) => [name, shape]))

function upload(parameters: ParameterSnapshot, shapes: Record<string, number[]>): Map<string, Tensor> {
  return new Map(
    Object.entries(parameters.values).map(([name, values]) => [name, keep(tensor(values, shapes[name]!))]),
  )
}
