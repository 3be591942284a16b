// How an import stores its rows: a large one in a worker of its own (workers/rowWriter.ts), so that reading goes on meanwhile.
import { trustedScript } from '../../src/core/backend/trustedScript.ts'
import { fromWire, GraftError, type WireError } from '../../src/protocol/errors.ts'
import type { Store } from '../../src/store/database.ts'
import { writeRows, type NewRows } from '../../src/store/datasets.ts'
import writerUrl from '../rowWriter.ts?worker&url'

/** Bytes of files for which a worker is worth its start. */
const WORTH_BYTES = 4 << 20

export interface WriteTask {
  number: number
  dataset: string
  batches: readonly NewRows[]
  bytes: number | undefined
}

export interface WriteAnswer {
  number: number
  error?: WireError
}

export interface RowWriter {
  /** As `writeRows`; the bytes of the batches are gone afterwards. */
  write(dataset: string, batches: readonly NewRows[], bytes?: number): Promise<void>
  /** Nothing is written any more. */
  end(): void
}

export function rowWriter(store: Store, sourceBytes: number): RowWriter {
  // Node, where imports are tested, has no such workers.
  if (typeof Worker === 'undefined' || sourceBytes < WORTH_BYTES)
    return {
      write: (dataset, batches, bytes) => writeRows(store, dataset, batches, bytes),
      end: () => undefined,
    }
  const worker = new Worker(trustedScript(writerUrl), { type: 'module', name: 'graft-rows' })
  const waiting = new Map<number, { resolve: () => void; reject: (error: GraftError) => void }>()
  let count = 0
  let dead: GraftError | null = null
  worker.onmessage = ({ data: { number, error } }: MessageEvent<WriteAnswer>) => {
    const task = waiting.get(number)
    waiting.delete(number)
    if (error) task?.reject(fromWire(error))
    else task?.resolve()
  }
  worker.onerror = ({ message }) => {
    dead = new GraftError(
      'E_WORKER',
      `The worker that stores rows stopped${message ? `: ${message}` : ''}. Import the file again.`,
    )
    for (const { reject } of waiting.values()) reject(dead)
    waiting.clear()
  }
  return {
    write: (dataset, batches, bytes) =>
      new Promise((resolve, reject) => {
        if (dead) {
          reject(dead)
          return
        }
        const number = count++
        waiting.set(number, { resolve, reject })
        const task: WriteTask = { number, dataset, batches, bytes }
        const moved = batches.flatMap((batch) =>
          'ends' in batch ? [batch.bytes.buffer, batch.ends.buffer] : [],
        )
        worker.postMessage(task, moved)
      }),
    end: () => worker.terminate(),
  }
}
