// The state of the page around bases and adapters, on an API whose answers the test decides.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { GraftApi } from '../../../src/protocol/api.ts'
import type { Dataset } from '../../../src/protocol/data.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { AdapterInfo, MemoryEstimate, ModelInfo } from '../../../src/protocol/model.ts'
import { defaultAdapter } from '../../../src/protocol/settings.ts'
import { Adapters } from '../../../src/state/adapters.svelte.ts'
import { Estimate } from '../../../src/state/estimate.svelte.ts'
import { Hub } from '../../../src/state/hub.svelte.ts'
import { Models } from '../../../src/state/models.svelte.ts'
import { Notices } from '../../../src/state/notices.svelte.ts'
import { RunForm } from '../../../src/state/runForm.svelte.ts'
import type { RunState } from '../../../src/state/runs.svelte.ts'
import type { Selection } from '../../../src/state/selection.svelte.ts'
import { Work } from '../../../src/state/work.svelte.ts'

const model = {
  id: 'm',
  name: 'Base',
  family: 'llama',
  kind: 'decoder',
  tasks: ['classify', 'instruct', 'chat', 'complete'],
  hidden: 64,
  layers: 4,
  context: 512,
  precision: 'f16',
  loaded: true,
  stored: true,
  targets: ['q_proj', 'v_proj'],
  source: { hub: 'a/b', revision: 'r1' },
} as unknown as ModelInfo
const adapter = {
  id: 'adapter-1',
  name: 'voice',
  model: 'm',
  task: 'causal',
  r: 4,
  alpha: 8,
  targets: ['q_proj'],
  useDora: true,
  useRslora: false,
  createdAt: 1,
} as unknown as AdapterInfo

/** An API of the given calls; any other one fails the test that makes it. */
function apiOf(calls: object): GraftApi {
  return { engine: { subscribe: () => () => undefined }, ...calls } as unknown as GraftApi
}

function around(calls: object) {
  const api = apiOf(calls)
  const notices = new Notices()
  const work = new Work(notices)
  const hub = new Hub(api)
  const selection = { model: null } as unknown as Selection
  const models = new Models(api, work, notices, selection, hub)
  return { api, notices, work, hub, selection, models, adapters: new Adapters(api, work, notices, hub) }
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('loading a base', () => {
  it('keeps a failure with how far it had come, and takes it up again with the token', async () => {
    const load = vi
      .fn()
      .mockImplementationOnce(async (_source, { onProgress }) => {
        onProgress({ label: 'Downloading', done: 40, total: 100, unit: 'bytes' })
        throw new GraftError('E_NETWORK', 'Gated.', { status: 401 })
      })
      .mockImplementationOnce(async () => model)
    const { models, hub, notices, selection } = around({ models: { load, list: async () => [model] } })
    expect(await models.load({ hub: 'a/b' }, 'b', 'int8')).toBeUndefined()
    expect(models.attempt).toMatchObject({ state: 'failed', error: { message: 'Gated.' }, got: { done: 40 } })
    expect(notices.items).toEqual([])
    expect(load.mock.calls[0]![1]).not.toHaveProperty('token')

    hub.token = ' secret '
    models.retry()
    await vi.waitFor(() => expect(models.attempt).toBeNull())
    expect(load.mock.calls[1]).toMatchObject([{ hub: 'a/b' }, { precision: 'int8', token: 'secret' }])
    expect(selection.model).toBe('m')
    expect(models.current?.id).toBe('m')
  })

  it('keeps a cancelled download apart from a failed one', async () => {
    const load = (_: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(new GraftError('E_ABORTED', 'Cancelled.'))),
      )
    const { models, work, notices } = around({ models: { load } })
    const loading = models.load({ hub: 'a/b' }, 'b')
    work.of('model')!.cancel()
    await loading
    expect(models.attempt?.state).toBe('cancelled')
    expect(notices.items).toEqual([])
    models.forget()
    expect(models.attempt).toBeNull()
  })

  it('brings a base back in another precision, as the same base', async () => {
    const load = vi.fn(async () => model)
    const { models } = around({ models: { load, list: async () => [model] } })
    await models.reload(model, 'nf4')
    expect(load).toHaveBeenCalledWith({ builtin: 'm' }, expect.objectContaining({ precision: 'nf4' }))
    await models.reload({ ...model, source: { files: ['x'] } })
    expect(load).toHaveBeenLastCalledWith({ builtin: 'm' }, expect.not.objectContaining({ precision: 'nf4' }))
  })
})

