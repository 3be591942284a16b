// Downloads or copies a model's files into this browser. What Graft cannot use is refused as early as possible: by its
// config.json first, then by its tokenizer, then by the headers of its weights, and only then are the weights fetched.
// A download that was cut, or cancelled, stays and goes on the next time; what cannot be used stays not at all.
import { checkTensors } from '../../src/core/models/tensors.ts'
import type { Architecture, Family } from '../../src/core/models/architecture.ts'
import { recogniseModel } from '../../src/core/models/registry.ts'
import { openWeights } from '../../src/core/models/weights.ts'
import { asGraftError, GraftError, throwIfAborted, type ErrorCode } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import { deleteBlob } from '../../src/store/chunks.ts'
import type { ModelFile, ModelRecord, Store } from '../../src/store/database.ts'
import { download, downloadedBytes, dropDownload, dropOldDownloads } from '../../src/store/downloads.ts'
import { waitForLock, whileWriting } from '../../src/store/locks.ts'
import { putModel, writeModelFile } from '../../src/store/models.ts'
import { keepStorage, requireRoom } from '../../src/store/quota.ts'
import { licenceOf } from './hub/card.ts'
import type { Offer, OfferedFile } from './modelFiles.ts'
import { infoOf, parseJson } from './modelInfo.ts'
import { readTokenizer, textOf } from './readModel.ts'
import { secondsLeft } from './time.ts'
import { WEIGHTS, WEIGHTS_INDEX, weightNames } from './weightFiles.ts'

/** Files that are taken where they exist, besides config.json, tokenizer.json and the weights. */
const OPTIONAL_FILES = [
  'tokenizer_config.json',
  'special_tokens_map.json',
  'generation_config.json',
  'chat_template.jinja',
  'chat_template.json',
  'README.md',
]
/** What transformers kept tokenizers in before. */
const OLD_TOKENIZERS = [
  'tokenizer.model',
  'spiece.model',
  'sentencepiece.bpe.model',
  'vocab.json',
  'vocab.txt',
]
/** Nothing but the weights is larger; what is would only fill the memory. */
const TEXT_LIMIT = 256 * 1024 * 1024
/** After these, what has arrived is of no use: the files are wrong, or there is no room for them. */
const HOPELESS: readonly ErrorCode[] = ['E_MODEL_FILES', 'E_MODEL_UNSUPPORTED', 'E_FORMAT', 'E_STORAGE']

/**
 * Stores a model. If anything fails, or `context.signal` aborts, nothing of it stays, but what has arrived of a
 * resumable download.
 */
export function fetchModel(store: Store, offered: Offer, context: CallContext): Promise<ModelRecord> {
  return whileWriting(async () => {
    // The same commit may be asked for by branch and by name, in two tabs.
    const lock = await waitForLock(`graft-download/${offered.find('config.json')?.key ?? offered.id}`)
    const fetching = new Fetching(store, offered, context)
    try {
      throwIfAborted(context.signal)
      const record = await fetching.run()
      throwIfAborted(context.signal)
      await putModel(store, record, fetching.downloads)
      void keepStorage()
      return record
    } catch (error) {
      await fetching.discard(HOPELESS.includes(asGraftError(error).code))
      throw error
    } finally {
      lock.release()
    }
  })
}

class Fetching {
  /** Keys of the files that are downloads of their own until the model takes them over. */
  readonly downloads: string[] = []
  readonly #stored: ModelFile[] = []
  readonly #started = performance.now()
  #doneBytes = 0
  #totalBytes: number | undefined
  /** Bytes that were here before: they say nothing about the pace. */
  #foundBytes = 0

  constructor(
    readonly store: Store,
    readonly offered: Offer,
    readonly context: CallContext,
  ) {}

  async run(): Promise<ModelRecord> {
    const { store, offered, context } = this
    const stored = this.#stored
    const config = await this.#takeJson(this.#need('config.json'))
    const { family, architecture } = recogniseModel(config)
    const weights = await this.#weightFiles()
    const optional = OPTIONAL_FILES.map((name) => offered.find(name)).filter((file) => file !== undefined)
    const texts = [this.#need('tokenizer.json'), ...optional]
    const rest = [...texts, ...weights]
    if (rest.every((file) => file.bytes !== undefined))
      this.#totalBytes = this.#doneBytes + rest.reduce((sum, file) => sum + file.bytes!, 0)
    for (const file of texts) await this.#take(file)
    await readTokenizer(store, stored, architecture)
    await this.#checkHeaders(weights, family, architecture)
    await this.#checkRoom(weights)
    for (const file of weights) await this.#take(file)
    this.#report(offered.name)
    throwIfAborted(context.signal)

    const card = await textOf(store, stored, 'README.md')
    const licence = offered.licence ?? licenceOf(card)
    const info = {
      ...infoOf(offered.id, offered.name, offered.source, { family, architecture }),
      bytes: stored.reduce((sum, file) => sum + file.bytes, 0),
      stored: true,
      hasChatTemplate: await this.#hasChatTemplate(),
      ...(licence !== undefined && { licence }),
      ...(card !== undefined && { card }),
    }
    return { id: offered.id, createdAt: Date.now(), info, files: stored }
  }

  /** Removes what this call has written; what can be resumed only if it is of no use. */
  async discard(hopeless: boolean): Promise<void> {
    const { store } = this
    // Only what this call has written: the model of the same id may be somebody else's.
    for (const file of this.#stored)
      if (!this.offered.find(file.name)?.key) await deleteBlob(store, file.blob).catch(() => undefined)
    if (hopeless) for (const key of this.downloads) await dropDownload(store, key).catch(() => undefined)
  }

  #need(name: string): OfferedFile {
    const file = this.offered.find(name)
    if (!file)
      throw new GraftError('E_MODEL_FILES', `${this.offered.name} has no ${name}. ${this.#adviceOn(name)}`, {
        file: name,
      })
    return file
  }

  #adviceOn(name: string): string {
    const older = OLD_TOKENIZERS.find((old) => this.offered.names.includes(old))
    if (name === 'tokenizer.json' && older)
      return `It has its tokenizer as ${older}: save it again with AutoTokenizer.from_pretrained(…).save_pretrained(…), which writes tokenizer.json.`
    return 'A model needs config.json, tokenizer.json and its weights as safetensors.'
  }

