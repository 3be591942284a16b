// The adapters that were imported: from PEFT's files on the Hub, in a zip, a folder or one by one, checked against their
// base, kept in this browser.
import { planAdapter, type AdapterPlan } from '../../src/core/adapters/plan.ts'
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from '../../src/core/adapters/peft.ts'
import { readPeft, type ImportedAdapter } from '../../src/core/adapters/readPeft.ts'
import { countTrainable } from '../../src/core/adapters/count.ts'
import { readZip } from '../../src/formats/zip.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { AdapterInfo, AdapterSource } from '../../src/protocol/model.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { AdapterConfig } from '../../src/protocol/run.ts'
import {
  getAdapter,
  listAdapters,
  putAdapter,
  readAdapter,
  removeAdapter,
  type StoredTensor,
} from '../../src/store/adapters.ts'
import type { Store } from '../../src/store/database.ts'
import type { HubClient } from './hub/client.ts'
import { fetchRepositoryFiles } from './hub/repository.ts'
import type { LoadedModel, ModelLibrary } from './models.ts'

/** Bytes of an adapter's files together: they are read in memory, and the largest have a few hundred MB. */
const ADAPTER_BYTES_LIMIT = 2 ** 30

/** An adapter as it stands beside its base. */
export interface StoredAdapter {
  info: AdapterInfo
  config: AdapterConfig
  plan: AdapterPlan
  tensors: StoredTensor[]
  /** Of the base that its files name. */
  revision: string | null
}

interface Files {
  files: Map<string, Uint8Array>
  source: AdapterInfo['source']
  /** What to call it where nobody says. */
  name: string
}

export class AdapterLibrary {
  readonly #store: Store
  readonly #models: ModelLibrary
  readonly #changed: () => void
  readonly #client: HubClient | undefined

  /** `changed` is called when the list has. */
  constructor(store: Store, models: ModelLibrary, changed: () => void = () => undefined, client?: HubClient) {
    this.#store = store
    this.#models = models
    this.#changed = changed
    this.#client = client
  }