describe('searching the Hub', () => {
  it('waits until typing settles, and shows the answer to the last words only', async () => {
    const answers: Record<string, (found: unknown) => void> = {}
    const search = vi.fn((words: string) => new Promise((resolve) => (answers[words] = resolve)))
    const { hub } = around({ models: { search } })
    hub.type('s')
    hub.type('smol')
    await vi.advanceTimersByTimeAsync(400)
    expect(search.mock.calls.map(([words]) => words)).toEqual(['smol'])
    hub.type('qwen')
    await vi.advanceTimersByTimeAsync(400)
    answers['qwen']!([{ id: 'q' }])
    answers['smol']!([{ id: 's' }])
    await vi.advanceTimersByTimeAsync(0)
    expect(hub.results).toEqual([{ id: 'q' }])
    expect(hub).toMatchObject({ searched: 'qwen', busy: false, error: null })
  })

  it('is asked again on another visit only where there is nothing to show, or for another device', async () => {
    const search = vi.fn(async () => [{ id: 'c' }])
    const { hub } = around({ models: { search } })
    hub.show('wasm')
    await vi.advanceTimersByTimeAsync(0)
    hub.show('wasm')
    expect(search).toHaveBeenCalledTimes(1)
    hub.show('webgpu')
    expect(search).toHaveBeenCalledTimes(2)
  })

  it('keeps the last answer beside an error', async () => {
    const search = vi
      .fn()
      .mockResolvedValueOnce([{ id: 'c' }])
      .mockRejectedValueOnce(new GraftError('E_NETWORK', 'No network.'))
    const { hub } = around({ models: { search } })
    await hub.search()
    hub.words = 'x'
    await hub.search()
    expect(hub.results).toEqual([{ id: 'c' }])
    expect(hub.error?.message).toBe('No network.')
  })
})

describe('estimates', () => {
  it('follows the last choice, and says why there is none', async () => {
    const asked = vi
      .fn()
      .mockResolvedValueOnce({ bytes: 1 } as MemoryEstimate)
      .mockRejectedValueOnce(new GraftError('E_ARGUMENT', 'Too long.'))
    const estimate = new Estimate(apiOf({ models: { estimate: asked } }))
    const stop = estimate.follow({ model: 'old' })
    stop!()
    estimate.follow({ model: 'm' })
    await vi.advanceTimersByTimeAsync(300)
    expect(asked).toHaveBeenCalledTimes(1)
    expect(asked.mock.calls[0]![0]).toEqual({ model: 'm' })
    expect(estimate.value).toEqual({ bytes: 1 })
    estimate.follow({ model: 'm', training: { maxLength: 1e6 } })
    await vi.advanceTimersByTimeAsync(300)
    expect(estimate).toMatchObject({ value: null, problem: 'Too long.', busy: false })
    estimate.follow(null)
    expect(estimate.problem).toBeNull()
  })
})

describe('adapters', () => {
  it('imports with the token of this visit, and keeps a failure in its place', async () => {
    const add = vi
      .fn()
      .mockRejectedValueOnce(new GraftError('E_MODEL_FILES', 'No weights.'))
      .mockResolvedValueOnce(adapter)
    const { adapters, hub, notices } = around({ adapters: { import: add } })
    hub.token = 'secret'
    adapters.offer([])
    expect(await adapters.import('m', { hub: 'o/a' }, 'o/a')).toBeUndefined()
    expect(adapters.failed).toMatchObject({ name: 'o/a', error: { message: 'No weights.' } })
    expect(adapters.failed!.source).toEqual({ hub: 'o/a' })
    expect(add.mock.calls[0]![1]).toEqual({ hub: 'o/a', token: 'secret' })
    await adapters.import('m', { files: [] }, 'files')
    expect(adapters).toMatchObject({ failed: null, offered: null, items: [adapter] })
    expect(adapters.of('m')).toEqual([adapter])
    expect(notices.items).toEqual([])
  })
})

