// The library of bases over an IndexedDB in memory and a site in memory: loads that meet, cancel, fail and hold on.
import 'fake-indexeddb/auto'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { opsFor } from '../../../src/core/ops/index.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { ModelSource } from '../../../src/protocol/model.ts'
import type { CallContext, Progress } from '../../../src/protocol/progress.ts'
import { sha256 } from '../../../src/store/chunks.ts'
import { openStore, type Store } from '../../../src/store/database.ts'
import { ModelLibrary } from '../../../workers/engine/models.ts'
import { modelBytes } from '../../golden/load.ts'

type Bytes = Uint8Array<ArrayBuffer>

const SITE = 'https://graft.test'
const tiny = modelBytes('tiny-llama')
const odd = modelBytes('tiny-llama-odd')
const text = (bytes: Bytes) => new TextDecoder().decode(bytes)
const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

let store: Store
let library: ModelLibrary
let tensors: number
let count = 0
/** The files of the site by path, and how often each was asked for. */
let site: Map<string, Bytes | (() => Response | Promise<Response>)>
let asked: string[]

beforeEach(async () => {
  await tf.setBackend('cpu')
  store = await openStore({ name: `library-test-${count++}` })
  library = new ModelLibrary(store, () => opsFor('cpu'))
  tensors = tf.memory().numTensors
  asked = []
  site = new Map()
  publish({ tiny, odd })
  vi.stubGlobal('self', { location: { origin: SITE } })
  vi.stubGlobal('fetch', async (url: URL, { signal }: RequestInit) => {
    asked.push(url.pathname)
    await new Promise((resolve) => setTimeout(resolve))
    signal?.throwIfAborted()
    const found = site.get(url.pathname)
    if (typeof found === 'function') return found()
    return found ? new Response(found) : new Response('', { status: 404 })
  })
})
afterEach(() => {
  library.unloadAll()
  expect(tf.memory().numTensors).toBe(tensors)
  vi.unstubAllGlobals()
  store.close()
})

function publish(models: Record<string, Map<string, Bytes>>): void {
  const entries = Object.entries(models).map(([id, files]) => {
    for (const [name, bytes] of files) site.set(`/models/${id}/${name}`, bytes)
    const listed = [...files].map(([name, bytes]) => {
      const hash = sha256()
      hash.update(bytes)
      return { name, bytes: bytes.length, sha256: hash.hex() }
    })
    const config: unknown = JSON.parse(text(files.get('config.json')!))
    return { id, name: id, config, hasChatTemplate: false, card: '', files: listed }
  })
  site.set('/models/index.json', bytesOf({ models: entries }))
}

const context = () => {
  const abort = new AbortController()
  const reports: Progress[] = []
  const call: CallContext = { signal: abort.signal, progress: (progress) => reports.push(progress) }
  return { ...call, abort, reports }
}
const load = (source: ModelSource, call: CallContext = context()) => library.load(source, {}, call)
const dropped = (files: Map<string, Bytes>) => ({
  files: [...files].map(([name, bytes]) => new File([bytes], name)),
})
const chunks = () => store.main.chunks.count()
const onDevice = async () => (await library.list()).filter((info) => info.loaded).map((info) => info.id)
const WEIGHTS = '/models/tiny/model.safetensors'
/** Lets the download of the weights wait until `go`. */
function gate() {
  const reached = deferred()
  const go = deferred()
  const weights = site.get(WEIGHTS) as Bytes
  site.set(WEIGHTS, async () => {
    reached.resolve()
    await go.promise
    return new Response(weights)
  })
  return { reached: reached.promise, go: () => go.resolve() }
}
function deferred() {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => (resolve = done))
  return { promise, resolve }
}
const fetches = (path: string) => asked.filter((other) => other === path).length

