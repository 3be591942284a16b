// Loads of one base in several precisions: what was asked is what comes, and what failed is not what comes next time.
import 'fake-indexeddb/auto'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { opsFor } from '../../../src/core/ops/index.ts'
import { PRECISIONS, type Precision } from '../../../src/protocol/model.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import { openStore, type Store } from '../../../src/store/database.ts'
import { ModelLibrary } from '../../../workers/engine/models.ts'
import { modelFiles } from '../../golden/load.ts'

let store: Store
let library: ModelLibrary
let tensors: number
let id: string
let count = 0

const context = (
  progress: CallContext['progress'] = () => undefined,
  signal = new AbortController().signal,
) => ({
  signal,
  progress,
})
const load = (precision: Precision, call: CallContext = context()) =>
  library.load({ builtin: id }, { precision }, call)

beforeEach(async () => {
  await tf.setBackend('cpu')
  vi.stubGlobal('self', { location: { origin: 'https://graft.test' } })
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('{"models":[]}')))
  store = await openStore({ name: `precisions-test-${count++}` })
  library = new ModelLibrary(store, () => opsFor('cpu'))
  tensors = tf.memory().numTensors
  id = (await library.load({ files: modelFiles('tiny-llama') }, {}, context())).id
})
afterEach(() => {
  library.unloadAll()
  expect(tf.memory().numTensors).toBe(tensors)
  vi.unstubAllGlobals()
  store.close()
})

test('two loads in different precisions at once both end, each with its own', async () => {
  const infos = await Promise.all(PRECISIONS.map((precision) => load(precision)))
  expect(infos.map(({ precision }) => precision)).toEqual(PRECISIONS)
  expect(PRECISIONS).toContain(library.precisionOf(id))
}, 20_000)

test('a precision that failed to load is not the one of the next visit', async () => {
  expect(await load('int8')).toMatchObject({ precision: 'int8' })
  const abort = new AbortController()
  const stopping = context(({ unit }) => unit === 'items' && abort.abort(), abort.signal)
  await expect(load('nf4', stopping)).rejects.toMatchObject({ code: 'E_ABORTED' })
  library.unloadAll()
  expect((await library.use(id)).info.precision).toBe('int8')
})
