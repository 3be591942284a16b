// Rows of large imports, stored by the helper worker in files: read back whatever reads rows, removed with their dataset, and
// gone where the import fails, the worker throws or dies. The worker's code runs here, behind a Worker that passes messages.
import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { Dataset } from '../../src/protocol/data.ts'
import { openStore, type Store } from '../../src/store/database.ts'
import { eachBatch } from '../../src/store/datasets.ts'
import { sweep } from '../../src/store/sweep.ts'
import { dataCalls } from '../../workers/dataCalls.ts'
import type { WriteAnswer, WriteTask } from '../../workers/import/writeBeside.ts'
import { writingDesk } from '../../workers/import/writingDesk.ts'
import { PrivateFiles } from '../support/privateFiles.ts'

let store: Store
let calls: ReturnType<typeof dataCalls>
let files: PrivateFiles
/** Chunks after which the worker dies. */
let chunks: number
let workers: number
let count = 0

/** Passes messages as a browser does: copied, or moved, and later. */
class FakeWorker {
  onmessage: ((event: { data: WriteAnswer }) => void) | null = null
  onerror: ((event: { message: string }) => void) | null = null
  #alive = true
  /** The task at which it dies: done, but never answered. */
  #last = -1
  readonly #desk = writingDesk((answer, moved = []) => {
    const data = structuredClone(answer, { transfer: moved })
    const dies = answer.number === this.#last
    setTimeout(() => {
      if (!this.#alive) return
      if (!dies) this.onmessage?.({ data })
      else this.onerror?.({ message: 'out of memory' })
      this.#alive = !dies
    }, 1)
  })

  constructor() {
    workers++
  }

  postMessage(task: WriteTask, moved: ArrayBuffer[]): void {
    const data = structuredClone(task, { transfer: moved })
    if (task.kind === 'write' && --chunks === -1) this.#last = task.number
    if (this.#alive) this.#desk(data)
  }

  terminate(): void {
    this.#alive = false
    // A browser takes a moment until the file of an ended worker is free.
    setTimeout(() => files.release(), 120)
  }
}

beforeEach(async () => {
  files = new PrivateFiles()
  chunks = Infinity
  workers = 0
  vi.stubGlobal('Worker', FakeWorker)
  vi.stubGlobal('self', { location: { href: 'https://graft.test/', origin: 'https://graft.test' } })
  vi.stubGlobal('navigator', { storage: { getDirectory: () => Promise.resolve(files.root) } })
  store = await openStore({ name: `row-files-${count++}` })
  calls = callsOn(store)
})
afterEach(() => {
  vi.unstubAllGlobals()
  store.close()
})

const callsOn = (at: Store): ReturnType<typeof dataCalls> =>
  dataCalls(
    () => undefined,
    () => Promise.resolve(at),
  )
const context = (): CallContext => ({ signal: new AbortController().signal, progress: () => undefined })
const LABELS = ['Überweisung', 'card', 'cash, or not']
const cellsOf = (row: number): Record<string, string> => ({
  id: String(row),
  text: `Row ${row} says "é" and 😀. ${'word '.repeat(80)}`.trim(),
  label: LABELS[row % 3]!,
})
/** About 5 MB. */
const ROWS = 12_345
const table = (from: number, to: number): File => {
  const lines = Array.from({ length: to - from }, (_, i) =>
    Object.values(cellsOf(from + i))
      .map((cell) => `"${cell.replaceAll('"', '""')}"`)
      .join(','),
  )
  return new File([`id,text,label\n${lines.join('\n')}\n`], 'large.csv')
}
const load = async (): Promise<Dataset> => calls.importFile({ file: table(0, ROWS), options: {} }, context())
const left = async (): Promise<number[]> => [
  await store.main.datasets.count(),
  await store.main.parts.count(),
  await store.main.rows.count(),
  await store.main.rowFiles.count(),
  files.all.length,
]
const expectRows = async (id: string, rows: number): Promise<void> => {
  let next = 0
  for await (const batch of eachBatch(store, id)) {
    expect(batch.start).toBe(next)
    for (const row of batch.rows) {
      const wanted = Object.values(cellsOf(next++))
      if (row.join('|') !== wanted.join('|')) expect(row).toEqual(wanted)
    }
  }
  expect(next).toBe(rows)
}