describe('loads that meet', () => {
  test('two loads of one model share one download, and both see its progress', async () => {
    const [first, second] = [context(), context()]
    const infos = await Promise.all([load({ builtin: 'tiny' }, first), load({ builtin: 'tiny' }, second)])
    expect(infos[0]).toMatchObject({ id: 'tiny', stored: true, loaded: true })
    expect(infos[1]).toEqual(infos[0])
    expect(fetches(WEIGHTS)).toBe(1)
    expect(second.reports.map(({ unit }) => unit)).toEqual(expect.arrayContaining(['bytes', 'items']))
    expect(await store.main.models.count()).toBe(1)
    expect(await chunks()).toBe(tiny.size)
  })

  test('a load and a look-up by id meet too', async () => {
    const [info, base] = await Promise.all([load({ builtin: 'tiny' }), library.use('tiny')])
    expect(base.info).toEqual(info)
    expect(fetches(WEIGHTS)).toBe(1)
  })

  test('who aborts leaves alone; the other goes on', async () => {
    const { reached, go } = gate()
    const [first, second] = [context(), context()]
    const leaving = load({ builtin: 'tiny' }, first)
    const staying = load({ builtin: 'tiny' }, second)
    const refused = expect(leaving).rejects.toMatchObject({ code: 'E_ABORTED' })
    await reached
    first.abort.abort()
    await refused
    expect(await onDevice()).toEqual([])
    go()
    expect(await staying).toMatchObject({ id: 'tiny' })
    expect(fetches(WEIGHTS)).toBe(1)
  })

  test('when all have aborted, the work ends and leaves nothing; the next load begins anew', async () => {
    const { reached, go } = gate()
    const [first, second] = [context(), context()]
    const both = Promise.allSettled([load({ builtin: 'tiny' }, first), load({ builtin: 'tiny' }, second)])
    await reached
    first.abort.abort()
    second.abort.abort()
    go()
    for (const result of await both) expect(result).toMatchObject({ reason: { code: 'E_ABORTED' } })
    await vi.waitFor(async () => expect(await chunks()).toBe(0))
    expect(await store.main.models.count()).toBe(0)
    expect(await load({ builtin: 'tiny' })).toMatchObject({ id: 'tiny' })
    expect(await chunks()).toBe(tiny.size)
  })

  test('an abort while the weights go to the device frees them and keeps the download', async () => {
    const abort = new AbortController()
    const progress = ({ unit, done }: Progress) => unit === 'items' && done > 3 && abort.abort()
    await expect(load({ builtin: 'tiny' }, { signal: abort.signal, progress })).rejects.toMatchObject({
      code: 'E_ABORTED',
    })
    await vi.waitFor(() => expect(tf.memory().numTensors).toBe(tensors))
    expect(await onDevice()).toEqual([])
    expect(await store.main.models.count()).toBe(1)
  })

  test('two tabs fetch one after the other: the second finds it there', async () => {
    vi.stubGlobal('navigator', { locks: fakeLocks() })
    const other = new ModelLibrary(store, () => opsFor('cpu'))
    const infos = await Promise.all([
      load({ builtin: 'tiny' }),
      other.load({ builtin: 'tiny' }, {}, context()),
    ])
    expect(infos.map(({ id }) => id)).toEqual(['tiny', 'tiny'])
    expect(fetches(WEIGHTS)).toBe(1)
    expect(await chunks()).toBe(tiny.size)
    other.unloadAll()
  })

  test('a model removed while it is loaded does not come back', async () => {
    const { reached, go } = gate()
    const refused = expect(load({ builtin: 'tiny' })).rejects.toMatchObject({ code: 'E_ABORTED' })
    await reached
    await library.remove('tiny')
    go()
    await refused
    expect(await chunks()).toBe(0)
    expect(await onDevice()).toEqual([])
  })
})

