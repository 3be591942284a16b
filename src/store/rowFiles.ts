// Rows in files of the origin private file system (https://fs.spec.whatwg.org), where the browser has one: a database compresses
// what it keeps and copies it between processes, a file takes the bytes as they are. Only the places of the batches are records
// of the database, and a list of the files; both are written around the bytes so that whatever is interrupted leaves a file that the
// next start takes away (sweep.ts). A file is written once, by one import, and never changed.
import type { ByteRows } from '../protocol/byteRows.ts'
import { GraftError } from '../protocol/errors.ts'
import type { FiledRows, RowBatch, Store } from './database.ts'
import { guarded } from './quota.ts'
import { batchRows, sizeOfBatch, type RowChunk } from './rowChunk.ts'
import { BATCH_ROWS } from './rowLimits.ts'

/** A file that is being written. */
export interface RowFile {
  /** Adds the batches of a chunk, at once. Throws E_STORAGE. */
  write(chunk: RowChunk): Promise<void>
  /** Ends the file and makes its batches rows of the dataset. Throws E_STORAGE. */
  finish(): Promise<void>
}

/** Milliseconds for which a file stays open after it was read: as long as it is, nobody can remove it. */
const HELD_MS = 500
/** Milliseconds between two attempts to remove a file that is held, and the attempts. */
const REMOVE_EVERY = 50
const REMOVE_ATTEMPTS = 30

/**
 * A new file for the rows of a dataset from number `first` on; null where the browser has no such files (some private windows)
 * or the thread is no dedicated worker. Hold `whileWriting` until the dataset's record is written.
 */
export async function openRowFile(store: Store, dataset: string, first: number): Promise<RowFile | null> {
  const folder = await rowFolder(store, true)
  if (!folder) return null
  const file = crypto.randomUUID()
  await guarded(() => store.main.rowFiles.add({ file, dataset, first }))
  const access = await accessTo(folder, file)
  if (!access) {
    await removeRowFiles(store, [file])
    return null
  }
  const records: RowBatch[] = []
  let length = 0
  return {
    write: ({ buffer, length: bytes, batches }) =>
      guarded(async () => {
        const written = access.write(new Uint8Array(buffer, 0, bytes), { at: length })
        // A file system that is full takes less.
        if (written < bytes) throw new DOMException('The file could not grow.', 'QuotaExceededError')
        for (const { start, ...place } of batches)
          records.push({ dataset, batch: start / BATCH_ROWS, file, ...place, at: length + place.at })
        length += bytes
        return Promise.resolve()
      }, bytes),
    finish: async () => {
      await guarded(async () => {
        access.close()
        await store.main.rows.bulkPut(records)
      })
    },
  }
}

/** The rows of batches that are in files. Throws E_STORAGE where a file is gone or damaged. */
export async function readFiledRows(store: Store, batches: readonly FiledRows[]): Promise<ByteRows[]> {
  const found: ByteRows[] = []
  for (let i = 0; i < batches.length;) {
    // Neighbours are read at once.
    const { file, at } = batches[i]!
    let end = at
    const run: FiledRows[] = []
    for (; i < batches.length && batches[i]!.file === file && batches[i]!.at === end; i++) {
      run.push(batches[i]!)
      end += sizeOfBatch(batches[i]!)
    }
    const buffer = await readBytes(store, file, at, end)
    for (const batch of run) found.push(checked(batchRows(buffer, { ...batch, at: batch.at - at }), file))
  }
  return found
}

/** Removes files and their records; a file that somebody holds stays for the sweep. */
export async function removeRowFiles(store: Store, files: readonly string[]): Promise<void> {
  if (files.length === 0) return
  await guarded(() => store.main.rowFiles.bulkDelete([...files]))
  const folder = await rowFolder(store, false)
  if (!folder) return
  for (const file of files) {
    const reader = await opened
      .get(store)
      ?.get(file)
      ?.catch(() => undefined)
    reader?.close()
    await removeFile(folder, file)
  }
}

/** Removes every file that is not listed in the database; how many there were. */
export async function sweepRowFiles(store: Store): Promise<number> {
  const folder = await rowFolder(store, false)
  if (!folder) return 0
  const listed = new Set(await store.main.rowFiles.toCollection().primaryKeys())
  const lost: string[] = []
  for await (const name of folder.keys()) if (!listed.has(name)) lost.push(name)
  for (const name of lost) await removeFile(folder, name)
  return lost.length
}

