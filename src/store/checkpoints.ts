// Checkpoints that are either whole or absent: write the chunks, read them back and compare, flip the pointer in one
// transaction of the strict ledger, delete what is no longer kept. A crash at any point leaves the last whole one.
import { GraftError } from '../protocol/errors.ts'
import type { CheckpointInfo } from '../protocol/run.ts'
import { deleteBlob, newBlobId, readBlob, writeBlob } from './chunks.ts'
import type { CheckpointRecord, Store } from './database.ts'
import { whileWriting } from './locks.ts'
import { packPayload, unpackPayload, type CheckpointPayload } from './payload.ts'
import { guarded } from './quota.ts'

export type { CheckpointPayload } from './payload.ts'

/** Two, so that one damaged checkpoint still leaves another; the best one is kept beside them. */
export const KEPT_CHECKPOINTS = 2

export interface SaveOptions {
  step: number
  validationLoss?: number
  /** Marks this one as the run's best, in place of the one marked before. */
  best?: boolean
}

/**
 * Saves a checkpoint under the id `step-<step>`; one of the same step is replaced.
 * Throws E_STORAGE without room, E_HASH if the bytes read back differ; the earlier checkpoints stay as they were.
 */
export function saveCheckpoint(
  store: Store,
  run: string,
  options: SaveOptions,
  payload: CheckpointPayload,
): Promise<CheckpointInfo> {
  return whileWriting(async () => {
    const id = `step-${options.step}`
    const pieces = packPayload(payload)
    const totalBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    const blob = newBlobId(`checkpoint/${run}/${id}`)
    const entry = await writeBlob(store, blob, pieces, { totalBytes })
    try {
      await readBlob(store, entry, `Checkpoint ${id}`)
    } catch (error) {
      await deleteBlob(store, blob).catch(() => undefined)
      throw error
    }
    const record: CheckpointRecord = {
      ...entry,
      run,
      id,
      step: options.step,
      createdAt: Date.now(),
      ...(options.validationLoss === undefined ? {} : { validationLoss: options.validationLoss }),
      best: options.best ?? false,
    }
    let dropped: string[]
    try {
      dropped = await flip(store, record)
    } catch (error) {
      await deleteBlob(store, blob).catch(() => undefined)
      throw error
    }
    // The pointer is safe already: bytes that cannot be deleted now are swept at the next boot.
    for (const old of dropped) await deleteBlob(store, old).catch(() => undefined)
    return infoOf(record)
  })
}

/** One ledger transaction: the new pointer in, the pointers no longer kept out. Returns the blobs nobody needs now. */
function flip(store: Store, record: CheckpointRecord): Promise<string[]> {
  const { checkpoints } = store.ledger
  return guarded(() =>
    store.ledger.transaction('rw', checkpoints, async () => {
      const before = await checkpoints.where('run').equals(record.run).toArray()
      const others = before.filter((old) => old.id !== record.id)
      const dropped = before.filter((old) => old.id === record.id)
      if (record.best) for (const old of others) old.best = false
      // The one just saved counts as the newest even where a resumed run is behind an old step number.
      const newest = others.toSorted((a, b) => b.createdAt - a.createdAt || b.step - a.step)
      for (const old of newest.slice(KEPT_CHECKPOINTS - 1)) if (!old.best) dropped.push(old)
      await checkpoints.bulkDelete(dropped.map((old): [string, string] => [old.run, old.id]))
      await checkpoints.bulkPut([...others.filter((old) => !dropped.includes(old)), record])
      return dropped.map((old) => old.blob)
    }),
  )
}

/** The checkpoints of a run, by step. */
export async function listCheckpoints(
  store: Store,
  run: string,
): Promise<(CheckpointInfo & { best: boolean })[]> {
  const records = await guarded(() => store.ledger.checkpoints.where('run').equals(run).toArray())
  return records.sort((a, b) => a.step - b.step).map((record) => ({ ...infoOf(record), best: record.best }))
}

/**
 * Reads a checkpoint, checked. Throws E_NOT_FOUND, or E_HASH naming it; which one to take instead is the caller's
 * decision.
 */
export async function readCheckpoint(store: Store, run: string, id: string): Promise<CheckpointPayload> {
  const record = await guarded(() => store.ledger.checkpoints.get([run, id]))
  if (!record) throw new GraftError('E_NOT_FOUND', `This run has no checkpoint "${id}".`, { run, id })
  return unpackPayload(await readBlob(store, record, `Checkpoint ${id}`))
}

/** Removes one checkpoint, or all of a run. */
export async function removeCheckpoints(store: Store, run: string, id?: string): Promise<void> {
  const records = await guarded(() => store.ledger.checkpoints.where('run').equals(run).toArray())
  const gone = records.filter((record) => id === undefined || record.id === id)
  await guarded(() => store.ledger.checkpoints.bulkDelete(gone.map((r): [string, string] => [r.run, r.id])))
  for (const record of gone) await deleteBlob(store, record.blob)
}

function infoOf(record: CheckpointRecord): CheckpointInfo {
  const { id, step, createdAt, validationLoss } = record
  return validationLoss === undefined ? { id, step, createdAt } : { id, step, createdAt, validationLoss }
}