describe('a model that cannot be used leaves nothing', () => {
  const changed = (name: string, bytes: Bytes) => new Map(tiny).set(name, bytes)
  const tokenizerWith = (change: (json: { model: { vocab: Record<string, number> } }) => void) => {
    const json = JSON.parse(text(tiny.get('tokenizer.json')!)) as { model: { vocab: Record<string, number> } }
    change(json)
    return changed('tokenizer.json', bytesOf(json))
  }
  const config = JSON.parse(text(tiny.get('config.json')!)) as Record<string, unknown>
  const weights = tiny.get('model.safetensors')!

  const cases: [string, string, () => Map<string, Bytes>][] = [
    [
      'a token id above the vocabulary',
      'E_MODEL_FILES',
      () => tokenizerWith(({ model }) => (model.vocab['zzz'] = 320)),
    ],
    ['a tokenizer that is none', 'E_MODEL', () => changed('tokenizer.json', bytesOf({ model: 5 }))],
    ['a tokenizer that is null', 'E_MODEL', () => changed('tokenizer.json', bytesOf(null))],
    [
      'a wrong shape',
      'E_MODEL_FILES',
      () => changed('config.json', bytesOf({ ...config, intermediate_size: 57 })),
    ],
    [
      'more layers than there are',
      'E_MODEL_FILES',
      () => changed('config.json', bytesOf({ ...config, num_hidden_layers: 1024 })),
    ],
    ['cut weights', 'E_FORMAT', () => changed('model.safetensors', weights.slice(0, -100))],
    ['weights cut in the header', 'E_FORMAT', () => changed('model.safetensors', weights.slice(0, 100))],
    ['no weights', 'E_FORMAT', () => changed('model.safetensors', new Uint8Array(0))],
    [
      'another architecture',
      'E_MODEL_UNSUPPORTED',
      () => changed('config.json', bytesOf({ model_type: 'other' })),
    ],
  ]
  test.each(cases)('%s: %s', async (_what, code, files) => {
    const error = await load(dropped(files())).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(GraftError)
    expect((error as GraftError).code).toContain(code)
    expect(await store.main.models.count()).toBe(0)
    expect(await chunks()).toBe(0)
    expect(tf.memory().numTensors).toBe(tensors)
  })

  test('a base that is on the device stays when another cannot be used', async () => {
    await load({ builtin: 'tiny' })
    await expect(load(dropped(changed('model.safetensors', weights.slice(0, -4))))).rejects.toMatchObject({
      code: 'E_FORMAT',
    })
    expect(await onDevice()).toEqual(['tiny'])
    expect(await store.main.models.count()).toBe(1)
  })

  test('damage that comes later is told, but the model stays to be looked at', async () => {
    await load({ builtin: 'tiny' })
    library.unloadAll()
    const record = (await store.main.models.get('tiny'))!
    const { blob } = record.files.find(({ name }) => name === 'model.safetensors')!
    const chunk = (await store.main.chunks.get([blob, 0]))!
    chunk.bytes[5000]! ^= 1
    await store.main.chunks.put(chunk)
    await expect(load({ builtin: 'tiny' })).rejects.toMatchObject({ code: 'E_HASH' })
    expect(await store.main.models.count()).toBe(1)
  })
})

