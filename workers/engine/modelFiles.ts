// Where a base's files come from: the embedded models beside the site, the Hub, or files from the user's disk.
import { asGraftError, GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { ModelInfo, ModelSource } from '../../src/protocol/model.ts'
import { pieces, type ByteSource } from '../../src/store/chunks.ts'

/** A file of a model that is not yet in this browser. */
export interface OfferedFile {
  name: string
  /** Absent where the server does not say. */
  bytes?: number
  /** The published checksum, where there is one. */
  sha256?: string
  open(signal: AbortSignal): Promise<ByteSource>
}

/** A model on offer: small files at once, weights later. */
export interface Offer {
  id: string
  name: string
  source: ModelInfo['source']
  /** Finds a file by its name; undefined where there is none. */
  find(name: string, signal: AbortSignal): Promise<OfferedFile | undefined>
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

const HUB = 'https://huggingface.co'

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

export async function offer(source: ModelSource): Promise<Offer> {
  if ('builtin' in source) return embeddedOffer(source.builtin)
  if ('hub' in source) return hubOffer(source.hub, source.revision ?? 'main')
  return fileOffer(source.files)
}

async function embeddedOffer(id: string): Promise<Offer> {
  const models = await embeddedModels()
  const model = models.find((known) => known.id === id)
  if (!model)
    throw new GraftError(
      'E_NOT_FOUND',
      `There is no built-in model "${id}". There is: ${models.map((known) => known.id).join(', ')}.`,
      { id },
    )
  return {
    id,
    name: model.name,
    source: { builtin: id },
    find(name) {
      const file = model.files.find((candidate) => candidate.name === name)
      const url = new URL(`models/${id}/${name}`, siteRoot())
      return Promise.resolve(file && { ...file, open: (signal) => download(url, signal) })
    },
  }
}

function hubOffer(repository: string, revision: string): Offer {
  if (!/^[\w.-]+(\/[\w.-]+)?$/.test(repository))
    throw new GraftError(
      'E_ARGUMENT',
      `"${repository}" is not the id of a model on the Hub. Ids look like owner/name.`,
      { hub: repository },
    )
  return {
    id: storedId({ hub: repository, revision })!,
    name: repository.split('/').pop()!,
    source: { hub: repository, revision },
    async find(name, signal) {
      const url = new URL(`${HUB}/${repository}/resolve/${encodeURIComponent(revision)}/${name}`)
      const response = await fetchOk(url, { method: 'HEAD', signal }, true)
      if (!response) return undefined
      const bytes = Number(response.headers.get('x-linked-size') ?? response.headers.get('content-length'))
      return { name, ...(bytes > 0 && { bytes }), open: (abort) => download(url, abort) }
    },
  }
}

function fileOffer(files: readonly File[]): Offer {
  const config = files.find((file) => file.name === 'config.json')
  if (!config)
    throw new GraftError(
      'E_MODEL_FILES',
      `No config.json among the ${files.length} files. Choose the whole folder of a Hugging Face model: config.json, tokenizer.json and *.safetensors.`,
    )
  // The folder's name, where the browser tells it, is the model's.
  const folder = config.webkitRelativePath?.split('/').at(-2)
  return {
    id: `files/${crypto.randomUUID()}`,
    name: folder || 'Local model',
    source: { files: files.map((file) => file.name) },
    find(name) {
      const file = files.find((candidate) => candidate.name === name)
      return Promise.resolve(
        file && { name, bytes: file.size, open: () => Promise.resolve(pieces(file.stream())) },
      )
    },
  }
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

function fetchOk(url: URL, init: RequestInit): Promise<Response>
function fetchOk(url: URL, init: RequestInit, optional: true): Promise<Response | null>
async function fetchOk(url: URL, init: RequestInit, optional = false): Promise<Response | null> {
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
  if (response.status === 404 && optional) return null
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
  if (status === 401 || status === 403) return ' This model needs a permission that Graft has not.'
  if (status === 429) return ' Too many requests: wait a minute, then try again.'
  return ' Try again later.'
}
