// Bases from the Hub and from dropped folders through the library, over an IndexedDB in memory and a server that answers
// like the Hub: what loads, what goes on after a cut, what is refused before its weights come, and what stays behind.
import 'fake-indexeddb/auto'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { inspectLogits } from '../../../src/core/explain/inspect.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { parseSafetensors, readTensor, writeSafetensors } from '../../../src/formats/safetensors.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { LoadOptions, ModelSource } from '../../../src/protocol/model.ts'
import type { CallContext, Progress } from '../../../src/protocol/progress.ts'
import { openStore, type Store } from '../../../src/store/database.ts'
import { sweep } from '../../../src/store/sweep.ts'
import { HubClient } from '../../../workers/engine/hub/client.ts'
import { ModelLibrary } from '../../../workers/engine/models.ts'
import { decode, FAMILY_NAMES, familyGolden, modelBytes, relativeError } from '../../golden/load.ts'
import { startHub, type Fault, type RequestSeen, type TestHub } from '../../support/hub.ts'

type Bytes = Uint8Array<ArrayBuffer>

const ID = 'tester/tiny'
const ON_STORAGE = /^\/tester\/tiny\/[0-9a-f]{40}\//
const tiny = modelBytes('tiny-llama')
const weights = tiny.get('model.safetensors')!
const json = (value: unknown): Bytes => new TextEncoder().encode(JSON.stringify(value))
const config = JSON.parse(new TextDecoder().decode(tiny.get('config.json'))) as Record<string, unknown>

let store: Store
let hub: TestHub
let library: ModelLibrary
let count = 0
beforeEach(async () => {
  await tf.setBackend('cpu')
  store = await openStore({ name: `hub-library-${count++}` })
  hub = await startHub()
  publish(tiny)
  library = newLibrary()
})
afterEach(async () => {
  library.unloadAll()
  vi.unstubAllGlobals()
  store.close()
  await hub.close()
})

/** As a new tab makes it. */
function newLibrary(): ModelLibrary {
  const client = new HubClient({ endpoint: hub.endpoint, wait: () => Promise.resolve() })
  return new ModelLibrary(store, () => opsFor('cpu'), { client })
}
function publish(files: Map<string, Uint8Array>, more: { gated?: boolean; licence?: string } = {}): void {
  // Weights, and with them the tokenizer of some 10 kB, are large enough for the other origin.
  hub.models.set(ID, { files: new Map(files), lfsBytes: 50_000, ...more })
}
const changed = (changes: Record<string, Uint8Array | null>): Map<string, Bytes> => {
  const files = new Map<string, Bytes>(tiny)
  for (const [name, bytes] of Object.entries(changes))
    if (bytes) files.set(name, new Uint8Array(bytes))
    else files.delete(name)
  return files
}
/** Not the looks at the weights' header, but what brings the weights. */
const whole = ({ range }: RequestSeen) => range === undefined || range.endsWith(`-${weights.length - 1}`)
const fault = (does: Fault['does'], times?: number) =>
  hub.faults.push({ path: ON_STORAGE, does, when: whole, ...(times !== undefined && { times }) })
const context = () => {
  const abort = new AbortController()
  const reports: Progress[] = []
  const call: CallContext = { signal: abort.signal, progress: (progress) => reports.push(progress) }
  return { ...call, abort, reports }
}
const load = (source: ModelSource = { hub: ID }, options: LoadOptions = {}, call: CallContext = context()) =>
  library.load(source, options, call)
