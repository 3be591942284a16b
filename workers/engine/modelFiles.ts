// Where a base's files come from: the embedded models beside the site, the Hub, or files from the user's disk.
import { asGraftError, GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { ModelInfo, ModelSource } from '../../src/protocol/model.ts'
import type { Checksum } from '../../src/store/checksum.ts'
import { pieces, type ByteSource } from '../../src/store/chunks.ts'
import { droppedFiles, type DroppedFile } from './droppedFiles.ts'
import type { HubFile } from './hub/answers.ts'
import { HubClient, type HubCall } from './hub/client.ts'
import { HubRepository } from './hub/repository.ts'

/** A file of a model that is not yet in this browser. */
export interface OfferedFile {
  name: string
  /** Absent where the server does not say. */
  bytes?: number
  /** The published checksum, where there is one. */
  checksum?: Checksum
  /** Identifies these very bytes, so that what was cut can go on later; then `open` takes a beginning. */
  key?: string
  open(signal: AbortSignal, from?: number): Promise<ByteSource>
  /** Bytes `begin` to `end`, where a part can be had without the whole. */
  read?(begin: number, end: number, signal: AbortSignal): Promise<Uint8Array>
}

/** A model on offer: small files at once, weights later. */
export interface Offer {
  id: string
  name: string
  source: ModelInfo['source']
  licence?: string
  /** The names of all its files. */
  names: readonly string[]
  /** Finds a file by its name; undefined where there is none. */
  find(name: string): OfferedFile | undefined
}

/** How to get at a source that is not here yet. */
export interface OfferOptions extends HubCall {
  client?: HubClient
}

/** One embedded model of public/models/index.json. */
export interface EmbeddedModel {
  id: string
  name: string
  config: unknown
  hasChatTemplate: boolean
  /** The model card, Markdown. */
  card: string
  files: { name: string; bytes: number; sha256: string }[]
}

let index: Promise<EmbeddedModel[]> | null = null

/** The bases that come with the site. */
export function embeddedModels(): Promise<EmbeddedModel[]> {
  index ??= fetchIndex(new URL('models/index.json', siteRoot()))
  // A failed look is repeated next time.
  index.catch(() => (index = null))
  return index
}

async function fetchIndex(url: URL): Promise<EmbeddedModel[]> {
  const response = await fetchOk(url, {})
  let text: string
  try {
    text = await response.text()
  } catch (cause) {
    throw cut(url, cause)
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // Hosts answer with a page of theirs where a file is missing.
    json = null
  }
  const models: unknown = Object(json).models
  if (!Array.isArray(models))
    throw new GraftError(
      'E_NETWORK',
      `${url.host} answered ${url.pathname} with something that is not the list of built-in models. Reload the page; if that does not help, the site is not completely installed.`,
      { url: url.href },
    )
  return models as EmbeddedModel[]
}

/** The address of the site: this worker's script is in its assets folder (or, in development, at its root). */
function siteRoot(): URL {
  return new URL(import.meta.env.BASE_URL, self.location.origin)
}

/** The id under which a source is stored; null for files, which are always new. */
export function storedId(source: ModelSource): string | null {
  if ('builtin' in source) return source.builtin
  if ('hub' in source) return `hub/${source.hub}@${source.revision ?? 'main'}`
  return null
}

/** Throws E_NOT_FOUND, E_ARGUMENT, E_MODEL_FILES, E_NETWORK, E_ABORTED. */
export async function offer(source: ModelSource, options: OfferOptions = {}): Promise<Offer> {
  if ('builtin' in source) return embeddedOffer(source.builtin)
  if ('hub' in source) return hubOffer(source.hub, source.revision ?? 'main', options)
  return fileOffer(source.files)
}

async function embeddedOffer(id: string): Promise<Offer> {
  const models = await embeddedModels()
  const model = models.find((known) => known.id === id)
  if (!model)
    throw new GraftError(
      'E_NOT_FOUND',
      `There is no model "${id}" in this browser or built in. Built in: ${models.map((known) => known.id).join(', ')}.`,
      { id },
    )
  return {
    id,
    name: model.name,
    source: { builtin: id },
    names: model.files.map((file) => file.name),
    find(name) {
      const file = model.files.find((candidate) => candidate.name === name)
      const url = new URL(`models/${id}/${name}`, siteRoot())
      return (
        file && {
          name,
          bytes: file.bytes,
          checksum: { algorithm: 'sha256', hex: file.sha256 },
          open: (signal) => download(url, signal),
        }
      )
    },
  }
}

async function hubOffer(id: string, revision: string, options: OfferOptions): Promise<Offer> {
  const { client = new HubClient(), ...call } = options
  const repository = await HubRepository.open(client, id, revision, call)
  const { sha, licence } = repository.commit
  const offered = (file: HubFile): OfferedFile => ({
    name: file.path,
    bytes: file.bytes,
    ...(file.checksum && { checksum: file.checksum }),
    key: repository.key(file),
    open: (signal, from = 0) => Promise.resolve(repository.stream(file, from, signal)),
    read: (begin, end, signal) => repository.range(file, begin, end, signal),
  })
  return {
    id: storedId({ hub: id, revision })!,
    name: id.split('/').pop()!,
    // The commit, not the branch: what is here stays what it was called when it came.
    source: { hub: id, revision: sha },
    ...(licence !== null && { licence }),
    names: repository.names,
    find(name) {
      const file = repository.find(name)
      return file && offered(file)
    },
  }
}

async function fileOffer(chosen: readonly File[]): Promise<Offer> {
  const { files: dropped, zip } = await droppedFiles(chosen)
  const files = besideConfig(dropped)
  // The name of the folder or the zip, where there is one, is the model's.
  const folder = files.get('config.json')!.path.split('/').at(-2)
  return {
    id: `files/${crypto.randomUUID()}`,
    name: folder || zip || 'Local model',
    source: { files: [...files.keys()] },
    names: [...files.keys()],
    find: (name) => files.get(name),
  }
}

/** The files in the folder of config.json, by name: a dropped folder may hold checkpoints with files of their own. */
function besideConfig(files: readonly DroppedFile[]): Map<string, DroppedFile> {
  const depth = ({ path }: DroppedFile) => path.split('/').length
  const configs = files.filter((file) => file.name === 'config.json').sort((a, b) => depth(a) - depth(b))
  const [config, second] = configs
  if (!config)
    throw new GraftError(
      'E_MODEL_FILES',
      `No config.json among the ${files.length} files. Choose the whole folder of a Hugging Face model: config.json, tokenizer.json and *.safetensors.`,
    )
  if (second && depth(second) === depth(config))
    throw new GraftError(
      'E_MODEL_FILES',
      `There are several models: ${config.path} and ${second.path}. Choose one folder.`,
    )
  const folder = config.path.slice(0, -'config.json'.length)
  return new Map(files.filter(({ path, name }) => path === folder + name).map((file) => [file.name, file]))
}

async function download(url: URL, signal: AbortSignal): Promise<ByteSource> {
  const response = await fetchOk(url, { signal })
  if (!response.body)
    throw new GraftError('E_NETWORK', `${url.host} sent an empty answer for ${url.pathname}. Try again.`)
  return arriving(url, response.body, signal)
}

/** The pieces of a download, whose failures are told as such. */
async function* arriving(url: URL, body: ReadableStream<Uint8Array>, signal: AbortSignal) {
  try {
    yield* pieces(body)
  } catch (cause) {
    throwIfAborted(signal)
    throw cut(url, cause)
  }
}

/** A connection that ended too early, as E_NETWORK; an abort as E_ABORTED. */
function cut(url: URL, cause: unknown): GraftError {
  if (cause instanceof Error && cause.name === 'AbortError') return asGraftError(cause)
  return new GraftError(
    'E_NETWORK',
    `The download of ${url.pathname.split('/').at(-1)} was cut. Try again.`,
    { url: url.href },
    { cause },
  )
}

async function fetchOk(url: URL, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, init)
  } catch (cause) {
    throwIfAborted(init.signal ?? undefined)
    throw new GraftError(
      'E_NETWORK',
      `${url.host} cannot be reached. Check the connection, then try again.`,
      { url: url.href },
      { cause },
    )
  }
  if (!response.ok)
    throw new GraftError(
      'E_NETWORK',
      `${url.host} answered ${response.status} for ${url.pathname}.${advice(response.status)}`,
      { url: url.href, status: response.status },
    )
  return response
}

function advice(status: number): string {
  if (status === 404) return ' Check the name.'
  if (status === 429) return ' Too many requests: wait a minute, then try again.'
  return ' Try again later.'
}
