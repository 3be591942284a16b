// Downloads in the store: they go on where they were cut, keep nothing that is wrong, and are swept after a week.
import 'fake-indexeddb/auto'
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { ModelInfo } from '../../../src/protocol/model.ts'
import { checksumOf } from '../../../src/store/checksum.ts'
import { readBlob } from '../../../src/store/chunks.ts'
import { openStore, type Store } from '../../../src/store/database.ts'
import {
  download,
  downloadedBytes,
  dropDownload,
  KEEP_DOWNLOADS_MS,
  type DownloadOptions,
} from '../../../src/store/downloads.ts'
import { putModel, removeModel } from '../../../src/store/models.ts'
import { sweep } from '../../../src/store/sweep.ts'

const KEY = 'https://hub/tester/tiny/0123/model.safetensors'
const content = Uint8Array.from({ length: 1234 }, (_, i) => (i * 31 + (i >> 8)) & 255)
const hex = createHash('sha256').update(content).digest('hex')

let store: Store
let count = 0
let opened: number[]
beforeEach(async () => {
  store = await openStore({ name: `downloads-test-${count++}` })
  opened = []
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  store.close()
})

/** A server that breaks off at byte `until`, and sends pieces of 37 bytes. */
function from(until = content.length, bytes = content): DownloadOptions['open'] {
  return async function* (begin: number) {
    opened.push(begin)
    for (let at = begin; at < until; at += 37) yield bytes.subarray(at, Math.min(until, at + 37))
    if (until < bytes.length) throw new GraftError('E_NETWORK', 'cut')
  } as unknown as DownloadOptions['open']
}
const get = (open: DownloadOptions['open'], more: Partial<DownloadOptions> = {}) =>
  download(store, KEY, {
    bytes: content.length,
    checksum: { algorithm: 'sha256', hex },
    open,
    ...more,
  })

test('Git names its files by sha1 of "blob <length>\\0" and the content', () => {
  const text = new TextEncoder().encode('hello\n')
  const checksum = checksumOf('git', text.length)
  checksum.update(text.subarray(0, 2))
  checksum.update(text.subarray(2))
  // printf 'hello\n' | git hash-object --stdin
  expect(checksum.hex()).toBe('ce013625030ba8dba906f756967f9e9ca394464a')
})

describe('a download', () => {
  test.each([0, 36, 37, 100, 101, 999, 1233])('cut after %i bytes goes on there', async (until) => {
    const chunkBytes = 100
    await expect(get(from(until), { chunkBytes })).rejects.toMatchObject({ code: 'E_NETWORK' })
    const reports: number[] = []
    const entry = await get(from(), { chunkBytes, onBytes: (bytes) => reports.push(bytes) })
    expect(opened).toEqual([0, until])
    expect(reports[0]).toBe(until)
    expect(entry).toMatchObject({ bytes: 1234, sha256: hex })
    expect(await readBlob(store, entry, 'it')).toEqual(content)
    const sizes = (await store.main.chunks.toArray()).map(({ bytes }) => bytes.length)
    expect(sizes).toEqual([...Array<number>(12).fill(100), 34])
  })

  test('cut many times, each a little further', async () => {
    for (const until of [50, 50, 333, 1000]) await expect(get(from(until))).rejects.toThrow()
    expect(await downloadedBytes(store, KEY)).toBe(1000)
    await get(from())
    expect(opened).toEqual([0, 50, 50, 333, 1000])
  })

  test('an abort keeps what is there', async () => {
    const abort = new AbortController()
    const onBytes = (bytes: number) => bytes > 500 && abort.abort()
    await expect(get(from(), { signal: abort.signal, onBytes })).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(await downloadedBytes(store, KEY)).toBe(518)
    await get(from())
    expect(opened).toEqual([0, 518])
  })

  test('one that is complete is not asked for again', async () => {
    const first = await get(from())
    expect(await get(from())).toEqual(first)
    expect(opened).toEqual([0])
  })

  test('wrong bytes keep nothing, even where the first part came rightly', async () => {
    await expect(get(from(600))).rejects.toThrow()
    const wrong = content.slice()
    wrong[1000]! ^= 1
    const error = await get(from(wrong.length, wrong)).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'E_HASH', details: { name: 'model.safetensors' } })
    expect(await store.main.chunks.count()).toBe(0)
    expect(await store.main.downloads.count()).toBe(0)
    await get(from())
    expect(opened).toEqual([0, 600, 0])
  })

  test('a part that was damaged in the store is found by the checksum', async () => {
    await expect(get(from(600))).rejects.toThrow()
    const chunk = (await store.main.chunks.toArray())[0]!
    chunk.bytes[5]! ^= 1
    await store.main.chunks.put(chunk)
    await expect(get(from())).rejects.toMatchObject({ code: 'E_HASH' })
    expect(await store.main.chunks.count()).toBe(0)
  })

  test('longer and shorter ones are E_HASH', async () => {
    const longer = new Uint8Array(1300)
    await expect(get(from(1300, longer))).rejects.toMatchObject({ code: 'E_HASH' })
    const shorter = content.subarray(0, 1200)
    await expect(get(from(1200, shorter))).rejects.toMatchObject({ code: 'E_HASH' })
    expect(await store.main.chunks.count()).toBe(0)
  })

  test('an empty file', async () => {
    const none = new Uint8Array(0)
    const checksum = { algorithm: 'git', hex: 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391' } as const
    expect(await get(from(0, none), { bytes: 0, checksum })).toMatchObject({ bytes: 0 })
    expect(opened).toEqual([])
  })
})

describe('the sweep', () => {
  const info = { id: 'm', name: 'm' } as ModelInfo

  test('leaves a download for a week after its last byte', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    await expect(get(from(600))).rejects.toThrow()
    vi.setSystemTime(Date.now() + KEEP_DOWNLOADS_MS - 1000)
    expect(await sweep(store)).toMatchObject({ blobs: 0 })
    expect(await downloadedBytes(store, KEY)).toBe(600)
    vi.setSystemTime(Date.now() + 2000)
    expect(await sweep(store)).toMatchObject({ blobs: 1 })
    expect(await store.main.downloads.count()).toBe(0)
    expect(await store.main.chunks.count()).toBe(0)
  })

  test('a model that takes a download over owns it alone', async () => {
    const entry = await get(from())
    await putModel(store, { id: 'm', createdAt: 1, info, files: [{ name: 'w', ...entry }] }, [KEY])
    expect(await store.main.downloads.count()).toBe(0)
    expect(await sweep(store)).toMatchObject({ blobs: 0 })
    await removeModel(store, 'm')
    expect(await store.main.chunks.count()).toBe(0)
  })

  test('a download is dropped with its bytes', async () => {
    await expect(get(from(600))).rejects.toThrow()
    await dropDownload(store, KEY)
    expect(await store.main.downloads.count()).toBe(0)
    expect(await store.main.chunks.count()).toBe(0)
  })
})