describe('the form of a run', () => {
  const labelled = {
    id: 'd',
    config: { task: 'classify', columns: {} },
    labels: ['a', 'b', 'c'],
  } as unknown as Dataset
  const texts = { id: 't', config: { task: 'instruct', columns: {} }, labels: null } as unknown as Dataset

  function formOf(
    dataset: Dataset,
    base: ModelInfo = model,
    imported: AdapterInfo[] = [],
    runs: RunState[] = [],
  ) {
    return new RunForm({
      datasets: { items: [dataset], current: dataset },
      models: { current: base },
      adapters: { of: (id) => imported.filter((each) => each.model === id) },
      runs: { items: runs },
    })
  }

  it('sends only what was chosen', () => {
    const form = formOf(texts)
    expect(form.request).toEqual({ dataset: 't', model: 'm', adapter: {}, training: {} })
    form.setTraining('batchSize', 2)
    form.setAdapter('useDora', true)
    form.setAdapter('initLoraWeights', 'true')
    form.name = '  try '
    expect(form.request).toEqual({
      name: 'try',
      dataset: 't',
      model: 'm',
      adapter: { useDora: true, initLoraWeights: true },
      training: { batchSize: 2 },
    })
    form.setTraining('batchSize', undefined)
    form.reset()
    expect(form.changed).toBe(false)
  })

  it('drops what means nothing with the method', () => {
    const form = formOf(labelled)
    form.setAdapter('r', 4)
    form.setAdapter('topLayers', 2)
    expect(form.chosen).toEqual({ r: 4 })
    form.setAdapter('method', 'layers')
    expect(form.chosen).toEqual({ method: 'layers', topLayers: 2 })
    expect(form.has('r')).toBe(false)
    form.setAdapter('method', 'head')
    expect(form.chosen).toEqual({ method: 'head' })
    // Text has no head of its own.
    const writing = formOf(texts)
    writing.setAdapter('method', 'head')
    expect(writing.method).toBe('lora')
    expect(writing.methods).not.toContain('head')
  })

  it('takes a smaller default rate where the base itself is changed', () => {
    const form = formOf(labelled)
    const lora = form.trainingDefaults!.learningRate
    form.setAdapter('method', 'full')
    expect(form.trainingDefaults!.learningRate).toBeCloseTo(lora / 10, 6)
  })

  it('refuses what the base cannot learn, and values out of range', () => {
    const encoder = { ...model, name: 'BERT', kind: 'encoder' as const, tasks: ['classify' as const] }
    expect(formOf(texts, encoder).problems[0]).toContain('BERT reads whole texts')
    expect(formOf(texts, encoder).request).toBeNull()
    const form = formOf(labelled, encoder)
    expect(form.problems).toEqual([])
    form.setAdapter('targets', [])
    expect(form.problems).toEqual(['Choose at least one layer.'])
    form.setAdapter('targets', undefined)
    form.setAdapter('rankPattern', { q_proj: 0 })
    expect(form.problems[0]).toContain('Ranks of single layers')
    form.setAdapter('rankPattern', undefined)
    form.setTraining('batchSize', 0.5)
    expect(form.problems[0]).toContain('Batch size')
  })

  it('goes on from an adapter of this base and task, with its own settings', () => {
    const form = formOf(texts, model, [adapter])
    form.setAdapter('r', 64)
    form.start = adapter.id
    form.setAdapter('dropout', 0.1)
    expect(form.request!.adapter).toEqual({ from: 'adapter-1', dropout: 0.1 })
    expect(form.has('r')).toBe(false)
    expect(form.estimate).toMatchObject({
      adapter: { r: 4, useDora: true },
      precision: 'f16',
      task: 'instruct',
    })
    expect(formOf(labelled, model, [adapter]).beginnings).toEqual([])
    const other = formOf(texts, { ...model, id: 'other' }, [adapter])
    other.start = adapter.id
    expect(other.from).toBeUndefined()
    expect(other.request!.adapter).toEqual({})
  })

  it('goes on from a run with a checkpoint, whatever its method', () => {
    const info = (more: object) => ({
      config: { name: 'first', model: 'm', task: 'classify', adapter: defaultAdapter({ method: 'layers' }) },
      step: 12,
      checkpoints: [{ id: 'c', step: 12 }],
      ...more,
    })
    const run = (id: string, active: boolean, more = {}) =>
      ({ id, active, info: info(more) }) as unknown as RunState
    const runs = [run('a', false), run('b', true), run('c', false, { checkpoints: [] })]
    const form = formOf(labelled, model, [], runs)
    expect(form.beginnings.map(({ id, name }) => [id, name])).toEqual([['a', 'first, step 12']])
    form.start = 'a'
    form.setAdapter('dropout', 0.1)
    expect(form.request!.adapter).toEqual({ from: 'a' })
    expect(form.estimate!.adapter).toMatchObject({ method: 'layers' })
    expect(formOf(texts, model, [], runs).beginnings).toEqual([])
  })

  it('asks about memory for the labels of the data', () => {
    expect(formOf(labelled).estimate).toMatchObject({ model: 'm', task: 'classify', labels: 3 })
    expect(formOf(texts).estimate).not.toHaveProperty('labels')
  })
})
