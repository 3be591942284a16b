// What a question is put to: a base on its own, a base with an imported adapter, a finished run from its checkpoint, or a
// run that is training right now.
import { clone, dispose, keep, tensor, type Tensor } from '@tensorflow/tfjs-core'
import { tensorAdaptation } from '../../src/core/adapters/adaptation.ts'
import type { AdapterPlan } from '../../src/core/adapters/plan.ts'
import { tensorsAtStrength } from '../../src/core/adapters/strength.ts'
import type { Trainable } from '../../src/core/train/objective.ts'
import type { TensorToWrite } from '../../src/formats/safetensors.ts'
import type { TaskConfig } from '../../src/protocol/data.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { AdapterInfo } from '../../src/protocol/model.ts'
import type { AdapterConfig, Run } from '../../src/protocol/run.ts'
import type { Target } from '../../src/protocol/target.ts'
import { readCheckpoint } from '../../src/store/checkpoints.ts'
import type { Store } from '../../src/store/database.ts'
import { getRun } from '../../src/store/runs.ts'
import type { AdapterLibrary } from './adapters.ts'
import { loadSnapshot, shapesOf, stateTensors } from './checkpoint.ts'
import type { LoadedModel, ModelLibrary } from './models.ts'
import { planOf } from './runRequest.ts'
import type { RunManager } from './runs.ts'

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

/** A trained adapter with everything that an export needs. */
export interface TrainedTarget {
  base: LoadedModel
  name: string
  config: AdapterConfig
  plan: AdapterPlan
  labels: string[] | null
  /** By the names of the parameter store, in the engine's orientation. */
  tensors: TensorToWrite[]
  run: Run | null
  adapter: AdapterInfo | null
  release(): void
}

/** Tensors of one checkpoint or adapter on the device. */
interface Resident {
  key: string
  tensors: Map<string, Tensor>
  bytes: number
}

/** Where the tensors of a target come from. */
interface Trained {
  plan: AdapterPlan
  labels: string[] | null
  run: Run | null
  /** Tensors of the caller's own. */
  onDevice(): Promise<Map<string, Tensor>>
}

/** Bytes of adapters that stay on the device, so that switching between them costs nothing; the last one always stays. */
const RESIDENT_BYTES = 256 * 1024 * 1024

export class Targets {
  readonly #store: Store
  readonly #models: ModelLibrary
  readonly #runs: RunManager
  readonly #adapters: AdapterLibrary
  /** The one that was used last is at the end. */
  #resident: Resident[] = []

  constructor(store: Store, models: ModelLibrary, runs: RunManager, adapters: AdapterLibrary) {
    this.#store = store
    this.#models = models
    this.#runs = runs
    this.#adapters = adapters
  }

  /** Throws E_ARGUMENT, E_NOT_FOUND, and what loading the base throws. */
  async resolve(target: Target): Promise<ResolvedTarget> {
    const { strength } = checkTarget(target)
    const { base, release } = await this.#models.hold(await this.#baseOf(target))
    try {
      if ('model' in target && target.adapter === undefined) {
        const trainable = { adaptation: null, classify: false }
        return { base, run: null, taskConfig: null, labels: null, trainable, release }
      }
      const { plan, labels, run, onDevice } = await this.#trained(target, base)
      const copies = await onDevice()
      // Of what is trained whole, less than all of it is a mixture with the base.
      const tensors = await tensorsAtStrength(base.family, base.weights, plan, copies, strength).finally(() =>
        dispose([...copies.values()]),
      )
      return {
        base,
        run,
        taskConfig: run?.taskConfig ?? null,
        labels,
        trainable: { adaptation: tensorAdaptation(tensors, plan, strength), classify: labels !== null },
        release: () => {
          dispose([...tensors.values()])
          release()
        },
      }
    } catch (error) {
      release()
      throw error
    }
  }

