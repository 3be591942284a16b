// The library of bases: what is embedded, what is stored in this browser, and what is on the device right now.
// Callers that work with a base over several steps hold it; a base that nobody holds makes room for the next one.
import { releaseFreeBuffers } from '../../src/core/backend/memory.ts'
import type { Family } from '../../src/core/models/architecture.ts'
import { loadTransformer } from '../../src/core/models/load.ts'
import type { Transformer } from '../../src/core/models/transformer.ts'
import type { WeightSource } from '../../src/core/models/weights.ts'
import type { Ops } from '../../src/core/ops/ops.ts'
import type { TextTokenizer } from '../../src/data/tokenizer.ts'
import { asGraftError, GraftError, throwIfAborted, type ErrorCode } from '../../src/protocol/errors.ts'
import type { MemoryBudget } from '../../src/core/train/memory.ts'
import type { LoadOptions, ModelInfo, ModelSource, Precision } from '../../src/protocol/model.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { ModelRecord, Store } from '../../src/store/database.ts'
import { dropDownloads } from '../../src/store/downloads.ts'
import { waitForLock } from '../../src/store/locks.ts'
import { findModel, listModels, removeModel, setPrecision } from '../../src/store/models.ts'
import { bytesOf, checkPrecision, estimateFor } from './estimate.ts'
import { fetchModel } from './fetchModel.ts'
import { embeddedModels, offer, storedId, type Offer, type OfferOptions } from './modelFiles.ts'
import { embeddedInfo, parseJson, wholeInfo } from './modelInfo.ts'
import { readModel, textOf } from './readModel.ts'
import { SharedWork } from './sharedWork.ts'
import { secondsLeft } from './time.ts'

export interface LoadedModel {
  info: ModelInfo
  family: Family
  model: Transformer
  tokenizer: TextTokenizer
  padId: number
  /** Tokens that end an answer. */
  endIds: ReadonlySet<number>
  /** The stored checkpoint. */
  weights: WeightSource
  /** As of ReadModel. */
  bare: boolean
}

/** A base that stays on the device until it is released. */
export interface HeldModel {
  base: LoadedModel
  /** Call it once the work is over; again does nothing. */
  release(): void
}

interface Resident {
  base: LoadedModel
  holders: number
  /** No longer offered; its memory is freed with the last holder. */
  gone: boolean
}

/** Looks up what is not here yet. */
type Find = (context: CallContext) => Promise<Offer>

/** What is wrong with the files themselves: trying again with the same ones cannot help. */
const UNUSABLE: readonly ErrorCode[] = ['E_MODEL_FILES', 'E_MODEL_UNSUPPORTED', 'E_FORMAT', 'E_HASH']

export class ModelLibrary {
  readonly #store: Store
  readonly #ops: () => Ops
  readonly #hub: Pick<OfferOptions, 'client'>
  readonly #resident = new Map<string, Resident>()
  /** How many calls are waiting for a base to come; it must not go between its arrival and their turn. */
  readonly #wanted = new Map<string, number>()
  readonly #bringing = new SharedWork<Resident>()
  /** What `load` was asked for, until the base is here and its record says it. */
  readonly #precisions = new Map<string, Precision>()
  readonly #budget: (used: number) => MemoryBudget
  /** Counts the devices: a base whose weights began on one must not end on the next. */
  #device = 0

  /**
   * @param hub where the Hub is, other than its own address
   * @param budget what the device has beside `used` bytes; default: all that is asked for
   */
  constructor(
    store: Store,
    ops: () => Ops,
    hub: Pick<OfferOptions, 'client'> = {},
    budget: (used: number) => MemoryBudget = () => ({ backend: 'cpu', bytes: Infinity }),
  ) {
    this.#budget = budget
    this.#store = store
    this.#ops = ops
    this.#hub = hub
  }