describe('holding', () => {
  test('a held base outlives its unloading, and goes with its last holder', async () => {
    const first = await library.hold('tiny')
    const second = await library.hold('tiny')
    expect(second.base).toBe(first.base)
    library.unload('tiny')
    expect(await onDevice()).toEqual([])
    const { weight } = first.base.model.linears('causal')[0]!
    first.release()
    first.release()
    expect(weight.kind === 'f32' && weight.data.isDisposed).toBe(false)
    second.release()
    expect(weight.kind === 'f32' && weight.data.isDisposed).toBe(true)
    expect(tf.memory().numTensors).toBe(tensors)
  })

  test('loading another base takes away only what nobody holds', async () => {
    const held = await library.hold('tiny')
    await load({ builtin: 'odd' })
    expect((await onDevice()).sort()).toEqual(['odd', 'tiny'])
    held.release()
    expect((await onDevice()).sort()).toEqual(['odd', 'tiny'])
    await load({ builtin: 'odd' })
    expect(await onDevice()).toEqual(['odd'])
  })

  test('bases that were only asked do not pile up', async () => {
    await library.use('tiny')
    await library.use('odd')
    expect(await onDevice()).toEqual(['odd'])
    const held = await library.hold('tiny')
    expect(await onDevice()).toEqual(['tiny'])
    held.release()
  })

  test('two that are asked for at once both arrive', async () => {
    const [a, b] = await Promise.all([library.hold('tiny'), library.hold('odd')])
    expect([a.base.info.id, b.base.info.id]).toEqual(['tiny', 'odd'])
    expect((await onDevice()).sort()).toEqual(['odd', 'tiny'])
    a.release()
    b.release()
  })

  test('an unknown id is said, and what failed holds nothing', async () => {
    await expect(library.hold('nothing')).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    await expect(load({ builtin: 'nothing' })).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
  })

  test('a base does not arrive on another device than it set out for', async () => {
    const progress = ({ unit, done }: Progress) => unit === 'items' && done === 3 && library.unloadAll()
    await expect(
      load({ builtin: 'tiny' }, { signal: new AbortController().signal, progress }),
    ).rejects.toMatchObject({ code: 'E_BUSY' })
    expect(await onDevice()).toEqual([])
    expect(tf.memory().numTensors).toBe(tensors)
  })
})

describe('downloads', () => {
  const cutAfter = (bytes: Bytes, error: Error) => () =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(bytes),
        pull: (controller) => controller.error(error),
      }),
    )

  test('a cut connection is E_NETWORK, leaves nothing and can be tried again', async () => {
    const weights = tiny.get('model.safetensors')!
    site.set(WEIGHTS, cutAfter(weights.slice(0, 1000), new TypeError('network error')))
    await expect(load({ builtin: 'tiny' })).rejects.toMatchObject({
      code: 'E_NETWORK',
      message: 'The download of model.safetensors was cut. Try again.',
    })
    expect(await chunks()).toBe(0)
    site.set(WEIGHTS, weights)
    expect(await load({ builtin: 'tiny' })).toMatchObject({ id: 'tiny' })
  })

  test('an aborted body is E_ABORTED', async () => {
    site.set(WEIGHTS, cutAfter(new Uint8Array(10), new DOMException('stopped', 'AbortError')))
    await expect(load({ builtin: 'tiny' })).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(await chunks()).toBe(0)
  })

  test('bytes that are not the published ones are E_HASH and do not stay', async () => {
    site.set(WEIGHTS, new Uint8Array(1000))
    await expect(load({ builtin: 'tiny' })).rejects.toMatchObject({ code: 'E_HASH' })
    expect(await chunks()).toBe(0)
  })
})

describe('the list of built-in models', () => {
  test.each([
    ['a page', '<!doctype html><title>Graft</title>'],
    ['no list', '{"models": 5}'],
    ['null', 'null'],
  ])('%s in its place is E_NETWORK', async (_what, body) => {
    site.set('/models/index.json', () => new Response(body))
    // The list is kept once it is read: another copy of the module reads it again.
    vi.resetModules()
    const { embeddedModels } = await import('../../../workers/engine/modelFiles.ts')
    await expect(embeddedModels()).rejects.toMatchObject({ code: 'E_NETWORK' })
    publish({ tiny })
    await expect(embeddedModels()).resolves.toHaveLength(1)
  })
})

/** Exclusive and shared Web Locks, as far as the store uses them. */
function fakeLocks() {
  const tails = new Map<string, Promise<unknown>>()
  return {
    async request<T>(name: string, { mode }: LockOptions, work: (lock: unknown) => Promise<T>): Promise<T> {
      if (mode === 'shared') return work({})
      const turn = (tails.get(name) ?? Promise.resolve()).then(() => work({}))
      tails.set(
        name,
        turn.catch(() => undefined),
      )
      return turn
    },
  }
}