async function failureOf(work: Promise<unknown>): Promise<GraftError> {
  const thrown = await work.then(
    () => 'nothing',
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(GraftError)
  return thrown as GraftError
}
const ranges = () => hub.seen.filter(({ host }) => host === 'storage').map(({ range }) => range)
/** Names of the files that are kept though they are no model yet. */
const pending = async () =>
  (await store.main.downloads.toArray()).map(({ key }) => key.split('/').at(-1)!).sort()
const kept = async () => (await store.main.chunks.toArray()).reduce((sum, { bytes }) => sum + bytes.length, 0)
const dropped = (files: Map<string, Bytes>, folder?: string) => ({
  files: [...files].map(([path, bytes]) => {
    const file = new File([bytes], path.split('/').at(-1)!)
    if (folder !== undefined)
      Object.defineProperty(file, 'webkitRelativePath', { value: `${folder}/${path}` })
    return file
  }),
})

/** The weights in two files with their index. */
function sharded(): Map<string, Bytes> {
  const header = parseSafetensors(weights)
  const tensors = [...header.tensors.values()].map((entry) => ({
    name: entry.name,
    shape: entry.shape,
    data: readTensor(weights, entry),
  }))
  const half = tensors.length >> 1
  const parts = [tensors.slice(0, half), tensors.slice(half)]
  const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
  const map = parts.flatMap((part, i) => part.map(({ name }) => [name, names[i]!]))
  const files = changed({ 'model.safetensors': null })
  parts.forEach((part, i) => files.set(names[i]!, writeSafetensors(part)))
  return files.set('model.safetensors.index.json', json({ weight_map: Object.fromEntries(map) }))
}

describe('from the Hub', () => {
  test('loads what was redirected, and knows the commit and the licence', async () => {
    publish(changed({ 'README.md': new TextEncoder().encode('---\nlicense: mit\n---\n# Tiny') }))
    const call = context()
    const info = await load({ hub: ID }, {}, call)
    expect(info).toMatchObject({
      id: `hub/${ID}@main`,
      name: 'tiny',
      family: 'llama',
      stored: true,
      loaded: true,
      source: { hub: ID, revision: hub.sha(ID) },
      licence: 'mit',
      card: '---\nlicense: mit\n---\n# Tiny',
    })
    expect(info.bytes).toBe(
      [...hub.models.get(ID)!.files.values()].reduce((sum, { length }) => sum + length, 0),
    )
    expect(await store.main.downloads.count()).toBe(0)
    expect(await sweep(store)).toMatchObject({ blobs: 0 })
    // Whole bytes of all files, by whose pace the time left is told.
    const bytes = call.reports.filter(({ unit }) => unit === 'bytes')
    expect(bytes.at(-1)).toMatchObject({ done: info.bytes, total: info.bytes, secondsLeft: 0 })
    expect(bytes.every(({ done }, i) => i === 0 || done >= bytes[i - 1]!.done)).toBe(true)
  })

  test('is here from then on, whatever the branch does, and without a network', async () => {
    const first = await load()
    library.unloadAll()
    publish(changed({ 'README.md': json('newer') }))
    hub.seen.length = 0
    expect(await newLibrary().load({ hub: ID }, {}, context())).toEqual(first)
    expect(hub.seen).toEqual([])
    const newer = await load({ hub: ID, revision: hub.sha(ID) })
    expect(newer.source).toEqual({ hub: ID, revision: hub.sha(ID) })
    expect(newer.id).not.toBe(first.id)
  })

  test('in parts by an index', async () => {
    publish(sharded())
    expect(await load()).toMatchObject({ loaded: true })
    const record = (await store.main.models.get(`hub/${ID}@main`))!
    expect(record.files.filter(({ name }) => name.endsWith('.safetensors'))).toHaveLength(2)
  })

  test.each(FAMILY_NAMES)('%s: its logits are those of PyTorch', async (name) => {
    const golden = familyGolden(name)
    publish(modelBytes(name))
    const info = await load()
    expect(info.parameters).toBeGreaterThan(0)
    expect(info.targets.length).toBeGreaterThan(0)
    expect(info.family).toBe(golden.config['model_type'])
    const { base, release } = await library.hold(info.id)
    try {
      const { ids, logits } = golden.base.sequences[0]!
      const ours = await inspectLogits(base.model, ids, { adaptation: null, classify: false }, base.padId)
      expect(relativeError(ours.logits, decode(logits))).toBeLessThan(1e-4)
    } finally {
      release()
    }
  })

  test('a chat template in a file of its own', async () => {
    publish(changed({ 'chat_template.json': json({ chat_template: '{{ messages[0].content }}' }) }))
    expect((await load()).hasChatTemplate).toBe(true)
    const base = await library.use(`hub/${ID}@main`)
    expect(base.tokenizer.renderChat([{ role: 'user', content: 'x' }], false)).toContain('x')
  })
})

describe('a cut', () => {
  test('in passing: the same call goes on', async () => {
    fault({ cutAfter: 50_000 }, 1)
    await load()
    expect(ranges().slice(2)).toEqual([undefined, `bytes=50000-${weights.length - 1}`])
  })

  test('that stays: the next call goes on, even in a new tab after a sweep', async () => {
    fault({ cutAfter: 60_000 }, 1)
    fault({ status: 404 })
    expect(await failureOf(load())).toMatchObject({ code: 'E_NETWORK' })
    expect(await pending()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    expect(await store.main.models.count()).toBe(0)
    expect(await sweep(store)).toMatchObject({ blobs: 0 })

    hub.faults.length = 0
    hub.seen.length = 0
    library = newLibrary()
    const call = context()
    const info = await load({ hub: ID }, {}, call)
    expect(ranges().slice(2)).toEqual([`bytes=60000-${weights.length - 1}`])
    expect(hub.seen.filter(({ path }) => path.includes('tokenizer.json'))).toEqual([])
    expect(call.reports.find(({ label }) => label.includes('model.safetensors'))!.done).toBeLessThan(20_000)
    expect(await pending()).toEqual([])
    expect(await kept()).toBe(info.bytes)
    library.unloadAll()
    await expect(library.use(info.id)).resolves.toBeDefined()
  })

  test('goes on under another name of the same commit', async () => {
    fault({ cutAfter: 60_000 }, 1)
    fault({ status: 404 })
    await failureOf(load())
    hub.faults.length = 0
    hub.seen.length = 0
    await load({ hub: ID, revision: hub.sha(ID) })
    expect(ranges().slice(2)).toEqual([`bytes=60000-${weights.length - 1}`])
  })

  test('is forgotten when the model is removed', async () => {
    fault({ cutAfter: 60_000 }, 1)
    fault({ status: 404 })
    await failureOf(load())
    await library.remove('hub/tester/other@main')
    expect(await pending()).toHaveLength(4)
    await library.remove(`hub/${ID}@main`)
    expect(await pending()).toEqual([])
    expect(await kept()).toBe(0)
  })

  test('by an abort keeps what is there', async () => {
    fault({ stall: true })
    hub.faults.unshift({ path: ON_STORAGE, does: { cutAfter: 60_000 }, when: whole, times: 1 })
    const call = context()
    const loading = failureOf(load({ hub: ID }, {}, call))
    await vi.waitFor(() => expect(ranges()).toHaveLength(4))
    call.abort.abort()
    expect((await loading).code).toBe('E_ABORTED')
    await vi.waitFor(async () => expect(await kept()).toBeGreaterThan(60_000))
    hub.faults.length = 0
    await load()
    expect(ranges().at(-1)).toBe(`bytes=60000-${weights.length - 1}`)
  })

  test.each<[string, Fault['does']]>([
    ['a wrong byte', { corrupt: true }],
    ['a wrong length', { longerBy: 3 }],
  ])('%s is E_HASH, names the file, and is never kept', async (_what, does) => {
    fault(does)
    const error = await failureOf(load())
    expect(error.code).toBe('E_HASH')
    expect(error.message).toContain('model.safetensors')
    expect(await pending()).toEqual(['config.json', 'tokenizer.json', 'tokenizer_config.json'])
    expect(await kept()).toBeLessThan(20_000)
    expect(await store.main.models.count()).toBe(0)
    hub.faults.length = 0
    expect(await load()).toMatchObject({ loaded: true })
  })
})

describe('refused before the weights come', () => {
  const cases: [string, string, string, () => Map<string, Uint8Array>][] = [
    [
      'an unknown type',
      'E_MODEL_UNSUPPORTED',
      'mamba',
      () => changed({ 'config.json': json({ model_type: 'mamba' }) }),
    ],
    [
      'a field that changes the maths',
      'E_MODEL_UNSUPPORTED',
      'hidden_act',
      () => changed({ 'config.json': json({ ...config, hidden_act: 'relu' }) }),
    ],
    ['no config', 'E_MODEL_FILES', 'config.json', () => changed({ 'config.json': null })],
    ['no tokenizer', 'E_MODEL_FILES', 'tokenizer.json', () => changed({ 'tokenizer.json': null })],
    [
      'an older tokenizer',
      'E_MODEL_FILES',
      'save_pretrained',
      () => changed({ 'tokenizer.json': null, 'vocab.txt': json('[PAD]') }),
    ],
    [
      'a pickle',
      'E_MODEL_FILES',
      'pytorch_model.bin',
      () => changed({ 'model.safetensors': null, 'pytorch_model.bin': weights }),
    ],
    [
      'an adapter',
      'E_MODEL_FILES',
      'adapter',
      () => changed({ 'model.safetensors': null, 'adapter_model.safetensors': weights }),
    ],
    [
      'weights that config.json does not call for',
      'E_MODEL_FILES',
      'has shape',
      () => changed({ 'config.json': json({ ...config, intermediate_size: 57 }) }),
    ],
    [
      'more layers than there are',
      'E_MODEL_FILES',
      'layers.2',
      () => changed({ 'config.json': json({ ...config, num_hidden_layers: 3 }) }),
    ],
    [
      'weights that are none',
      'E_FORMAT',
      '',
      () => changed({ 'model.safetensors': new Uint8Array(60_000).fill(7) }),
    ],
    [
      'a part that is missing',
      'E_MODEL_FILES',
      'model-00002-of-00002.safetensors',
      () => {
        const files = sharded()
        files.delete('model-00002-of-00002.safetensors')
        return files
      },
    ],
    [
      'an index that leads elsewhere',
      'E_MODEL_FILES',
      'index.json',
      () => sharded().set('model.safetensors.index.json', json({ weight_map: { a: '../x.safetensors' } })),
    ],
    [
      'parts without an index, one missing',
      'E_MODEL_FILES',
      'model-00001-of-00002.safetensors',
      () => {
        const files = sharded()
        files.delete('model.safetensors.index.json')
        files.delete('model-00001-of-00002.safetensors')
        return files
      },
    ],
  ]
  test.each(cases)('%s: %s', async (_what, code, named, files) => {
    publish(files())
    const error = await failureOf(load())
    expect(error.code).toBe(code)
    expect(error.message).toContain(named)
    // Of what is large, no more than the header.
    expect(ranges().every((range) => range !== undefined && !whole({ range } as RequestSeen))).toBe(true)
    expect(await kept()).toBe(0)
    expect(await pending()).toEqual([])

    // The same as dropped files.
    const again = await failureOf(load(dropped(files() as Map<string, Bytes>)))
    expect(again.code).toBe(code)
    expect(await kept()).toBe(0)
  })

  test('no room: needed and free bytes are named before the weights come', async () => {
    const estimate = () => Promise.resolve({ usage: 1_000_000, quota: 1_050_000 })
    vi.stubGlobal('navigator', { storage: { estimate, persisted: () => Promise.resolve(true) } })
    const error = await failureOf(load())
    expect(error).toMatchObject({
      code: 'E_STORAGE',
      details: { neededBytes: weights.length, freeBytes: 50_000 },
    })
    expect(error.message).toContain('0.1 MB')
    expect(ranges().some((range) => whole({ range } as RequestSeen))).toBe(false)
    expect(await kept()).toBe(0)
  })
})

test('no room, but for what was left of other downloads: that goes', async () => {
  fault({ cutAfter: 60_000 }, 1)
  fault({ status: 404 })
  await failureOf(load())
  hub.faults.length = 0
  // Another model, two hours later, with room for one of them.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 60 * 60 * 1000 })
  publish(changed({ 'README.md': json('other') }))
  const estimate = () => Promise.resolve({ usage: 1_000_000, quota: 1_060_000 })
  vi.stubGlobal('navigator', { storage: { estimate, persisted: () => Promise.resolve(true) } })
  const info = await load({ hub: ID, revision: hub.sha(ID) })
  vi.useRealTimers()
  expect(await pending()).toEqual([])
  expect(await kept()).toBe(info.bytes)
})

describe('a gated model', () => {
  beforeEach(() => publish(tiny, { gated: true }))

  test('says what to do, and loads with a token', async () => {
    const error = await failureOf(load())
    expect(error).toMatchObject({ code: 'E_NETWORK', details: { status: 401, gated: true } })
    expect(error.message).toContain('Accept its licence')
    expect(await load({ hub: ID }, { token: hub.token })).toMatchObject({ loaded: true })
    // From then on it is here.
    library.unloadAll()
    hub.seen.length = 0
    await load()
    expect(hub.seen).toEqual([])
  })

  test('whose token is nowhere: not in the database, not in progress, not in errors', async () => {
    const call = context()
    fault({ cutAfter: 60_000 }, 1)
    fault({ status: 500 })
    const error = await failureOf(load({ hub: ID }, { token: hub.token }, call))
    expect(await pending()).toContain('model.safetensors')
    const during = await everything()
    hub.faults.length = 0
    const info = await load({ hub: ID }, { token: hub.token }, call)
    const text = [
      during,
      await everything(),
      JSON.stringify([call.reports, info, error.details]),
      error.message,
    ]
    expect(text.join().length).toBeGreaterThan(1000)
    expect(text.join()).not.toContain(hub.token)
  })

  /** All that both databases hold, as text. */
  async function everything(): Promise<string> {
    const tables = [...store.main.tables, ...store.ledger.tables]
    const rows = await Promise.all(tables.map((table) => table.toArray() as Promise<unknown[]>))
    return JSON.stringify(rows.flat(), (_key, value: unknown) =>
      value instanceof Uint8Array ? new TextDecoder('latin1').decode(value) : value,
    )
  }
})

describe('dropped', () => {
  test('a folder with checkpoints in it: the files beside the uppermost config.json', async () => {
    const files = new Map([...changed({}), ['checkpoint-5/config.json', json({ model_type: 'other' })]])
    files.set('checkpoint-5/model.safetensors', new Uint8Array(3))
    const info = await load(dropped(files, 'My model'))
    expect(info).toMatchObject({ name: 'My model', loaded: true })
    expect(info.source).toEqual({ files: [...tiny.keys()] })
  })

  test('two models side by side are refused', async () => {
    const files = new Map(
      [...tiny].flatMap(([name, bytes]) => [[`a/${name}`, bytes] as const, [`b/${name}`, bytes]]),
    )
    expect(await failureOf(load(dropped(files, 'both')))).toMatchObject({ code: 'E_MODEL_FILES' })
  })

  test('parts, with their index or without', async () => {
    const files = sharded()
    expect(await load(dropped(files))).toMatchObject({ loaded: true })
    files.delete('model.safetensors.index.json')
    expect(await load(dropped(files))).toMatchObject({ loaded: true })
  })

  test('is never in memory as a whole', async () => {
    const { files } = dropped(changed({}))
    const file = files.find(({ name }) => name === 'model.safetensors')!
    const refuse = () => Promise.reject(new Error('read as a whole'))
    Object.assign(file, { arrayBuffer: refuse, bytes: refuse, text: refuse })
    expect(await load({ files })).toMatchObject({ loaded: true })
  })
})
