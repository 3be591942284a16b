// The origin private file system in memory, as far as the store uses it, with the faults that matter: it has no room left, a file is
// held by whoever writes it.

interface AccessHandle {
  write(bytes: Uint8Array, options: { at: number }): number
  read(bytes: Uint8Array, options: { at: number }): number
  close(): void
}

class PrivateFile {
  bytes = new Uint8Array(0)
  held = false
  readers = 0
  constructor(private readonly system: PrivateFiles) {}

  getFile(): Promise<Blob> {
    return Promise.resolve(new Blob([this.bytes]))
  }

  createSyncAccessHandle({ mode }: { mode?: 'read-only' } = {}): Promise<AccessHandle> {
    const reads = mode === 'read-only'
    if (this.held || (this.readers > 0 && !reads))
      return Promise.reject(new DOMException('held', 'NoModificationAllowedError'))
    if (reads) this.readers++
    else this.held = true
    return Promise.resolve({
      write: (bytes, { at }) => {
        const taken = bytes.subarray(0, Math.max(0, this.system.room))
        this.system.room -= taken.length
        const grown = new Uint8Array(Math.max(this.bytes.length, at + taken.length))
        grown.set(this.bytes)
        grown.set(taken, at)
        this.bytes = grown
        return taken.length
      },
      read: (bytes, { at }) => {
        const found = this.bytes.subarray(at, at + bytes.length)
        bytes.set(found)
        return found.length
      },
      close: () => {
        if (reads) this.readers--
        else this.held = false
      },
    })
  }
}

class PrivateFolder {
  readonly files = new Map<string, PrivateFile>()
  constructor(private readonly system: PrivateFiles) {}

  getFileHandle(name: string, { create = false } = {}): Promise<PrivateFile> {
    const file = this.files.get(name) ?? (create ? new PrivateFile(this.system) : undefined)
    if (!file) return Promise.reject(new DOMException(name, 'NotFoundError'))
    this.files.set(name, file)
    return Promise.resolve(file)
  }

  removeEntry(name: string): Promise<void> {
    const file = this.files.get(name)
    if (!file) return Promise.reject(new DOMException(name, 'NotFoundError'))
    if (file.held || file.readers > 0)
      return Promise.reject(new DOMException(name, 'NoModificationAllowedError'))
    this.files.delete(name)
    return Promise.resolve()
  }

  async *keys(): AsyncGenerator<string> {
    for (const name of [...this.files.keys()]) yield await Promise.resolve(name)
  }
}

export class PrivateFiles {
  /** Bytes that can still be written. */
  room = Infinity
  readonly #folders = new Map<string, PrivateFolder>()

  /** What `navigator.storage.getDirectory` gives. */
  readonly root = {
    getDirectoryHandle: (name: string, { create = false } = {}): Promise<PrivateFolder> => {
      const folder = this.#folders.get(name) ?? (create ? new PrivateFolder(this) : undefined)
      if (!folder) return Promise.reject(new DOMException(name, 'NotFoundError'))
      this.#folders.set(name, folder)
      return Promise.resolve(folder)
    },
  }

  /** All files, of whichever folder. */
  get all(): PrivateFile[] {
    return [...this.#folders.values()].flatMap(({ files }) => [...files.values()])
  }

  /** Whoever wrote files is gone. */
  release(): void {
    for (const file of this.all) file.held = false
  }
}
