// A model repository at one commit: whatever is read of it belongs together, whoever pushes to the Hub meanwhile.
import { GraftError, throwIfAborted } from '../../../src/protocol/errors.ts'
import type { Progress } from '../../../src/protocol/progress.ts'
import { checksumOf } from '../../../src/store/checksum.ts'
import type { HubFile } from './answers.ts'
import { HubClient, type HubCall, type HubCommit } from './client.ts'

/** Most bytes that `fetchRepositoryFiles` takes into memory unless told otherwise: the weights of a large adapter. */
const MEMORY_LIMIT = 1024 ** 3

export class HubRepository {
  readonly #files: Map<string, HubFile>

  private constructor(
    readonly client: HubClient,
    /** owner/name */
    readonly id: string,
    readonly commit: HubCommit,
    files: HubFile[],
    readonly token: string | undefined,
  ) {
    this.#files = new Map(files.map((file) => [file.path, file]))
  }

  /** Looks up the commit and its files. Throws E_ARGUMENT, E_NETWORK, E_ABORTED. */
  static async open(
    client: HubClient,
    id: string,
    revision: string,
    { token, signal }: HubCall = {},
  ): Promise<HubRepository> {
    const commit = await client.commit(id, revision, { token, signal })
    const files = await client.files(id, commit.sha, { token, signal })
    return new HubRepository(client, id, commit, files, token)
  }

  /** Names of the files in the root folder. */
  get names(): string[] {
    return [...this.#files.keys()]
  }

  find(name: string): HubFile | undefined {
    return this.#files.get(name)
  }

  /** Identifies the bytes of a file, wherever the branch moves. */
  key(file: HubFile): string {
    return `${this.client.endpoint}/${this.id}/${this.commit.sha}/${file.path}`
  }

  /** The file from a byte on. */
  stream(file: HubFile, from: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    return this.client.open(this.id, this.commit.sha, file, from, file.bytes, { token: this.token, signal })
  }

  /** Bytes `begin` to `end` of a file. */
  range(file: HubFile, begin: number, end: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const call = { token: this.token, signal }
    return this.client.read(this.id, this.commit.sha, file, begin, end, call)
  }

  /** A whole file in memory, its length and checksum checked. Throws E_HASH naming it. */
  async read(
    file: HubFile,
    signal?: AbortSignal,
    onBytes: (bytes: number) => void = () => undefined,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const whole = new Uint8Array(file.bytes)
    const checksum = file.checksum && checksumOf(file.checksum.algorithm, file.bytes)
    let at = 0
    const { id, commit, token } = this
    for await (const piece of this.client.open(id, commit.sha, file, 0, file.bytes, { token, signal })) {
      throwIfAborted(signal)
      whole.set(piece, at)
      checksum?.update(piece)
      at += piece.length
      onBytes(at)
    }
    if (checksum && checksum.hex() !== file.checksum!.hex)
      throw new GraftError(
        'E_HASH',
        `${file.path} of ${id} arrived damaged: its checksum is not the published one. Load it again.`,
        { name: file.path, hub: id },
      )
    return whole
  }
}

export interface RepositoryFiles {
  /** The commit that all files are of. */
  revision: string
  licence: string | null
  files: Map<string, Uint8Array<ArrayBuffer>>
}

/**
 * Some files of a repository, such as an adapter's, in memory: all of one commit, each checked against its published
 * checksum. Optional files that are not there are left out. Throws E_MODEL_FILES naming a required file that is
 * missing, E_LIMIT where they have more than `maxBytes` together, E_NETWORK, E_HASH, E_ABORTED.
 */
export async function fetchRepositoryFiles(
  source: { hub: string; revision?: string; token?: string },
  names: { required: readonly string[]; optional?: readonly string[] },
  options: {
    client?: HubClient
    maxBytes?: number
    signal?: AbortSignal
    progress?: (progress: Progress) => void
  } = {},
): Promise<RepositoryFiles> {
  const { client = new HubClient(), maxBytes = MEMORY_LIMIT, signal, progress } = options
  const { hub, revision = 'main', token } = source
  const repository = await HubRepository.open(client, hub, revision, { token, signal })
  const wanted: HubFile[] = []
  for (const name of [...names.required, ...(names.optional ?? [])]) {
    const file = repository.find(name)
    if (file) wanted.push(file)
    else if (names.required.includes(name))
      throw new GraftError(
        'E_MODEL_FILES',
        `${hub} has no ${name}. It has: ${shownNames(repository.names)}.`,
        { file: name, hub },
      )
  }
  const total = wanted.reduce((sum, file) => sum + file.bytes, 0)
  if (total > maxBytes)
    throw new GraftError(
      'E_LIMIT',
      `The files of ${hub} have ${total} bytes, and at most ${maxBytes} are taken.`,
      { hub, bytes: total, limit: maxBytes },
    )
  const files: RepositoryFiles['files'] = new Map()
  let done = 0
  for (const file of wanted) {
    const onBytes = (bytes: number) =>
      progress?.({ label: `Getting ${file.path} of ${hub}`, done: done + bytes, total, unit: 'bytes' })
    files.set(file.path, await repository.read(file, signal, onBytes))
    done += file.bytes
  }
  const { sha, licence } = repository.commit
  return { revision: sha, licence, files }
}

/** A parsed config.json and the commit it is of, without anything else being downloaded. */
export async function fetchConfig(
  source: { hub: string; revision?: string },
  call: HubCall = {},
  client = new HubClient(),
): Promise<{ config: unknown; revision: string }> {
  const { files, revision } = await fetchRepositoryFiles(
    { ...source, ...(call.token !== undefined && { token: call.token }) },
    { required: ['config.json'] },
    { client, maxBytes: CONFIG_LIMIT, ...(call.signal && { signal: call.signal }) },
  )
  try {
    return { config: JSON.parse(new TextDecoder().decode(files.get('config.json'))) as unknown, revision }
  } catch (cause) {
    throw new GraftError(
      'E_MODEL_FILES',
      `config.json of ${source.hub} is not valid JSON. Choose another model or revision.`,
      { file: 'config.json', hub: source.hub },
      { cause },
    )
  }
}

/** No config.json comes near: one that does is something else. */
const CONFIG_LIMIT = 16 * 1024 * 1024

/** Names for a message: some of them, where there are many. */
export function shownNames(names: readonly string[], most = 12): string {
  const more = names.length > most ? `, and ${names.length - most} more` : ''
  return names.length === 0 ? 'nothing' : names.slice(0, most).join(', ') + more
}
