// The library of bases: what is embedded, what is stored in this browser, and what is on the device right now.
import { loadTransformer } from '../../src/core/models/load.ts'
import { countParameters, type Architecture, type Family } from '../../src/core/models/architecture.ts'
import { recogniseModel } from '../../src/core/models/registry.ts'
import type { Transformer } from '../../src/core/models/transformer.ts'
import { openWeights, type ByteFile } from '../../src/core/models/weights.ts'
import { TARGETS } from '../../src/core/nn/block.ts'
import type { Ops } from '../../src/core/ops/ops.ts'
import { loadTokenizer, type TextTokenizer } from '../../src/data/tokenizer.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { ModelInfo, ModelSource, Precision } from '../../src/protocol/model.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import { deleteBlob, readRange, verifyBlob } from '../../src/store/chunks.ts'
import type { ModelFile, ModelRecord, Store } from '../../src/store/database.ts'
import { whileWriting } from '../../src/store/locks.ts'
import {
  findModel,
  listModels,
  putModel,
  readModelFile,
  removeModel,
  writeModelFile,
} from '../../src/store/models.ts'
import { keepStorage } from '../../src/store/quota.ts'
import {
  embeddedModels,
  offer,
  storedId,
  type EmbeddedModel,
  type Offer,
  type OfferedFile,
} from './modelFiles.ts'
import { secondsLeft } from './time.ts'

/** Files that are taken where they exist, besides config.json, tokenizer.json and the weights. */
const OPTIONAL_FILES = ['tokenizer_config.json', 'generation_config.json', 'chat_template.jinja', 'README.md']
const WEIGHTS = 'model.safetensors'
const WEIGHTS_INDEX = 'model.safetensors.index.json'

export interface LoadedModel {
  info: ModelInfo
  family: Family
  model: Transformer
  tokenizer: TextTokenizer
  padId: number
  /** Tokens that end an answer. */
  endIds: ReadonlySet<number>
}

export class ModelLibrary {
  readonly #store: Store
  readonly #ops: () => Ops
  readonly #inUse: () => string[]
  readonly #loaded = new Map<string, LoadedModel>()
  readonly #loading = new Map<string, Promise<LoadedModel>>()

  /** `inUse` names the bases that must stay on the device. */
  constructor(store: Store, ops: () => Ops, inUse: () => string[]) {
    this.#store = store
    this.#ops = ops
    this.#inUse = inUse
  }