async function removeFile(folder: Folder, file: string): Promise<void> {
  for (let attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++)
    try {
      await folder.removeEntry(file)
      return
    } catch (error) {
      // Whoever wrote it was ended, but is not yet gone; or another thread has read it just now.
      if ((error as Error).name !== 'NoModificationAllowedError') return
      await new Promise((resolve) => setTimeout(resolve, REMOVE_EVERY))
    }
}

/** Reads bytes of a file; fewer where it ends before. */
interface Reader {
  read(from: number, to: number): ArrayBuffer | Promise<ArrayBuffer>
  close(): void
}

/** Files that are open for reading; they never change. */
const opened = new WeakMap<Store, Map<string, Promise<Reader>>>()

async function readBytes(store: Store, file: string, from: number, to: number): Promise<ArrayBuffer> {
  const files = opened.get(store) ?? new Map<string, Promise<Reader>>()
  opened.set(store, files)
  let reader = files.get(file)
  if (!reader) {
    reader = openReader(store, file, () => files.delete(file))
    files.set(file, reader)
  }
  try {
    const buffer = await (await reader).read(from, to)
    if (buffer.byteLength === to - from) return buffer
  } catch (cause) {
    files.delete(file)
    throw damaged(file, cause)
  }
  throw damaged(file)
}

/** A worker reads at once, if nobody else holds the file; everybody else asks the browser, which takes twenty times as long. */
async function openReader(store: Store, file: string, onClosed: () => void): Promise<Reader> {
  const folder = await rowFolder(store, false)
  if (!folder) throw new Error('There is no folder of rows.')
  const handle = await folder.getFileHandle(file)
  const access = await handle.createSyncAccessHandle?.({ mode: 'read-only' }).catch(() => null)
  if (!access) {
    const blob = await handle.getFile()
    return { read: (from, to) => blob.slice(from, to).arrayBuffer(), close: onClosed }
  }
  const close = (): void => {
    clearTimeout(timer)
    access.close()
    onClosed()
  }
  let timer = setTimeout(close, HELD_MS)
  return {
    read: (from, to) => {
      clearTimeout(timer)
      timer = setTimeout(close, HELD_MS)
      const bytes = new Uint8Array(to - from)
      const read = access.read(bytes, { at: from })
      return read < bytes.length ? bytes.buffer.slice(0, read) : bytes.buffer
    },
    close,
  }
}

/** What a power cut leaves of a file is as long as it was, but zeros. */
function checked(rows: ByteRows, file: string): ByteRows {
  const { ends, bytes } = rows
  let last = 0
  for (let i = 0; i < ends.length; i++) {
    if (ends[i]! < last) throw damaged(file)
    last = ends[i]!
  }
  if (last !== bytes.length) throw damaged(file)
  return rows
}

function damaged(file: string, cause?: unknown): GraftError {
  return new GraftError(
    'E_STORAGE',
    'Rows of this dataset can no longer be read: the browser has lost their file. Remove the dataset and import its file again.',
    { reason: 'damaged', file },
    { cause },
  )
}

// What is used of the file system, in the words of its specification; the library of the page's types has only a part of it.
interface Access {
  write(bytes: Uint8Array, options: { at: number }): number
  read(bytes: Uint8Array, options: { at: number }): number
  close(): void
}
interface FileHandle {
  getFile(): Promise<Blob>
  /** In dedicated workers only. Browsers that know no modes let one reader in. */
  createSyncAccessHandle?(options?: { mode: 'read-only' }): Promise<Access>
}
interface Folder {
  getDirectoryHandle(name: string, options: { create: boolean }): Promise<Folder>
  getFileHandle(name: string, options?: { create: boolean }): Promise<FileHandle>
  removeEntry(name: string): Promise<void>
  keys(): AsyncIterable<string>
}

/** The folder of a store's files; null where there is none, or none can be. */
async function rowFolder(store: Store, create: boolean): Promise<Folder | null> {
  const { navigator } = globalThis as unknown as {
    navigator?: { storage?: { getDirectory?(): Promise<Folder> } }
  }
  try {
    const root = await navigator?.storage?.getDirectory?.()
    return (await root?.getDirectoryHandle(`${store.main.name}-rows`, { create })) ?? null
  } catch {
    return null
  }
}

async function accessTo(folder: Folder, file: string): Promise<Access | null> {
  try {
    const handle = await folder.getFileHandle(file, { create: true })
    return (await handle.createSyncAccessHandle?.()) ?? null
  } catch {
    return null
  }
}
