// How an import stores its rows: a large one in a worker of its own (workers/rowWriter.ts), so that reading goes on meanwhile.
import { trustedScript } from '../../src/core/backend/trustedScript.ts'
import { fromWire, GraftError, type WireError } from '../../src/protocol/errors.ts'
import type { Store } from '../../src/store/database.ts'
import type { NewRows } from '../../src/store/datasets.ts'
import type { RowChunk } from '../../src/store/rowChunk.ts'
import writerUrl from '../rowWriter.ts?worker&url'
import { here, type RowTarget } from './rowSink.ts'

/** Bytes of files for which a worker is worth its start. */
const WORTH_BYTES = 4 << 20

/** What the worker is asked: first `open`, which has no answer, then rows, at last to finish. */
export type WriteTask =
  | { kind: 'open'; store: string; dataset: string; first: number }
  | { kind: 'write'; number: number; rows: readonly NewRows[] | RowChunk; bytes: number | undefined }
  | { kind: 'finish'; number: number }

export interface WriteAnswer {
  number: number
  error?: WireError
  /** Of the chunk that was written, to be filled anew. */
  buffer?: ArrayBuffer
}

export interface RowWriter extends RowTarget {
  /** Nothing is written any more. */
  end(): void
}

/** @param first number of the first row */
export function rowWriter(store: Store, dataset: string, first: number, sourceBytes: number): RowWriter {
  // Node, where imports are tested, has no such workers.
  if (typeof Worker === 'undefined' || sourceBytes < WORTH_BYTES)
    return { ...here(store, dataset), end: () => undefined }
  const worker = new Worker(trustedScript(writerUrl), { type: 'module', name: 'graft-rows' })
  const waiting = new Map<number, { resolve: () => void; reject: (error: GraftError) => void }>()
  const spare: ArrayBuffer[] = []
  let count = 0
  let dead: GraftError | null = null
  const tell = (task: WriteTask, moved: ArrayBuffer[] = []): void => worker.postMessage(task, moved)
  const ask = (task: (number: number) => WriteTask, moved?: ArrayBuffer[]): Promise<void> =>
    new Promise((resolve, reject) => {
      if (dead) {
        reject(dead)
        return
      }
      const number = count++
      waiting.set(number, { resolve, reject })
      tell(task(number), moved)
    })
  const died = (reason: string): void => {
    dead ??= new GraftError(
      'E_WORKER',
      `The worker that stores rows stopped${reason ? `: ${reason}` : ''}. Import the file again.`,
    )
    for (const { reject } of waiting.values()) reject(dead)
    waiting.clear()
  }
  worker.onmessage = ({ data: { number, error, buffer } }: MessageEvent<WriteAnswer>) => {
    const task = waiting.get(number)
    waiting.delete(number)
    if (buffer) spare.push(buffer)
    if (error) task?.reject(fromWire(error))
    else task?.resolve()
  }
  worker.onerror = ({ message }) => died(message)
  worker.onmessageerror = () => died('its answer could not be read')
  tell({ kind: 'open', store: store.main.name, dataset, first })
  return {
    write: (rows, bytes) =>
      ask((number) => ({ kind: 'write', number, rows, bytes }), 'buffer' in rows ? [rows.buffer] : []),
    spare: () => spare.pop(),
    finish: () => ask((number) => ({ kind: 'finish', number })),
    end: () => worker.terminate(),
  }
}
