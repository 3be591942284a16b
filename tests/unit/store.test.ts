// The store over a faithful IndexedDB in memory: what is saved comes back, what is unfinished or damaged does not.
import 'fake-indexeddb/auto'
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Dexie } from 'dexie'
import type { HistoryEntry, Run } from '../../src/protocol/run.ts'
import type { AdapterInfo, ModelInfo } from '../../src/protocol/model.ts'
import { defaultAdapter } from '../../src/protocol/settings.ts'
import { getAdapter, listAdapters, putAdapter, readAdapter, removeAdapter } from '../../src/store/adapters.ts'
import {
  listCheckpoints,
  readCheckpoint,
  removeCheckpoints,
  saveCheckpoint,
} from '../../src/store/checkpoints.ts'
import { deleteBlob, pieces, readBlob, readChunks, verifyBlob, writeBlob } from '../../src/store/chunks.ts'
import { openStore, SCHEMA_VERSION, type Store } from '../../src/store/database.ts'
import {
  findModel,
  listModels,
  putModel,
  readModelFile,
  removeModel,
  writeModelFile,
} from '../../src/store/models.ts'
import { guarded } from '../../src/store/quota.ts'
import { appendHistory, getRun, listRuns, putRun, removeRun, truncateHistory } from '../../src/store/runs.ts'
import { sweep } from '../../src/store/sweep.ts'

let store: Store
let count = 0
beforeEach(async () => {
  store = await openStore({ name: `store-test-${count++}` })
})
afterEach(() => {
  vi.restoreAllMocks()
  store.close()
})

const bytesOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255)
const hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const quotaError = (): Error => new DOMException('full', 'QuotaExceededError')

describe('chunks', () => {
  test.each([0, 1, 99, 100, 101, 1000, 1234])(
    'a blob of %i bytes in chunks of 100 comes back',
    async (length) => {
      const bytes = bytesOf(length)
      const source = [bytes.subarray(0, 37), bytes.subarray(37, 37), bytes.subarray(37)]
      const entry = await writeBlob(store, 'a', source, { chunkBytes: 100 })
      expect(entry).toEqual({ blob: 'a', bytes: length, sha256: hex(bytes) })
      expect(await readBlob(store, entry, 'A')).toEqual(bytes)
      const sizes: number[] = []
      for await (const chunk of readChunks(store, 'a')) sizes.push(chunk.buffer.byteLength)
      expect(sizes).toEqual(
        Array.from({ length: Math.ceil(length / 100) }, (_, i) => Math.min(100, length - i * 100)),
      )
    },
  )

  test('a source longer than announced is still whole', async () => {
    const bytes = bytesOf(250)
    const entry = await writeBlob(store, 'a', [bytes], { chunkBytes: 100, totalBytes: 30 })
    expect(await readBlob(store, entry, 'A')).toEqual(bytes)
  })

  test('takes a stream, and an early end cancels it', async () => {
    const cancelled = vi.fn()
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytesOf(60)),
      cancel: cancelled,
    })
    const abort = new AbortController()
    const writing = writeBlob(store, 'a', pieces(stream), {
      chunkBytes: 100,
      signal: abort.signal,
      onBytes: (bytes) => bytes >= 300 && abort.abort(),
    })
    await expect(writing).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(cancelled).toHaveBeenCalled()
    expect(await store.main.chunks.count()).toBe(0)
  })

  test('no room: E_STORAGE with the needed bytes, nothing left, and Dexie wrapping does not hide it', async () => {
    const add = store.main.chunks.add.bind(store.main.chunks)
    vi.spyOn(store.main.chunks, 'add').mockImplementation((chunk) =>
      chunk.index < 2 ? add(chunk) : (Promise.reject(quotaError()) as never),
    )
    const writing = writeBlob(store, 'a', [bytesOf(500)], { chunkBytes: 100, totalBytes: 500 })
    await expect(writing).rejects.toMatchObject({
      code: 'E_STORAGE',
      details: { reason: 'quota', neededBytes: 500 },
    })
    expect(await store.main.chunks.count()).toBe(0)
    const inner = new Dexie.AbortError('aborted', quotaError())
    await expect(guarded(() => Promise.reject(inner))).rejects.toMatchObject({ details: { reason: 'quota' } })
  })

  test('a flipped byte and a missing chunk are E_HASH, naming what is damaged', async () => {
    const entry = await writeBlob(store, 'a', [bytesOf(250)], { chunkBytes: 100 })
    const chunk = (await store.main.chunks.get(['a', 1]))!
    chunk.bytes[7]! ^= 1
    await store.main.chunks.put(chunk)
    await expect(readBlob(store, entry, 'Weights of X')).rejects.toMatchObject({
      code: 'E_HASH',
      message: expect.stringContaining('Weights of X') as string,
    })
    await store.main.chunks.delete(['a', 1])
    await expect(verifyBlob(store, entry, 'A')).rejects.toMatchObject({ code: 'E_HASH' })
    await deleteBlob(store, 'a')
    expect(await store.main.chunks.count()).toBe(0)
  })
})