describe('a large import', () => {
  test('its rows are in a file, and all that reads rows reads them there', async () => {
    const { id, rows } = await load()
    expect([rows, workers]).toEqual([ROWS, 1])
    const records = await store.main.rows.toArray()
    expect(records).toHaveLength(13)
    expect(records.every((record) => 'file' in record)).toBe(true)
    expect(files.all[0]!.bytes.length).toBeGreaterThan(5e6)
    await expectRows(id, ROWS)

    const page = await calls.rows({ id, query: { offset: 5998, limit: 4 } }, context())
    expect(page.map(({ cells }) => cells)).toEqual([5998, 5999, 6000, 6001].map(cellsOf))
    const picked = await calls.rowsAt({ id, indices: [12_344, 0, 7003] }, context())
    expect(picked.map(({ cells }) => cells)).toEqual([12_344, 0, 7003].map(cellsOf))
    const found = await calls.searchRows({ id, query: { query: '9876', offset: 0, limit: 10 } }, context())
    expect(found.rows.map(({ index }) => index)).toEqual([9876])

    await calls.editCells({ id, changes: [{ row: 7003, column: 'text', value: 'by hand' }] }, context())
    const [edited, beside] = await calls.rowsAt({ id, indices: [7003, 7004] }, context())
    expect([edited!.cells.text, beside!.cells]).toEqual(['by hand', cellsOf(7004)])
    await calls.undoRecipe({ id }, context())
    await expectRows(id, ROWS)

    await calls.removeDataset({ id }, context())
    expect(await left()).toEqual([0, 0, 0, 0, 0])
  })

  test('more rows join in a file of their own; where that fails, the dataset is as it was', async () => {
    const { id } = await load()
    const more = table(ROWS, 2 * ROWS)
    chunks = 0
    await expect(calls.appendFiles({ id, files: [more], options: {} }, context())).rejects.toMatchObject({
      code: 'E_WORKER',
    })
    expect(await left()).toEqual([1, 1, 13, 1, 1])
    await expectRows(id, ROWS)

    chunks = Infinity
    const { added } = await calls.appendFiles({ id, files: [more], options: {} }, context())
    expect([added.rows, files.all.length]).toEqual([ROWS, 2])
    await expectRows(id, 2 * ROWS)
    await sweep(store)
    await expectRows(id, 2 * ROWS)
  })

  test('without files of its own, or where they are refused, the database keeps the rows', async () => {
    vi.stubGlobal('navigator', {
      storage: { getDirectory: () => Promise.reject(new DOMException('private', 'SecurityError')) },
    })
    const { id } = await load()
    expect((await store.main.rows.toArray()).every((record) => 'text' in record)).toBe(true)
    expect(await store.main.rowFiles.count()).toBe(0)
    await expectRows(id, ROWS)
  })
})

describe('where storing fails', () => {
  test.each([0, 1])(
    'a worker that dies after %i chunks ends the import and leaves nothing',
    async (after) => {
      chunks = after
      await expect(load()).rejects.toMatchObject({
        code: 'E_WORKER',
        message: 'The worker that stores rows stopped: out of memory. Import the file again.',
      })
      expect(await left()).toEqual([0, 0, 0, 0, 0])
    },
  )

  test('a file that cannot grow is no room, and leaves nothing', async () => {
    files.room = 4e6
    await expect(load()).rejects.toMatchObject({ code: 'E_STORAGE', details: { reason: 'quota' } })
    expect(await left()).toEqual([0, 0, 0, 0, 0])
  })

  test('a database that refuses the places of the rows ends the import', async () => {
    const refused = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (
      this: IDBObjectStore,
    ) {
      throw new DOMException(`no room in ${this.name}`, 'QuotaExceededError')
    })
    await expect(load()).rejects.toMatchObject({ code: 'E_STORAGE' })
    refused.mockRestore()
    expect(await left()).toEqual([0, 0, 0, 0, 0])
  })

  test('a cancelled import leaves nothing', async () => {
    const abort = new AbortController()
    const importing = calls.importFile(
      { file: table(0, ROWS), options: {} },
      { signal: abort.signal, progress: () => abort.abort() },
    )
    await expect(importing).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(await left()).toEqual([0, 0, 0, 0, 0])
  })
})

describe('what a crash leaves', () => {
  test('files that nothing lists, files of no dataset and rows of half an addition are swept', async () => {
    const { id } = await load()
    const folder = await files.root.getDirectoryHandle(`${store.main.name}-rows`)
    for (const name of ['unlisted', 'unfinished', 'added']) await folder.getFileHandle(name, { create: true })
    await store.main.rowFiles.bulkAdd([
      { file: 'unfinished', dataset: 'gone', first: 0 },
      { file: 'added', dataset: id, first: ROWS },
    ])
    await store.main.rows.add({ dataset: id, batch: ROWS / 1000, rows: [['half', 'an', 'addition']] })
    expect(await sweep(store)).toMatchObject({ datasets: 1 })
    expect(await left()).toEqual([1, 1, 13, 1, 1])
    await expectRows(id, ROWS)
  })

  test('a file that is lost, cut or emptied is told', async () => {
    const { id } = await load()
    const [file] = files.all
    const whole = file!.bytes
    const lost = { code: 'E_STORAGE', details: { reason: 'damaged' } }
    const fresh = async (): Promise<void> => {
      store.close()
      store = await openStore({ name: store.main.name })
      calls = callsOn(store)
    }
    file!.bytes = whole.slice(0, 1e6)
    await fresh()
    await expect(calls.rows({ id, query: { offset: 9000, limit: 1 } }, context())).rejects.toMatchObject(lost)
    file!.bytes = new Uint8Array(whole.length)
    await fresh()
    await expect(expectRows(id, ROWS)).rejects.toMatchObject(lost)
    const folder = await files.root.getDirectoryHandle(`${store.main.name}-rows`)
    const [name] = await store.main.rowFiles.toCollection().primaryKeys()
    // Once nobody reads it any more.
    await vi.waitFor(() => folder.removeEntry(name!), { timeout: 5000 })
    await fresh()
    await expect(expectRows(id, ROWS)).rejects.toMatchObject(lost)
  })
})