  async #weightFiles(): Promise<OfferedFile[]> {
    const { offered } = this
    const indexFile = offered.find(WEIGHTS) ? undefined : offered.find(WEIGHTS_INDEX)
    const index = indexFile && (await this.#takeJson(indexFile))
    return weightNames(offered.name, offered.names, index).map((name) => this.#need(name))
  }

  /** Compares the tensors' names and shapes with config.json, where that takes only some bytes of each file. */
  async #checkHeaders(files: OfferedFile[], family: Family, architecture: Architecture): Promise<void> {
    if (!files.every(({ read, bytes }) => read && bytes !== undefined)) return
    const { signal } = this.context
    const parts = files.map((file) => ({
      name: file.name,
      bytes: file.bytes!,
      read: (begin: number, end: number) => file.read!(begin, end, signal),
    }))
    checkTensors(family, architecture, await openWeights(parts))
    throwIfAborted(signal)
  }

  /** Refuses before the first byte of the weights where they do not fit. */
  async #checkRoom(files: OfferedFile[]): Promise<void> {
    let needed = 0
    for (const file of files)
      needed += (file.bytes ?? 0) - (file.key ? await downloadedBytes(this.store, file.key) : 0)
    const need = (freed: number) => requireRoom(Math.max(0, needed - freed), this.offered.name)
    await need(0).catch(async () => {
      const keep = files.flatMap(({ key }) => key ?? [])
      await need(await dropOldDownloads(this.store, [...this.downloads, ...keep]))
    })
  }

  async #take(file: OfferedFile): Promise<ModelFile> {
    const { signal } = this.context
    if (!file.name.endsWith('.safetensors') && (file.bytes ?? 0) > TEXT_LIMIT)
      throw new GraftError(
        'E_MODEL_FILES',
        `${file.name} of ${this.offered.name} has ${file.bytes} bytes; at most ${TEXT_LIMIT} are taken.`,
        { file: file.name, bytes: file.bytes, limit: TEXT_LIMIT },
      )
    this.#report(file.name)
    const written = file.key ? await this.#download(file, file.key) : await this.#copy(file)
    this.#doneBytes += written.bytes
    this.#stored.push(written)
    throwIfAborted(signal)
    return written
  }

  async #copy(file: OfferedFile): Promise<ModelFile> {
    const { signal } = this.context
    const source = counted(await file.open(signal), (bytes) => this.#report(file.name, bytes))
    return writeModelFile(this.store, this.offered.id, file.name, source, {
      signal,
      ...(file.checksum?.algorithm === 'sha256' && { expectedSha256: file.checksum.hex }),
      ...(file.bytes !== undefined && { totalBytes: file.bytes }),
    })
  }

  /** The rest of a file, if a part of it is here. */
  async #download(file: OfferedFile, key: string): Promise<ModelFile> {
    const { signal } = this.context
    this.downloads.push(key)
    this.#foundBytes += await downloadedBytes(this.store, key)
    const entry = await download(this.store, key, {
      bytes: file.bytes!,
      ...(file.checksum && { checksum: file.checksum }),
      signal,
      onBytes: (bytes) => this.#report(file.name, bytes),
      open: (from) => file.open(signal, from),
    })
    return { name: file.name, ...entry }
  }

  async #takeJson(file: OfferedFile): Promise<unknown> {
    await this.#take(file)
    return parseJson(file.name, (await textOf(this.store, this.#stored, file.name))!)
  }

  async #hasChatTemplate(): Promise<boolean> {
    if (this.#stored.some(({ name }) => name.startsWith('chat_template.'))) return true
    const config = await textOf(this.store, this.#stored, 'tokenizer_config.json')
    return config !== undefined && 'chat_template' in Object(parseJson('tokenizer_config.json', config))
  }

  #report(name: string, extra = 0): void {
    const done = this.#doneBytes + extra
    const total = this.#totalBytes
    const found = Math.min(this.#foundBytes, done)
    this.context.progress({
      label: `Getting ${name} of ${this.offered.name}`,
      done,
      ...(total && { total, secondsLeft: secondsLeft(this.#started, done - found, total - found) }),
      unit: 'bytes',
    })
  }
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
