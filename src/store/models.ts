// Base models kept in this browser: a record with the file manifest, and the files as chunked blobs.
// The record is written last, so a model is either complete or swept.
import { GraftError } from '../protocol/errors.ts'
import type { Precision } from '../protocol/model.ts'
import { listAdapters, removeAdapter } from './adapters.ts'
import { deleteBlob, newBlobId, readBlob, writeBlob, type ByteSource, type WriteOptions } from './chunks.ts'
import type { ModelFile, ModelRecord, Store } from './database.ts'
import { guarded } from './quota.ts'

/**
 * Stores one file of a model. Hold `whileWriting` from the first file to `putModel`.
 * Throws E_HASH if `expectedSha256` is given and differs (nothing stays), E_STORAGE without room, E_ABORTED.
 */
export async function writeModelFile(
  store: Store,
  modelId: string,
  name: string,
  source: ByteSource,
  options: WriteOptions & { expectedSha256?: string } = {},
): Promise<ModelFile> {
  const entry = await writeBlob(store, newBlobId(`model/${modelId}/${name}`), source, options)
  if (options.expectedSha256 !== undefined && entry.sha256 !== options.expectedSha256) {
    await deleteBlob(store, entry.blob)
    throw new GraftError(
      'E_HASH',
      `${name} arrived damaged: its checksum is not the published one. Load it again.`,
      {
        name,
        expected: options.expectedSha256,
        found: entry.sha256,
      },
    )
  }
  return { name, ...entry }
}

/**
 * Makes a model visible; replaces one of the same id and then deletes the files that are no longer pointed at. Its
 * files that were downloads (by their keys) are the model's from now on.
 */
export async function putModel(store: Store, record: ModelRecord, downloads: string[] = []): Promise<void> {
  const { main } = store
  const before = await guarded(() => main.models.get(record.id))
  await guarded(() =>
    main.transaction('rw', main.models, main.downloads, async () => {
      await main.models.put(record)
      await main.downloads.bulkDelete(downloads)
    }),
  )
  const kept = new Set(record.files.map((file) => file.blob))
  for (const file of before?.files ?? []) if (!kept.has(file.blob)) await deleteBlob(store, file.blob)
}

/** The record, or undefined if the model is not in this browser. */
export function findModel(store: Store, id: string): Promise<ModelRecord | undefined> {
  return guarded(() => store.main.models.get(id))
}

/** Every stored model, oldest first. */
export function listModels(store: Store): Promise<ModelRecord[]> {
  return guarded(() => store.main.models.orderBy('createdAt').toArray())
}

/** One file in memory, checked against its SHA-256. Throws E_NOT_FOUND, E_HASH. */
export async function readModelFile(
  store: Store,
  record: ModelRecord,
  name: string,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = record.files.find((candidate) => candidate.name === name)
  if (!file)
    throw new GraftError('E_NOT_FOUND', `The model ${record.info.name} has no file ${name}.`, { name })
  return readBlob(store, file, `${name} of ${record.info.name}`, signal)
}

/** Notes the precision that a model was asked for; one that is not there is no error. */
export async function setPrecision(store: Store, id: string, precision: Precision): Promise<void> {
  await guarded(() => store.main.models.update(id, { precision }))
}

/** Removes a model, its files and its adapters; one that is not there is no error. */
export async function removeModel(store: Store, id: string): Promise<void> {
  const record = await findModel(store, id)
  if (!record) return
  await guarded(() => store.main.models.delete(id))
  for (const adapter of await listAdapters(store, id)) await removeAdapter(store, adapter.id)
  for (const file of record.files) await deleteBlob(store, file.blob)
}