  /**
   * Takes an adapter in for a base. `labels` name a classifier's classes in their order.
   * Throws E_NOT_FOUND without the base; E_FORMAT, E_MODEL_UNSUPPORTED and E_MODEL_FILES, naming the field or tensor, where
   * the adapter is broken, of another kind or for another base; E_ARGUMENT, E_LIMIT, E_NETWORK, E_HASH, E_STORAGE, E_ABORTED.
   */
  async import(
    model: string,
    source: AdapterSource,
    options: { name?: string; labels?: string[] },
    context: CallContext,
  ): Promise<AdapterInfo> {
    const base = await this.#models.use(model, context)
    const { files, source: from, name } = await this.#files(source, context)
    throwIfAborted(context.signal)
    const adapter = readPeft(files, base.family, base.model.architecture, base.bare)
    const info: AdapterInfo = {
      ...describe(adapter, base),
      id: crypto.randomUUID(),
      name: options.name?.trim() || name,
      model,
      labels: labelsOf(adapter, options.labels),
      bytes: [...files.values()].reduce((sum, { length }) => sum + length, 0),
      createdAt: Date.now(),
      source: from,
      ...(adapter.warnings.length > 0 && { warnings: adapter.warnings }),
    }
    const { config, revision, tensors } = adapter
    await putAdapter(this.#store, { info, config, revision, tensors })
    this.#changed()
    return info
  }

  async list(model?: string): Promise<AdapterInfo[]> {
    return (await listAdapters(this.#store, model)).map(({ info }) => info)
  }

  async remove(id: string): Promise<void> {
    await removeAdapter(this.#store, id)
    this.#changed()
  }

  /** What an adapter is, without its tensors. Throws E_NOT_FOUND, E_ARGUMENT where it is for another base. */
  async describe(id: string, base: LoadedModel): Promise<Omit<StoredAdapter, 'tensors'>> {
    const { info, config, revision } = await getAdapter(this.#store, id)
    checkBase(info, base.info.id)
    const plan = planAdapter(
      base.family,
      base.model.architecture,
      config,
      info.labels?.length ?? null,
      base.bare,
    )
    return { info, config, plan, revision }
  }

  /** An adapter for its base. Throws as `describe`, and E_HASH. */
  async read(id: string, base: LoadedModel): Promise<StoredAdapter> {
    const described = await this.describe(id, base)
    return { ...described, tensors: await readAdapter(this.#store, await getAdapter(this.#store, id)) }
  }

  async #files(source: AdapterSource, context: CallContext): Promise<Files> {
    if ('files' in source) return droppedFiles(source.files, context.signal)
    const { hub, revision, token } = source
    const found = await fetchRepositoryFiles(
      { hub, ...(revision !== undefined && { revision }), ...(token !== undefined && { token }) },
      { required: [ADAPTER_CONFIG, ADAPTER_WEIGHTS] },
      {
        maxBytes: ADAPTER_BYTES_LIMIT,
        signal: context.signal,
        progress: (progress) => context.progress(progress),
        ...(this.#client && { client: this.#client }),
      },
    )
    return { files: found.files, source: { hub, revision: found.revision }, name: hub.split('/').at(-1)! }
  }
}

function checkBase({ name, model }: AdapterInfo, asked: string): void {
  if (model !== asked)
    throw new GraftError(
      'E_ARGUMENT',
      `The adapter ${name} was imported for the base ${model}, not for ${asked}. Import it for that base too.`,
      { model, asked },
    )
}

function describe({ config, task, baseName, plan }: ImportedAdapter, { model }: LoadedModel) {
  const { r, alpha, useDora, useRslora } = config
  const names = [...new Set(plan.layers.map(({ path }) => path.split('.').at(-1)!))]
  const all = new Set(model.linears(task).map(({ path }) => path.split('.').at(-1)!))
  return {
    task,
    r,
    alpha,
    // As people name them; blocks that are left out do not show here.
    targets: names.filter((name) => all.has(name)),
    useDora,
    useRslora,
    parameters: countTrainable(plan, config),
    baseName,
  }
}

/** Names of a classifier's classes, LABEL_0 and so on as transformers has them where nobody names them. */
function labelsOf({ labels: count }: ImportedAdapter, given: string[] | undefined): string[] | null {
  if (count === null) {
    if (given?.length)
      throw new GraftError('E_ARGUMENT', 'This adapter writes text and has no classes. Leave the labels out.')
    return null
  }
  const labels = given ?? Array.from({ length: count }, (_, i) => defaultLabel(i))
  if (labels.length !== count)
    throw new GraftError(
      'E_ARGUMENT',
      `This adapter has ${count} classes, and ${labels.length} labels were given. Name each, in the order of its training.`,
      { classes: count, labels: labels.length },
    )
  if (labels.some((label) => label.trim() === '') || new Set(labels).size < count)
    throw new GraftError('E_ARGUMENT', 'The labels must be different, and none may be empty.')
  return labels
}

const defaultLabel = (index: number) => `LABEL_${index}`

/** Whether nobody has named the classes. */
export function unnamed(labels: readonly string[]): boolean {
  return labels.every((label, i) => label === defaultLabel(i))
}

/** The two files that matter, out of a zip, a folder or files one by one. */
async function droppedFiles(dropped: readonly File[], signal: AbortSignal): Promise<Files> {
  const [first] = dropped
  if (!first)
    throw new GraftError(
      'E_ARGUMENT',
      `Choose ${ADAPTER_CONFIG} and ${ADAPTER_WEIGHTS}, their folder, or a zip of them.`,
    )
  const zip = dropped.find((file) => /\.zip$/i.test(file.name))
  const found = zip
    ? await inZip(zip)
    : dropped.map((file) => ({ name: pathOf(file), bytes: file.size, read: () => bytesOf(file) }))
  const wanted = found.filter(({ name }) => /(^|\/)adapter_(config\.json|model\.[a-z]+)$/.test(name))
  const bytes = wanted.reduce((sum, file) => sum + file.bytes, 0)
  if (bytes > ADAPTER_BYTES_LIMIT)
    throw new GraftError(
      'E_LIMIT',
      `The adapter has ${bytes} bytes, and at most ${ADAPTER_BYTES_LIMIT} are taken.`,
      { bytes, limit: ADAPTER_BYTES_LIMIT },
    )
  const files = new Map<string, Uint8Array>()
  for (const file of wanted) {
    throwIfAborted(signal)
    // A pickle is not opened: its name is enough for the refusal.
    files.set(file.name, /\.(json|safetensors)$/.test(file.name) ? await file.read() : new Uint8Array())
  }
  const folder = pathOf(first).split('/').at(-2)
  return {
    files,
    source: { files: [...files.keys()] },
    name: zip ? zip.name.replace(/\.zip$/i, '') : folder || 'Imported adapter',
  }
}

async function inZip(zip: File): Promise<{ name: string; bytes: number; read(): Promise<Uint8Array> }[]> {
  return [...(await readZip(zip)).values()].map((file) => ({
    name: file.name,
    bytes: file.bytes,
    read: () => file.read(),
  }))
}

async function bytesOf(file: File): Promise<Uint8Array> {
  return new Uint8Array(await file.arrayBuffer())
}

/** The path inside a chosen folder; of a loose file, its name. */
function pathOf(file: File): string {
  return file.webkitRelativePath || file.name
}