const payload = (step: number) => ({
  meta: { step, cursor: [1, 2] },
  tensors: {
    a: Float32Array.from({ length: 50 }, (_, i) => i + step),
    'b.weight': new Float32Array([NaN, -0]),
  },
})
const save = (step: number, options: { best?: boolean; validationLoss?: number } = {}) =>
  saveCheckpoint(store, 'run', { step, ...options }, payload(step))
const steps = async () => (await listCheckpoints(store, 'run')).map(({ step }) => step)
const blobs = async () =>
  new Set((await store.main.chunks.toCollection().primaryKeys()).map(([blob]) => blob)).size

describe('checkpoints', () => {
  test('come back to the bit', async () => {
    expect(await save(10, { validationLoss: 2.5 })).toMatchObject({
      id: 'step-10',
      step: 10,
      validationLoss: 2.5,
    })
    expect(await readCheckpoint(store, 'run', 'step-10')).toEqual(payload(10))
    await expect(readCheckpoint(store, 'run', 'step-11')).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
  })

  test('the newest two and the best stay, the others go with their bytes', async () => {
    await save(10)
    await save(20, { best: true })
    await save(30)
    await save(40)
    await save(50)
    expect(await steps()).toEqual([20, 40, 50])
    expect(await blobs()).toBe(3)
    await save(60, { best: true })
    expect((await listCheckpoints(store, 'run')).map(({ step, best }) => [step, best])).toEqual([
      [50, false],
      [60, true],
    ])
    expect(await blobs()).toBe(2)
  })

  test('saving the same step again replaces it', async () => {
    await save(10)
    await save(10)
    expect(await steps()).toEqual([10])
    expect(await blobs()).toBe(1)
  })

  test('bytes that read back wrong never get a pointer', async () => {
    await save(10)
    const add = store.main.chunks.add.bind(store.main.chunks)
    vi.spyOn(store.main.chunks, 'add').mockImplementation((chunk) => {
      const bytes = chunk.bytes.slice()
      bytes[bytes.length - 1]! ^= 1
      return add({ ...chunk, bytes })
    })
    await expect(save(20)).rejects.toMatchObject({ code: 'E_HASH' })
    expect(await steps()).toEqual([10])
    expect(await blobs()).toBe(1)
  })

  test('no room while saving leaves the earlier checkpoint', async () => {
    await save(10)
    vi.spyOn(store.main.chunks, 'add').mockImplementation(() => Promise.reject(quotaError()) as never)
    await expect(save(20)).rejects.toMatchObject({ code: 'E_STORAGE' })
    vi.restoreAllMocks()
    expect(await readCheckpoint(store, 'run', 'step-10')).toEqual(payload(10))
  })

  test('a damaged one is E_HASH and the one before it still loads', async () => {
    await save(10)
    await save(20)
    const chunk = (await store.main.chunks.toArray()).find(({ blob }) => blob.includes('step-20'))!
    chunk.bytes[20]! ^= 1
    await store.main.chunks.put(chunk)
    await expect(readCheckpoint(store, 'run', 'step-20')).rejects.toMatchObject({
      code: 'E_HASH',
      message: expect.stringContaining('step-20') as string,
    })
    expect(await readCheckpoint(store, 'run', 'step-10')).toEqual(payload(10))
    await removeCheckpoints(store, 'run', 'step-20')
    expect(await steps()).toEqual([10])
  })
})