  /** Embedded bases first, then those the user brought. */
  async list(): Promise<ModelInfo[]> {
    const stored = await listModels(this.#store)
    const embedded = await embeddedModels().catch(() => [])
    const missing = embedded
      .filter((model) => !stored.some((record) => record.id === model.id))
      .map(embeddedInfo)
    return [...missing, ...stored.map((record) => wholeInfo(record.info))].map((info) => {
      const resident = this.#resident.get(info.id)
      return {
        ...info,
        loaded: resident !== undefined,
        ...(resident && { precision: resident.base.info.precision }),
      }
    })
  }

  /** The parsed config.json of a base in the list. Throws E_NOT_FOUND. */
  async config(id: string): Promise<unknown> {
    const record = await findModel(this.#store, id)
    if (record) return parseJson('config.json', (await textOf(this.#store, record.files, 'config.json'))!)
    await this.#checkKnown(id)
    return (await embeddedModels()).find((model) => model.id === id)!.config
  }

  /** The precision that a base has on the device, or null. */
  precisionOf(id: string): Precision | null {
    return this.#resident.get(id)?.base.info.precision ?? null
  }

  /** What the device has for one more base, all others gone but those that are held. */
  budgetBeside(id: string): MemoryBudget {
    const others = [...this.#resident].filter(([other, { holders }]) => other !== id && holders > 0)
    const used = others.reduce(
      (sum, [, { base }]) =>
        sum + bytesOf({ family: base.family, architecture: base.model.architecture }, base.info.precision),
      0,
    )
    return this.#budget(used)
  }

  /**
   * Brings a base into this browser, if it is not there yet, and onto the device, from which all others go that nobody
   * holds; with another precision than it has there, it is loaded again. Throws E_BUSY where somebody holds it in that
   * other precision; E_NETWORK, E_STORAGE, E_MEMORY, E_ABORTED; E_MODEL_FILES, E_MODEL_UNSUPPORTED, E_FORMAT and E_HASH
   * where the files cannot be used, and then keeps nothing of what it fetched.
   */
  async load(source: ModelSource, options: LoadOptions, context: CallContext): Promise<ModelInfo> {
    const { precision, token } = options
    if (precision !== undefined) checkPrecision(precision)
    // Dropped files are a new model every time; what has a name may be here already, and then needs no network.
    const named = storedId(source)
    const dropped = named === null ? await offer(source) : null
    const id = named ?? dropped!.id
    const find: Find = async ({ signal }) => dropped ?? (await offer(source, { ...this.#hub, token, signal }))
    const bring = () =>
      this.#bring(id, context, find, ({ base }) => {
        this.#unloadOthers(id)
        return base.info
      })
    if (precision === undefined) return bring()
    try {
      for (;;) {
        this.#makeWay(id, precision)
        // Each time: another load may have asked for its own meanwhile.
        this.#precisions.set(id, precision)
        const info = await bring()
        // Another precision where it joined a load that had begun before.
        if (info.precision === precision) return info
      }
    } finally {
      if (this.#precisions.get(id) === precision) this.#precisions.delete(id)
    }
  }

  /** Takes a base off the device that is there in another precision. */
  #makeWay(id: string, precision: Precision): void {
    const resident = this.#resident.get(id)
    if (!resident || resident.base.info.precision === precision) return
    const { info } = resident.base
    if (resident.holders > 0)
      throw new GraftError(
        'E_BUSY',
        `${info.name} is in use as ${info.precision}. Wait for its run or question to end, then load it as ${precision}.`,
        { id, precision: info.precision },
      )
    this.unload(id)
  }

  /**
   * A base for a short look, such as at its tokenizer: its weights may be gone after the next `await`.
   * Loads it if needed. Throws E_NOT_FOUND, and what `load` throws.
   */
  use(id: string, context?: CallContext): Promise<LoadedModel> {
    return this.#bring(id, context, undefined, ({ base }) => base)
  }

  /** A base that stays on the device until `release`. Loads it if needed. Throws E_NOT_FOUND, and what `load` throws. */
  hold(id: string, context?: CallContext): Promise<HeldModel> {
    return this.#bring(id, context, undefined, (resident) => {
      resident.holders++
      let held = true
      const release = () => {
        if (!held) return
        held = false
        resident.holders--
        if (resident.gone && resident.holders === 0) free(resident)
      }
      return { base: resident.base, release }
    })
  }

  /** Removes a base from this browser, and what has arrived of it; work that holds it can end. */
  async remove(id: string): Promise<void> {
    this.#bringing.cancel(id, new GraftError('E_ABORTED', 'The model was removed while it was being loaded.'))
    this.unload(id)
    await removeModel(this.#store, id)
    const repository = /^hub\/(.+)@[^@]*$/.exec(id)?.[1]
    // Keys are the addresses of files: endpoint, repository, commit, name.
    if (repository)
      await dropDownloads(this.#store, ({ key }) => new URL(key).pathname.startsWith(`/${repository}/`))
  }

  /** Takes a base off the device: now, or when its last holder releases it. */
  unload(id: string): void {
    const resident = this.#resident.get(id)
    if (!resident) return
    this.#resident.delete(id)
    resident.gone = true
    if (resident.holders === 0) free(resident)
  }

  /** Takes every base off the device, which is about to change; what is just being loaded fails with E_BUSY. */
  unloadAll(): void {
    this.#device++
    for (const id of [...this.#resident.keys()]) this.unload(id)
  }

  #unloadOthers(id: string): void {
    for (const [other, { holders }] of [...this.#resident])
      if (other !== id && holders === 0 && !this.#wanted.has(other)) this.unload(other)
  }

  /** Gets a base and, before anything else can happen to it, lets `take` have it. */
  async #bring<T>(
    id: string,
    context: CallContext | undefined,
    find: Find | undefined,
    take: (resident: Resident) => T,
  ): Promise<T> {
    this.#wanted.set(id, (this.#wanted.get(id) ?? 0) + 1)
    try {
      for (;;) {
        const resident = this.#resident.get(id) ?? (await this.#arrival(id, context, find))
        // Unloaded again while this call waited for its turn.
        if (!resident.gone) return take(resident)
      }
    } finally {
      const left = this.#wanted.get(id)! - 1
      if (left > 0) this.#wanted.set(id, left)
      else this.#wanted.delete(id)
    }
  }

  async #arrival(id: string, context: CallContext | undefined, find: Find | undefined): Promise<Resident> {
    // Checked before the shared work begins, so that a `load` never joins a look-up that must fail.
    if (!find && !this.#bringing.has(id)) await this.#checkKnown(id)
    return this.#bringing.run(id, context, (shared) =>
      this.#obtain(id, find ?? (() => offer({ builtin: id })), shared),
    )
  }

  /** A built-in base can be asked for by its id at any time, others only when they are stored. */
  async #checkKnown(id: string): Promise<void> {
    if (await findModel(this.#store, id)) return
    const embedded = await embeddedModels().catch(() => [])
    if (!embedded.some((model) => model.id === id))
      throw new GraftError('E_NOT_FOUND', `There is no model "${id}" in this browser. Load it first.`, { id })
  }

  /** From storage onto the device; what is not stored is fetched, in one tab at a time. */
  async #obtain(id: string, find: Find, context: CallContext): Promise<Resident> {
    const known = await findModel(this.#store, id)
    if (known) return this.#open(known, context)
    const lock = await waitForLock(`graft-model/${id}`)
    try {
      throwIfAborted(context.signal)
      const meanwhile = await findModel(this.#store, id)
      if (meanwhile) return await this.#open(meanwhile, context)
      const record = await fetchModel(this.#store, await find(context), context)
      try {
        return await this.#open(record, context)
      } catch (error) {
        const { code, details } = asGraftError(error)
        // A value that does not fit one precision (placeMatrix names its row) may fit another.
        if (UNUSABLE.includes(code) && !('row' in details))
          await removeModel(this.#store, id).catch(() => undefined)
        throw error
      }
    } finally {
      lock.release()
    }
  }

  /** A precision that was asked for, and could be loaded, is the one of the next visits, too. */
  async #remember(record: ModelRecord, precision: Precision): Promise<void> {
    if (this.#precisions.get(record.id) !== precision || record.precision === precision) return
    await setPrecision(this.#store, record.id, precision)
  }

  async #open(record: ModelRecord, context: CallContext): Promise<Resident> {
    const { info, id } = record
    const { signal } = context
    const read = await readModel(this.#store, record, signal)
    const { family, architecture, tokenizer, padId, endIds, weights, bare } = read
    throwIfAborted(signal)
    // Room first: two bases at once may be more than the device has.
    this.#unloadOthers(id)

    const known = { family, architecture }
    const precision =
      this.#precisions.get(id) ?? record.precision ?? estimateFor(known, {}, this.budgetBeside(id)).precision
    const device = this.#device
    const started = performance.now()
    const checkDevice = () => {
      if (device !== this.#device)
        throw new GraftError('E_BUSY', `The backend changed while ${info.name} was loading. Load it again.`)
    }
    const onTensor = (done: number, total: number) => {
      checkDevice()
      context.progress({
        label: `Loading ${info.name}`,
        done,
        total,
        unit: 'items',
        secondsLeft: secondsLeft(started, done, total),
      })
    }
    const settings = { precision, onTensor, ...(signal && { signal }) }
    const model = await loadTransformer(family, architecture, weights, this.#ops(), settings)
    try {
      await this.#remember(record, precision)
      checkDevice()
      throwIfAborted(signal)
    } catch (error) {
      model.dispose()
      releaseFreeBuffers()
      throw error
    }
    const base: LoadedModel = {
      info: { ...wholeInfo(info), context: architecture.context, loaded: true, precision },
      family,
      model,
      tokenizer,
      padId,
      endIds,
      weights,
      bare,
    }
    const resident = { base, holders: 0, gone: false }
    this.#resident.set(id, resident)
    return resident
  }
}

function free({ base }: Resident): void {
  base.model.dispose()
  releaseFreeBuffers()
}
