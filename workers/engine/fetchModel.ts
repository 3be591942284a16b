// Downloads or copies a model's files into this browser. What Graft cannot use is refused as early as possible: by its
// config.json first, then by its tokenizer, and only then are the weights fetched.
import { recogniseModel } from '../../src/core/models/registry.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import { deleteBlob } from '../../src/store/chunks.ts'
import type { ModelFile, ModelRecord, Store } from '../../src/store/database.ts'
import { whileWriting } from '../../src/store/locks.ts'
import { putModel, writeModelFile } from '../../src/store/models.ts'
import { keepStorage } from '../../src/store/quota.ts'
import type { Offer, OfferedFile } from './modelFiles.ts'
import { infoOf, parseJson } from './modelInfo.ts'
import { readTokenizer, textOf } from './readModel.ts'
import { secondsLeft } from './time.ts'

/** Files that are taken where they exist, besides config.json, tokenizer.json and the weights. */
const OPTIONAL_FILES = ['tokenizer_config.json', 'generation_config.json', 'chat_template.jinja', 'README.md']
const WEIGHTS = 'model.safetensors'
const WEIGHTS_INDEX = 'model.safetensors.index.json'
/** Parts that a model's weights may come in: more would be a request for each of them, and no model has so many. */
const MAX_PARTS = 1000

/** Stores a model. If anything fails, or `context.signal` aborts, nothing of it stays. */
export function fetchModel(store: Store, offered: Offer, context: CallContext): Promise<ModelRecord> {
  return whileWriting(async () => {
    const stored: ModelFile[] = []
    try {
      const record = await new Fetching(store, offered, context, stored).run()
      throwIfAborted(context.signal)
      await putModel(store, record)
      void keepStorage()
      return record
    } catch (error) {
      // Only what this call has written: the model of the same id may be somebody else's.
      for (const file of stored) await deleteBlob(store, file.blob).catch(() => undefined)
      throw error
    }
  })
}

class Fetching {
  readonly #started = performance.now()
  #doneBytes = 0
  #totalBytes: number | undefined

  constructor(
    readonly store: Store,
    readonly offered: Offer,
    readonly context: CallContext,
    /** Filled as files are written. */
    readonly stored: ModelFile[],
  ) {}

  async run(): Promise<ModelRecord> {
    const { store, offered, stored } = this
    const config = await this.#takeJson(await this.#need('config.json'))
    const { architecture } = recogniseModel(config)
    const weights = await this.#weightFiles()
    const texts = [await this.#need('tokenizer.json'), ...(await this.#optional())]
    const rest = [...texts, ...weights]
    if (rest.every((file) => file.bytes))
      this.#totalBytes = this.#doneBytes + rest.reduce((sum, file) => sum + file.bytes!, 0)
    for (const file of texts) await this.#take(file)
    await readTokenizer(store, stored, architecture)
    for (const file of weights) await this.#take(file)
    this.#report(offered.name)

    const tokenizerConfig = await textOf(store, stored, 'tokenizer_config.json')
    const card = await textOf(store, stored, 'README.md')
    const hasChatTemplate =
      stored.some((file) => file.name === 'chat_template.jinja') ||
      (tokenizerConfig !== undefined &&
        'chat_template' in Object(parseJson('tokenizer_config.json', tokenizerConfig)))
    const info = {
      ...infoOf(offered.id, offered.name, offered.source, architecture),
      bytes: stored.reduce((sum, file) => sum + file.bytes, 0),
      stored: true,
      hasChatTemplate,
      ...(card !== undefined && { card }),
    }
    return { id: offered.id, createdAt: Date.now(), info, files: stored }
  }

  async #need(name: string): Promise<OfferedFile> {
    const file = await this.offered.find(name, this.context.signal)
    if (!file)
      throw new GraftError(
        'E_MODEL_FILES',
        `${this.offered.name} has no ${name}. A model needs config.json, tokenizer.json and its weights as safetensors.`,
        { file: name },
      )
    return file
  }

  async #optional(): Promise<OfferedFile[]> {
    const found = await Promise.all(
      OPTIONAL_FILES.map((name) => this.offered.find(name, this.context.signal)),
    )
    return found.filter((file) => file !== undefined)
  }

  async #weightFiles(): Promise<OfferedFile[]> {
    const { offered, context } = this
    const whole = await offered.find(WEIGHTS, context.signal)
    if (whole) return [whole]
    const indexFile = await offered.find(WEIGHTS_INDEX, context.signal)
    if (!indexFile)
      throw new GraftError(
        'E_MODEL_FILES',
        `${offered.name} has no weights as safetensors: neither ${WEIGHTS} nor ${WEIGHTS_INDEX}.`,
      )
    const map: unknown = Object(await this.#takeJson(indexFile)).weight_map
    const names = [...new Set<unknown>(Object.values(Object(map)))]
    if (names.length === 0 || names.length > MAX_PARTS || !names.every(isWeightsName))
      throw new GraftError(
        'E_MODEL_FILES',
        `${WEIGHTS_INDEX} does not name from 1 to ${MAX_PARTS} files that end in .safetensors.`,
        { file: WEIGHTS_INDEX },
      )
    return Promise.all(
      names.map(async (name) => {
        const part = await offered.find(name, context.signal)
        if (!part)
          throw new GraftError('E_MODEL_FILES', `The part ${name} of the weights is missing.`, { file: name })
        return part
      }),
    )
  }

  async #take(file: OfferedFile): Promise<ModelFile> {
    const { signal } = this.context
    this.#report(file.name)
    const source = counted(await file.open(signal), (bytes) => this.#report(file.name, bytes))
    const written = await writeModelFile(this.store, this.offered.id, file.name, source, {
      signal,
      ...(file.sha256 && { expectedSha256: file.sha256 }),
      ...(file.bytes && { totalBytes: file.bytes }),
    })
    this.#doneBytes += written.bytes
    this.stored.push(written)
    return written
  }

  async #takeJson(file: OfferedFile): Promise<unknown> {
    await this.#take(file)
    return parseJson(file.name, (await textOf(this.store, this.stored, file.name))!)
  }

  #report(name: string, extra = 0): void {
    const done = this.#doneBytes + extra
    const total = this.#totalBytes
    this.context.progress({
      label: `Getting ${name} of ${this.offered.name}`,
      done,
      ...(total && { total, secondsLeft: secondsLeft(this.#started, done, total) }),
      unit: 'bytes',
    })
  }
}

function isWeightsName(name: unknown): name is string {
  return typeof name === 'string' && /^[\w.-]+\.safetensors$/.test(name)
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
