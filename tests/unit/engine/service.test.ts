// The engine as one object, as the worker makes it: estimates, the curated list, events, calls that reach their parts.
import 'fake-indexeddb/auto'
import '@tensorflow/tfjs-backend-cpu'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { EngineEvent } from '../../../src/protocol/engine.ts'
import { EngineService } from '../../../workers/engine/service.ts'
import { adapterFiles, modelFiles } from '../../golden/load.ts'
import { context } from './support.ts'

let service: EngineService
let events: EngineEvent[]
let asked: string[]

beforeAll(async () => {
  events = []
  asked = []
  vi.stubGlobal('self', { location: { origin: 'https://graft.test' } })
  vi.stubGlobal('fetch', (url: URL | string) => {
    asked.push(String(url))
    return Promise.resolve(
      new Response(String(url).includes('index.json') ? '{"models":[]}' : '', { status: 200 }),
    )
  })
  service = new EngineService((event) => events.push(event))
  await service.ready()
  await service.use('cpu')
}, 60_000)
afterAll(() => vi.unstubAllGlobals())

describe('estimates', () => {
  it('of the curated list, without a network', async () => {
    const before = asked.length
    const models = await service.searchModels('', undefined, context())
    expect(models.length).toBeGreaterThan(5)
    for (const { estimate } of models) expect(estimate!.sentence).toMatch(/[GM]B/)
    expect(asked.length).toBe(before)
    const smol = models.find(({ id }) => id === 'HuggingFaceTB/SmolLM2-135M')!
    expect(await service.estimateModel({ model: { hub: smol.id } }, undefined, context())).toEqual(
      smol.estimate,
    )
    expect(asked.length).toBe(before)
  })

  it('of a base that is here, with its settings, in the precision that it has', async () => {
    const { id } = await service.loadModel(
      { files: modelFiles('tiny-bert') },
      { precision: 'int8' },
      context(),
    )
    const plain = await service.estimateModel({ model: id }, undefined, context())
    expect(plain).toMatchObject({ precision: 'int8', fit: 'fits', budget: 2 ** 31 })
    const wide = await service.estimateModel(
      { model: id, adapter: { r: 64 }, training: { batchSize: 64 }, precision: 'f32', labels: 5 },
      undefined,
      context(),
    )
    expect(wide.precision).toBe('f32')
    expect(wide.trainableParameters).toBeGreaterThan(plain.trainableParameters)
    expect(wide.parts.block).toBeGreaterThan(plain.parts.block)
    await expect(
      service.estimateModel({ model: id, task: 'chat' }, undefined, context()),
    ).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    await expect(service.estimateModel({ model: 'nothing' }, undefined, context())).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
    })
  })
})

it('tells when the list of adapters has changed, and frees what it held of them', async () => {
  const { id: model } = await service.loadModel({ files: modelFiles('tiny-llama') }, {}, context())
  const count = () => events.filter(({ type }) => type === 'adapters').length
  const before = count()
  const source = { files: adapterFiles('tiny-llama', 'causal') }
  const { id } = await service.adapters.import(model, source, {}, context())
  expect(count()).toBe(before + 1)
  await service.ask.logits({ model, adapter: id }, undefined, [5, 6])
  await service.removeAdapter(id)
  expect(count()).toBe(before + 2)
  const again = await service.adapters.import(model, source, {}, context())
  expect(await service.adapters.list(model)).toEqual([again])
  await service.removeModel(model)
  expect(await service.adapters.list()).toEqual([])
})