const entry = (step: number): HistoryEntry => ({
  step,
  loss: 1 / step,
  learningRate: 1,
  gradNorm: 1,
  tokensPerSecond: 1,
})
const run = {
  id: 'run',
  status: 'running',
  createdAt: 5,
  step: 3,
  checkpoints: [],
  history: [],
  config: { adapter: { method: 'lora', r: 4, alpha: 8, dropout: 0, targets: 'all-linear' } },
} as unknown as Run

describe('runs', () => {
  test('history is appended, cut back on resume, and put together again', async () => {
    await putRun(store, run)
    await appendHistory(store, 'run', [entry(1), entry(2)])
    await appendHistory(store, 'run', [])
    await appendHistory(store, 'run', [entry(3), entry(4), entry(5)])
    await appendHistory(store, 'run', [entry(10)])
    await appendHistory(store, 'run2', [entry(1)])
    await save(4)
    const found = await getRun(store, 'run')
    expect(found.history.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 10])
    expect(found.checkpoints).toMatchObject([{ id: 'step-4', step: 4 }])
    expect(found).toMatchObject({ id: 'run', status: 'running', step: 3 })
    // Settings of adapters that this run's version did not know.
    expect(found.config.adapter).toEqual(defaultAdapter({ r: 4, alpha: 8 }))
    await truncateHistory(store, 'run', 4)
    await appendHistory(store, 'run', [entry(5)])
    expect((await listRuns(store)).map(({ history }) => history.map(({ step }) => step))).toEqual([
      [1, 2, 3, 4, 5],
    ])
    expect(await store.main.history.where('[run+from]').between(['run2', 0], ['run2', 99]).count()).toBe(1)
  })

  test('removal takes history, checkpoints and bytes along', async () => {
    await putRun(store, run)
    await appendHistory(store, 'run', [entry(1)])
    await save(1)
    await removeRun(store, 'run')
    await removeRun(store, 'run')
    await expect(getRun(store, 'run')).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    expect([await store.main.history.count(), await steps(), await blobs()]).toEqual([0, [], 0])
  })
})

const info = { id: 'm', name: 'M' } as ModelInfo

describe('models', () => {
  test('files are checked on the way in and out', async () => {
    const bytes = bytesOf(300)
    const file = await writeModelFile(store, 'm', 'model.safetensors', [bytes], {
      expectedSha256: hex(bytes),
    })
    const bad = writeModelFile(store, 'm', 'config.json', [bytes], { expectedSha256: 'ff' })
    await expect(bad).rejects.toMatchObject({ code: 'E_HASH' })
    await putModel(store, { id: 'm', createdAt: 1, info, files: [file] })
    const record = (await findModel(store, 'm'))!
    expect(await readModelFile(store, record, 'model.safetensors')).toEqual(bytes)
    await expect(readModelFile(store, record, 'nothing')).rejects.toMatchObject({ code: 'E_NOT_FOUND' })

    const again = await writeModelFile(store, 'm', 'model.safetensors', [bytes])
    await putModel(store, { id: 'm', createdAt: 1, info, files: [again] })
    expect([(await listModels(store)).length, await blobs()]).toEqual([1, 1])
    await removeModel(store, 'm')
    expect([(await listModels(store)).length, await blobs()]).toEqual([0, 0])
  })
})

