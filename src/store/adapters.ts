// Imported adapters: a record with what they are, and their tensors as one chunked blob in the layout of checkpoints.
// The record is written last, so an adapter is either complete or swept. They go with their base: nothing else fits them.
import { GraftError } from '../protocol/errors.ts'
import type { AdapterInfo } from '../protocol/model.ts'
import type { AdapterConfig } from '../protocol/run.ts'
import { deleteBlob, newBlobId, readBlob, writeBlob } from './chunks.ts'
import type { AdapterRecord, Store } from './database.ts'
import { whileWriting } from './locks.ts'
import { packPayload, unpackPayload } from './payload.ts'
import { guarded } from './quota.ts'

export interface StoredTensor {
  name: string
  shape: number[]
  data: Float32Array
}

export interface NewAdapter {
  info: AdapterInfo
  config: AdapterConfig
  revision: string | null
  tensors: readonly StoredTensor[]
}

/** Keeps an adapter. Throws E_STORAGE without room, E_NOT_FOUND where its base has gone; nothing of it stays then. */
export function putAdapter(store: Store, { info, config, revision, tensors }: NewAdapter): Promise<void> {
  return whileWriting(async () => {
    const shapes = Object.fromEntries(tensors.map(({ name, shape }) => [name, shape]))
    const payload = {
      meta: { version: 1, shapes },
      tensors: Object.fromEntries(tensors.map((t) => [t.name, t.data])),
    }
    const pieces = packPayload(payload)
    const totalBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    const blob = await writeBlob(store, newBlobId(`adapter/${info.id}`), pieces, { totalBytes })
    const record: AdapterRecord = {
      id: info.id,
      model: info.model,
      createdAt: info.createdAt,
      info,
      config,
      revision,
      blob,
    }
    try {
      const { main } = store
      await guarded(() =>
        main.transaction('rw', main.models, main.adapters, async () => {
          if (!(await main.models.get(info.model)))
            throw new GraftError(
              'E_NOT_FOUND',
              `The base of ${info.name} was removed meanwhile. Load it again, then import the adapter.`,
              { model: info.model },
            )
          await main.adapters.put(record)
        }),
      )
    } catch (error) {
      await deleteBlob(store, blob.blob).catch(() => undefined)
      throw error
    }
  })
}

/** Throws E_NOT_FOUND. */
export async function getAdapter(store: Store, id: string): Promise<AdapterRecord> {
  const record = await findAdapter(store, id)
  if (!record)
    throw new GraftError('E_NOT_FOUND', `There is no adapter "${id}" in this browser. Import it first.`, {
      id,
    })
  return record
}

export function findAdapter(store: Store, id: string): Promise<AdapterRecord | undefined> {
  return guarded(() => store.main.adapters.get(id))
}

/** Every adapter, or those of one base, oldest first. */
export async function listAdapters(store: Store, model?: string): Promise<AdapterRecord[]> {
  const records = await guarded(() => store.main.adapters.orderBy('createdAt').toArray())
  return records.filter((record) => model === undefined || record.model === model)
}

/** The tensors of an adapter, checked. Throws E_HASH, E_FORMAT. */
export async function readAdapter(store: Store, record: AdapterRecord): Promise<StoredTensor[]> {
  const bytes = await readBlob(store, record.blob, `The adapter ${record.info.name}`)
  const { meta, tensors } = unpackPayload(bytes)
  const { version, shapes } = meta as { version: number; shapes: Record<string, number[]> }
  if (version !== 1)
    throw new GraftError('E_FORMAT', 'This adapter was saved by another version of Graft. Import it again.')
  return Object.entries(tensors).map(([name, data]) => ({ name, shape: shapes[name]!, data }))
}

/** Removes an adapter; one that is not there is no error. */
export async function removeAdapter(store: Store, id: string): Promise<void> {
  const record = await findAdapter(store, id)
  if (!record) return
  await guarded(() => store.main.adapters.delete(id))
  await deleteBlob(store, record.blob.blob)
}
