// What the worker of workers/rowWriter.ts does with each message.
import { toWire } from '../../src/protocol/errors.ts'
import { openStore, type Store } from '../../src/store/database.ts'
import { openRowFile, type RowFile } from '../../src/store/rowFiles.ts'
import { here, type RowTarget } from './rowSink.ts'
import type { WriteAnswer, WriteTask } from './writeBeside.ts'

/** Takes the messages of one import, the first of which opens its store. */
export function writingDesk(
  answer: (message: WriteAnswer, moved?: ArrayBuffer[]) => void,
): (task: WriteTask) => void {
  let opening: Promise<{ database: RowTarget; file: RowFile | null }> | null = null
  const open = async (task: WriteTask & { kind: 'open' }, store: Promise<Store>) => {
    const at = await store
    return { database: here(at, task.dataset), file: await openRowFile(at, task.dataset, task.first) }
  }
  const work = async (task: Exclude<WriteTask, { kind: 'open' }>): Promise<ArrayBuffer | undefined> => {
    const { database, file } = await opening!
    if (task.kind === 'finish') await file?.finish()
    else if ('buffer' in task.rows) {
      await (file ? file.write(task.rows) : database.write(task.rows, task.bytes))
      return task.rows.buffer
    } else await database.write(task.rows, task.bytes)
    return undefined
  }
  return (task) => {
    if (task.kind === 'open') {
      opening = open(task, openStore({ name: task.store }))
      // Told with the first rows.
      opening.catch(() => undefined)
      return
    }
    const { number } = task
    work(task).then(
      (buffer) => answer({ number, ...(buffer && { buffer }) }, buffer && [buffer]),
      (error: unknown) => answer({ number, error: toWire(error) }),
    )
  }
}