describe('adapters', () => {
  const adapter = (id: string, model = 'm') => ({
    info: { id, model, name: id, createdAt: id.length } as AdapterInfo,
    config: defaultAdapter(),
    revision: null,
    tensors: [
      { name: 'a', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
      { name: 'b', shape: [1], data: Float32Array.of(-0.5) },
    ],
  })

  beforeEach(async () => {
    for (const id of ['m', 'other']) await putModel(store, { id, createdAt: 1, info, files: [] })
  })

  test('of a base that went meanwhile are not kept', async () => {
    await expect(putAdapter(store, adapter('one', 'gone'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    expect(await listAdapters(store)).toEqual([])
    expect(await store.main.chunks.count()).toBe(0)
  })

  test('are kept with their tensors, listed by base, and removed with all bytes', async () => {
    await putAdapter(store, adapter('one'))
    await putAdapter(store, adapter('three', 'other'))
    expect((await listAdapters(store)).map(({ id }) => id)).toEqual(['one', 'three'])
    expect((await listAdapters(store, 'other')).map(({ id }) => id)).toEqual(['three'])
    expect(await readAdapter(store, await getAdapter(store, 'one'))).toEqual(adapter('one').tensors)
    expect((await sweep(store))?.blobs).toBe(0)
    for (const id of ['one', 'three', 'none']) await removeAdapter(store, id)
    expect(await store.main.chunks.count()).toBe(0)
    await expect(getAdapter(store, 'one')).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
  })

  test('damaged bytes are told, and a full disk leaves nothing', async () => {
    await putAdapter(store, adapter('one'))
    const chunk = (await store.main.chunks.toArray())[0]!
    chunk.bytes[chunk.bytes.length - 1]! ^= 1
    await store.main.chunks.put(chunk)
    await expect(readAdapter(store, await getAdapter(store, 'one'))).rejects.toMatchObject({ code: 'E_HASH' })
    vi.spyOn(store.main.adapters, 'put').mockRejectedValue(quotaError())
    await expect(putAdapter(store, adapter('two'))).rejects.toMatchObject({ code: 'E_STORAGE' })
    expect(await store.main.chunks.count()).toBe(1)
  })
})

describe('boot', () => {
  test('the sweep removes what nothing points at, and nothing else', async () => {
    await putRun(store, run)
    await save(1)
    const file = await writeModelFile(store, 'm', 'a', [bytesOf(10)])
    await putModel(store, { id: 'm', createdAt: 1, info, files: [file] })
    expect(await sweep(store)).toEqual({ blobs: 0, datasets: 0, runs: 0 })

    await writeBlob(store, 'orphan', [bytesOf(10)])
    await saveCheckpoint(store, 'gone', { step: 1 }, payload(1))
    await appendHistory(store, 'gone2', [entry(1)])
    await store.main.rows.put({ dataset: 'half', batch: 0, rows: [['a']] })
    expect(await sweep(store)).toEqual({ blobs: 2, datasets: 1, runs: 2 })
    expect(await readCheckpoint(store, 'run', 'step-1')).toEqual(payload(1))
    expect([await blobs(), await store.main.rows.count(), await store.main.history.count()]).toEqual([
      2, 0, 0,
    ])
  })

  test('a newer schema is refused with a reason; closing on purpose is no accident', async () => {
    const onClosed = vi.fn()
    const name = `store-test-${count++}`
    const first = await openStore({ name, onClosed })
    await first.ledger.facts.put({ key: 'schemaVersion', value: SCHEMA_VERSION + 1 })
    first.close()
    expect(onClosed).not.toHaveBeenCalled()
    await expect(openStore({ name })).rejects.toMatchObject({
      code: 'E_STORAGE',
      details: { reason: 'newer' },
    })
    await expect(getRun(first, 'x')).rejects.toMatchObject({
      code: 'E_STORAGE',
      details: { reason: 'closed' },
    })
  })

  test('another tab that upgrades closes this one and says so', async () => {
    const onClosed = vi.fn()
    const name = `store-test-${count++}`
    const old = await openStore({ name, onClosed })
    const newer = new Dexie(name)
    newer.version(99).stores({ datasets: 'id, createdAt' })
    await newer.open()
    newer.close()
    expect(onClosed).toHaveBeenCalledWith('upgrade')
    old.close()
  })
})