  /** Embedded bases first, then those the user brought. */
  async list(): Promise<ModelInfo[]> {
    const stored = await listModels(this.#store)
    const embedded = await embeddedModels().catch(() => [])
    const missing = embedded
      .filter((model) => !stored.some((record) => record.id === model.id))
      .map(embeddedInfo)
    return [...missing, ...stored.map((record) => record.info)].map((info) => ({
      ...info,
      loaded: this.#loaded.has(info.id),
    }))
  }

  /** Brings a base into this browser, if it is not there yet, and onto the device. */
  async load(source: ModelSource, precision: Precision = 'f32', context: CallContext): Promise<ModelInfo> {
    if (precision !== 'f32')
      throw new GraftError('E_ARGUMENT', `Precision "${String(precision)}" is not available. Use "f32".`, {
        precision,
      })
    // What is stored needs no network, not even to look up what is on offer.
    const id = storedId(source)
    const known = id === null ? undefined : await findModel(this.#store, id)
    const record = known ?? (await this.#fetch(await offer(source), context))
    const { info } = await this.use(record.id, context)
    // One base at a time on the device, and the one that is being trained.
    this.unloadAll([info.id, ...this.#inUse()])
    return info
  }

  /** A base on the device; loads it from this browser's storage if needed. Throws E_NOT_FOUND. */
  async use(id: string, context?: CallContext): Promise<LoadedModel> {
    const loaded = this.#loaded.get(id)
    if (loaded) return loaded
    let loading = this.#loading.get(id)
    if (!loading) {
      loading = this.#open(id, context).finally(() => this.#loading.delete(id))
      this.#loading.set(id, loading)
    }
    return loading
  }

  async remove(id: string): Promise<void> {
    this.unload(id)
    await removeModel(this.#store, id)
  }

  unload(id: string): void {
    this.#loaded.get(id)?.model.dispose()
    this.#loaded.delete(id)
  }

  /** Takes every base but `except` off the device. */
  unloadAll(except: readonly string[] = []): void {
    for (const id of [...this.#loaded.keys()]) if (!except.includes(id)) this.unload(id)
  }

  /** Downloads or copies a model's files into IndexedDB; refuses an unsupported one before its weights are fetched. */
  #fetch(offered: Offer, context: CallContext): Promise<ModelRecord> {
    return whileWriting(async () => {
      const { signal } = context
      const need = async (name: string): Promise<OfferedFile> => {
        const file = await offered.find(name, signal)
        if (!file)
          throw new GraftError(
            'E_MODEL_FILES',
            `${offered.name} has no ${name}. A model needs config.json, tokenizer.json and its weights as safetensors.`,
            { file: name },
          )
        return file
      }
      const stored: ModelFile[] = []
      const started = performance.now()
      let doneBytes = 0
      let totalBytes: number | undefined
      const take = async (file: OfferedFile) => {
        const written = await writeModelFile(this.#store, offered.id, file.name, await file.open(signal), {
          signal,
          ...(file.sha256 && { expectedSha256: file.sha256 }),
          ...(file.bytes && { totalBytes: file.bytes }),
        })
        doneBytes += written.bytes
        stored.push(written)
        return written
      }
      const json = async (file: ModelFile) => {
        return parseJson(file.name, await readRange(this.#store, file, 0, file.bytes, file.name))
      }
      const report = (name: string, extra = 0) =>
        context.progress({
          label: `Getting ${name} of ${offered.name}`,
          done: doneBytes + extra,
          ...(totalBytes && {
            total: totalBytes,
            secondsLeft: secondsLeft(started, doneBytes + extra, totalBytes),
          }),
          unit: 'bytes',
        })
      try {
        const config = await json(await take(await need('config.json')))
        const { family, architecture } = recogniseModel(config)
        const weights = await this.#weightFiles(offered, signal, async (file) => json(await take(file)))
        const rest = [await need('tokenizer.json'), ...(await this.#optional(offered, signal)), ...weights]
        if (rest.every((file) => file.bytes))
          totalBytes = doneBytes + rest.reduce((sum, file) => sum + file.bytes!, 0)
        for (const file of rest) {
          report(file.name)
          await take({
            ...file,
            open: async (abort) => counted(await file.open(abort), (bytes) => report(file.name, bytes)),
          })
        }
        report(offered.name)
        const info = await this.#describe(offered, stored, family, architecture)
        const record: ModelRecord = { id: offered.id, createdAt: Date.now(), info, files: stored }
        await putModel(this.#store, record)
        void keepStorage()
        return record
      } catch (error) {
        // Nothing half-downloaded stays.
        await removeModel(this.#store, offered.id)
        for (const file of stored) await deleteBlob(this.#store, file.blob).catch(() => undefined)
        throw error
      }
    })
  }

  async #weightFiles(
    offered: Offer,
    signal: AbortSignal,
    readJson: (file: OfferedFile) => Promise<unknown>,
  ): Promise<OfferedFile[]> {
    const whole = await offered.find(WEIGHTS, signal)
    if (whole) return [whole]
    const indexFile = await offered.find(WEIGHTS_INDEX, signal)
    if (!indexFile)
      throw new GraftError(
        'E_MODEL_FILES',
        `${offered.name} has no weights as safetensors: neither ${WEIGHTS} nor ${WEIGHTS_INDEX}.`,
      )
    const map = ((await readJson(indexFile)) as { weight_map?: Record<string, string> } | null)?.weight_map
    const names = [...new Set(Object.values(map ?? {}))]
    if (names.length === 0) throw new GraftError('E_MODEL_FILES', `${WEIGHTS_INDEX} names no files.`)
    return Promise.all(
      names.map(async (name) => {
        const shard = await offered.find(name, signal)
        if (!shard)
          throw new GraftError('E_MODEL_FILES', `The part ${name} of the weights is missing.`, { file: name })
        return shard
      }),
    )
  }

  async #optional(offered: Offer, signal: AbortSignal): Promise<OfferedFile[]> {
    const found = await Promise.all(OPTIONAL_FILES.map((name) => offered.find(name, signal)))
    return found.filter((file) => file !== undefined)
  }

  async #describe(
    offered: Offer,
    files: ModelFile[],
    family: Family,
    architecture: Architecture,
  ): Promise<ModelInfo> {
    const text = async (name: string) => {
      const file = files.find((candidate) => candidate.name === name)
      return file && new TextDecoder().decode(await readRange(this.#store, file, 0, file.bytes, name))
    }
    const tokenizerConfig = await text('tokenizer_config.json')
    const card = await text('README.md')
    const hasChatTemplate =
      files.some((file) => file.name === 'chat_template.jinja') ||
      (tokenizerConfig !== undefined &&
        'chat_template' in Object(parseJson('tokenizer_config.json', tokenizerConfig)))
    return {
      ...infoOf(offered.id, offered.name, offered.source, family.modelType, architecture),
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      stored: true,
      hasChatTemplate,
      ...(card !== undefined && { card }),
    }
  }

  async #open(id: string, context?: CallContext): Promise<LoadedModel> {
    let record = await findModel(this.#store, id)
    if (!record) {
      // A built-in base can be asked for by its id at any time.
      const known = (await embeddedModels().catch(() => [])).some((model) => model.id === id)
      if (!known)
        throw new GraftError('E_NOT_FOUND', `There is no model "${id}" in this browser. Load it first.`, {
          id,
        })
      const silent: CallContext = { signal: new AbortController().signal, progress: () => undefined }
      record = await this.#fetch(await offer({ builtin: id }), context ?? silent)
    }
    const { info, files } = record
    const text = async (name: string) =>
      new TextDecoder().decode(await readModelFile(this.#store, record, name))
    const has = (name: string) => files.some((file) => file.name === name)
    const { family, architecture } = recogniseModel(parseJson('config.json', await text('config.json')))
    const tokenizerConfig = has('tokenizer_config.json')
      ? parseJson('tokenizer_config.json', await text('tokenizer_config.json'))
      : {}
    const template = has('chat_template.jinja') ? await text('chat_template.jinja') : undefined
    const tokenizer = loadTokenizer(
      parseJson('tokenizer.json', await text('tokenizer.json')),
      tokenizerConfig,
      template,
    )
    const generation = has('generation_config.json')
      ? parseJson('generation_config.json', await text('generation_config.json'))
      : {}

    const started = performance.now()
    const weights: ByteFile[] = []
    for (const file of files.filter(({ name }) => name.endsWith('.safetensors'))) {
      const label = `${file.name} of ${info.name}`
      await verifyBlob(this.#store, file, label)
      weights.push({
        name: file.name,
        bytes: file.bytes,
        read: (begin, end) => readRange(this.#store, file, begin, end, label),
      })
    }
    const model = await loadTransformer(
      family,
      architecture,
      await openWeights(weights),
      this.#ops(),
      (done, total) =>
        context?.progress({
          label: `Loading ${info.name}`,
          done,
          total,
          unit: 'items',
          secondsLeft: secondsLeft(started, done, total),
        }),
      context?.signal,
    )
    if (tokenizer.size > architecture.vocab)
      throw new GraftError(
        'E_MODEL_FILES',
        `The tokenizer has ${tokenizer.size} tokens, but the model only ${architecture.vocab} rows for them. The files do not belong together.`,
      )
    const endIds = new Set([
      ...architecture.eosIds,
      ...idsOf(generation, 'eos_token_id'),
      ...tokenizer.endIds,
    ])
    const loaded: LoadedModel = {
      info: { ...info, loaded: true },
      family,
      model,
      tokenizer,
      padId: tokenizer.padId ?? architecture.padId ?? architecture.eosIds[0] ?? 0,
      endIds,
    }
    this.#loaded.set(id, loaded)
    return loaded
  }
}

function infoOf(
  id: string,
  name: string,
  source: ModelInfo['source'],
  family: string,
  architecture: Architecture,
) {
  return {
    id,
    name,
    family,
    parameters: countParameters(architecture),
    layers: architecture.layers,
    heads: architecture.heads,
    keyValueHeads: architecture.keyValueHeads,
    hidden: architecture.hidden,
    headSize: architecture.headSize,
    intermediate: architecture.intermediate,
    vocab: architecture.vocab,
    context: architecture.context,
    precision: 'f32' as const,
    loaded: false,
    targets: [...TARGETS],
    source,
  }
}

/** An embedded base that has not been downloaded into this browser yet. */
function embeddedInfo(model: EmbeddedModel): ModelInfo {
  const { family, architecture } = recogniseModel(model.config)
  return {
    ...infoOf(model.id, model.name, { builtin: model.id }, family.modelType, architecture),
    bytes: model.files.reduce((sum, file) => sum + file.bytes, 0),
    stored: false,
    hasChatTemplate: model.hasChatTemplate,
    card: model.card,
  }
}

function parseJson(name: string, content: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof content === 'string' ? content : new TextDecoder().decode(content))
  } catch (cause) {
    throw new GraftError(
      'E_MODEL_FILES',
      `${name} is not valid JSON. Was the download cut?`,
      { file: name },
      { cause },
    )
  }
}

function idsOf(json: unknown, field: string): number[] {
  const value: unknown = Object(json)[field]
  return (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isInteger(id))
}

/** Tells how many bytes have passed. */
async function* counted(source: Awaited<ReturnType<OfferedFile['open']>>, onBytes: (bytes: number) => void) {
  let bytes = 0
  for await (const piece of source) {
    bytes += piece.length
    onBytes(bytes)
    yield piece
  }
}