  /** The trained tensors of a target, for an export. Throws E_ARGUMENT for a base alone. */
  async trained(target: Target): Promise<TrainedTarget> {
    checkTarget(target)
    if ('model' in target && target.adapter === undefined)
      throw new GraftError(
        'E_ARGUMENT',
        'An untrained base has nothing to export. Choose a run, or an imported adapter.',
      )
    const { base, release } = await this.#models.hold(await this.#baseOf(target))
    try {
      if ('model' in target) {
        const { info, config, plan, tensors } = await this.#adapters.read(target.adapter!, base)
        return {
          base,
          name: info.name,
          config,
          plan,
          labels: info.labels,
          tensors,
          run: null,
          adapter: info,
          release,
        }
      }
      const { run, live } = await this.#run(target)
      const tensors = live
        ? stateTensors((await live.trainer.state()).parameters, shapesOf(live.trainer.store.slots))
        : await this.#checkpoint(run, target.checkpoint)
      const { config, labels } = run
      const plan = planOf(base, config, labels)
      return {
        base,
        name: config.name,
        config: config.adapter,
        plan,
        labels,
        tensors,
        run,
        adapter: null,
        release,
      }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Frees everything on the device: something was removed, or the backend changes. */
  clear(): void {
    for (const { tensors } of this.#resident) dispose([...tensors.values()])
    this.#resident = []
  }

  async #baseOf(target: Target): Promise<string> {
    return 'model' in target ? target.model : (await this.#run(target)).run.config.model
  }

  async #run(target: { run: string; checkpoint?: string }) {
    const live = target.checkpoint === undefined ? this.#runs.live(target.run) : undefined
    return { live, run: live?.run ?? (await getRun(this.#store, target.run)) }
  }

  async #trained(target: Target, base: LoadedModel): Promise<Trained> {
    if ('model' in target) {
      const id = target.adapter!
      const { info, plan } = await this.#adapters.describe(id, base)
      const read = async () => (await this.#adapters.read(id, base)).tensors
      return {
        plan,
        labels: info.labels,
        run: null,
        onDevice: () => this.#upload(`adapter/${id}`, read),
      }
    }
    const { run, live } = await this.#run(target)
    const plan = planOf(base, run.config, run.labels)
    const { labels } = run
    if (live) return { plan, labels, run, onDevice: () => Promise.resolve(live.trainer.store.copies()) }
    const id = target.checkpoint ?? newest(run)
    const key = `${run.id}/${id}`
    return { plan, labels, run, onDevice: () => this.#upload(key, () => this.#checkpoint(run, id)) }
  }

  /** Tensors of the caller's own on what is on the device; it is read where it is not. */
  async #upload(key: string, read: () => Promise<TensorToWrite[]>): Promise<Map<string, Tensor>> {
    const known = this.#touch(key)
    if (known) return copies(known.tensors)
    const fresh = await read()
    // Somebody else may have brought it meanwhile.
    const meanwhile = this.#touch(key)
    if (meanwhile) return copies(meanwhile.tensors)
    const bytes = fresh.reduce((sum, { data }) => sum + data.byteLength, 0)
    this.#makeRoom(bytes)
    const tensors = new Map(fresh.map(({ name, shape, data }) => [name, keep(tensor(data, shape))]))
    this.#resident.push({ key, tensors, bytes })
    return copies(tensors)
  }

  /** What is on the device under a key, which is now the one that was used last. */
  #touch(key: string): Resident | undefined {
    const found = this.#resident.find((resident) => resident.key === key)
    if (found) this.#resident = [...this.#resident.filter((other) => other !== found), found]
    return found
  }

  #makeRoom(bytes: number): void {
    let held = this.#resident.reduce((sum, resident) => sum + resident.bytes, 0)
    while (this.#resident.length > 0 && held + bytes > RESIDENT_BYTES) {
      const oldest = this.#resident.shift()!
      held -= oldest.bytes
      dispose([...oldest.tensors.values()])
    }
  }

  async #checkpoint(run: Run, checkpoint = newest(run)): Promise<TensorToWrite[]> {
    const { state, shapes } = loadSnapshot(await readCheckpoint(this.#store, run.id, checkpoint))
    return stateTensors(state.parameters, shapes)
  }
}

/** Throws E_ARGUMENT for what is no target. */
export function checkTarget(target: Target): { strength: number } {
  const given: Partial<Record<string, unknown>> | null = target
  const isName = (value: unknown) => typeof value === 'string' && value !== ''
  const sound =
    typeof given === 'object' &&
    isName(given?.['model'] ?? given?.['run']) &&
    [given?.['adapter'], given?.['checkpoint']].every((part) => part === undefined || isName(part))
  if (!sound)
    throw new GraftError(
      'E_ARGUMENT',
      'A target is { model, adapter? } or { run, checkpoint? }, each the id of one of yours.',
    )
  const strength = target.strength === undefined ? 1 : target.strength
  if (!(typeof strength === 'number' && strength >= 0 && strength <= 1))
    throw new GraftError('E_ARGUMENT', `strength must be from 0 to 1, but is ${String(strength)}.`)
  return { strength }
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
