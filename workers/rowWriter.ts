// A worker that stores rows for an import: what the browser does to a value before it is stored, it does in the thread that stores
// it, and that takes about as long as reading the rows. Started by workers/import/writeBeside.ts.
import { toWire } from '../src/protocol/errors.ts'
import { openStore } from '../src/store/database.ts'
import { writeRows } from '../src/store/datasets.ts'
import type { WriteAnswer, WriteTask } from './import/writeBeside.ts'

const opening = openStore()
opening.catch(() => undefined)
const answer = (message: WriteAnswer): void => self.postMessage(message)

self.onmessage = async ({ data: { number, dataset, batches, bytes } }: MessageEvent<WriteTask>) => {
  try {
    await writeRows(await opening, dataset, batches, bytes)
    answer({ number })
  } catch (error) {
    answer({ number, error: toWire(error) })
  }
}
