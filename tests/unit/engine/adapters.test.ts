// Adapters that peft wrote, through the engine: imported, asked, switched, trained further, exported, merged, removed.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readZip, writeZip } from '../../../src/formats/zip.ts'
import type { Target } from '../../../src/protocol/target.ts'
import {
  adapterFiles,
  decode,
  familyGolden,
  modelFiles,
  relativeError,
  variantFiles,
  type FamilyName,
} from '../../golden/load.ts'
import { context, engine, folderAs, type Engine } from './support.ts'

let e: Engine
beforeEach(async () => {
  e = await engine()
})
afterEach(() => e.close())

const load = async (name: FamilyName) => (await e.models.load({ files: modelFiles(name) }, {}, context())).id
const take = (model: string, files: File[], options: { name?: string; labels?: string[] } = {}) =>
  e.adapters.import(model, { files }, options, context())
const zipped = async (files: File[], name = 'mine.zip') =>
  new File(
    [
      writeZip(
        Object.fromEntries(
          await Promise.all(
            files.map(
              async (file) => [`mine/${file.name}`, new Uint8Array(await file.arrayBuffer())] as const,
            ),
          ),
        ),
      ),
    ],
    name,
  )
const logitsOf = async (target: Target, ids: number[]) => (await e.ask.logits(target, undefined, ids)).logits
const ONE_STEP = 1e-4

describe('import', () => {
  it.each(['tiny-qwen2', 'tiny-gpt2', 'tiny-gemma3'] as const)(
    "gives peft's logits beside %s, from loose files, a folder and a zip",
    async (name) => {
      const model = await load(name)
      const files = adapterFiles(name, 'causal')
      const { causal, base } = familyGolden(name)
      const { ids, logits } = causal!.sequence
      const ways = [files, await folderAs('my-adapter', files), [await zipped(files)]]
      for (const way of ways) {
        const info = await take(model, way)
        expect(info).toMatchObject({ model, task: 'causal', labels: null, r: causal!.adapter.r })
        const ours = await logitsOf({ model, adapter: info.id }, ids)
        expect(relativeError(ours, decode(logits))).toBeLessThan(ONE_STEP)
      }
      expect((await e.adapters.list(model)).map((info) => info.name)).toEqual([
        'Imported adapter',
        'my-adapter',
        'mine',
      ])
      expect(e.changes()).toBe(3)
      // The base alone is still the base; at strength 0 so is the adapter.
      const { id } = (await e.adapters.list(model))[0]!
      const { ids: other, logits: plain } = base.sequences[0]!
      for (const target of [{ model }, { model, adapter: id, strength: 0 }])
        expect(relativeError(await logitsOf(target, other), decode(plain))).toBeLessThan(ONE_STEP)
    },
    60_000,
  )

  it('classifies with the names that were given, or with transformers’ own', async () => {
    const model = await load('tiny-bert')
    const named = await take(model, adapterFiles('tiny-bert', 'classify'), {
      labels: ['red', 'green', 'blue'],
    })
    const plain = await take(model, adapterFiles('tiny-bert', 'classify'))
    expect(plain.labels).toEqual(['LABEL_0', 'LABEL_1', 'LABEL_2'])
    const { ids, logits } = familyGolden('tiny-bert').classify.batch
    const expected = decode(logits)
    for (const [row, each] of ids.entries()) {
      const ours = await logitsOf({ model, adapter: named.id }, each)
      expect(relativeError(ours, expected.subarray(3 * row, 3 * row + 3))).toBeLessThan(ONE_STEP)
    }
    const [one] = await e.ask.predict({ model, adapter: named.id }, ['a text'], undefined, context())
    const [same] = await e.ask.predict({ model, adapter: plain.id }, ['a text'], undefined, context())
    expect(Object.keys(one!.scores)).toEqual(['red', 'green', 'blue'])
    expect(Object.values(one!.scores)).toEqual(Object.values(same!.scores))
    await expect(
      take(model, adapterFiles('tiny-bert', 'classify'), { labels: ['one', 'two'] }),
    ).rejects.toMatchObject({ code: 'E_ARGUMENT', message: expect.stringContaining('3 classes') })
  })

  it('that classifies is evaluated on its own classes, and on no other task', async () => {
    const model = await load('tiny-qwen2')
    const csv = 'text,label\none,a\ntwo,b\nthree,c\nfour,a\n'
    const dataset = await e.dataset(csv, { task: 'classify', columns: { text: 'text', label: 'label' } })
    const texts = await e.dataset(csv, { task: 'complete', columns: { text: 'text' } })
    const { id } = await take(model, adapterFiles('tiny-qwen2', 'classify'), { labels: ['c', 'b', 'a'] })
    const evaluate = (data: string) => e.ask.evaluate({ model, adapter: id }, data, 'train', context())
    expect(await evaluate(dataset.id)).toMatchObject({ labels: ['c', 'b', 'a'], rows: 4 })
    await expect(evaluate(texts.id)).rejects.toMatchObject({
      code: 'E_ARGUMENT',
      message: expect.stringContaining('classify'),
    })
  })

  it('refuses what does not fit, and keeps nothing of it', async () => {
    const model = await load('tiny-llama')
    const chunks = await e.store.main.chunks.count()
    await expect(take(model, adapterFiles('tiny-gpt2', 'causal'))).rejects.toMatchObject({
      code: expect.stringMatching(/E_MODEL_FILES|E_FORMAT/),
    })
    await expect(take(model, [new File(['x'], 'notes.txt')])).rejects.toMatchObject({ code: 'E_FORMAT' })
    await expect(take(model, [])).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    await expect(take('nothing', adapterFiles('tiny-llama', 'causal'))).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
    })
    expect(await e.adapters.list()).toEqual([])
    expect(await e.store.main.chunks.count()).toBe(chunks)
  })

  it('keeps what was odd about an adapter, to be shown with it', async () => {
    const model = await load('tiny-llama')
    const files = await Promise.all(
      adapterFiles('tiny-llama', 'causal').map(async (file) => {
        if (file.name !== 'adapter_config.json') return file
        const config = { ...(JSON.parse(await file.text()) as object), use_newthing: true }
        return new File([JSON.stringify(config)], file.name)
      }),
    )
    const { warnings } = await take(model, files)
    expect(warnings).toEqual([expect.stringContaining('use_newthing')])
    expect((await e.adapters.list(model))[0]!.warnings).toEqual(warnings)
    expect(await take(model, adapterFiles('tiny-llama', 'causal'))).not.toHaveProperty('warnings')
  })

  it('several at once, one of a base that is removed meanwhile', async () => {
    const [model, other] = [await load('tiny-llama'), await load('tiny-llama')]
    const files = adapterFiles('tiny-llama', 'causal')
    const before = await e.store.main.chunks.count()
    const lost = take(other, files)
    const outcome = lost.then(
      () => 'taken',
      (error: { code: string }) => error.code,
    )
    const [first, second] = await Promise.all([
      take(model, files, { name: 'one' }),
      take(model, files, { name: 'two' }),
      e.models.remove(other),
    ])
    expect(['taken', 'E_NOT_FOUND']).toContain(await outcome)
    const listed = (await e.adapters.list()).map(({ id }) => id)
    expect(listed.sort()).toEqual([first.id, second.id].sort())
    await e.adapters.remove(first.id)
    await e.adapters.remove(second.id)
    // Nothing is left of the base that went, nor of its adapter.
    await e.models.remove(model)
    expect(before).toBeGreaterThan(0)
    expect(await e.store.main.chunks.count()).toBe(0)
  })

  it('may be removed while it answers', async () => {
    const model = await load('tiny-llama')
    const files = adapterFiles('tiny-llama', 'causal')
    const { id } = await take(model, files)
    const { ids, logits } = familyGolden('tiny-llama').causal!.sequence
    const target = { model, adapter: id }
    const before = e.tensors()
    const asked = Promise.allSettled([logitsOf(target, ids), logitsOf({ ...target, strength: 0.5 }, ids)])
    await e.adapters.remove(id)
    e.targets.clear()
    for (const answer of await asked)
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'E_NOT_FOUND' })
      else expect(answer.value.length).toBe(decode(logits).length)
    e.targets.clear()
    expect(e.tensors()).toBe(before)
  })

  it('is for one base, and goes with it', async () => {
    const model = await load('tiny-llama')
    const { id } = await take(model, adapterFiles('tiny-llama', 'causal'))
    const other = await load('tiny-llama-odd')
    await expect(logitsOf({ model: other, adapter: id }, [1, 2])).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
    await e.models.remove(model)
    expect(await e.adapters.list()).toEqual([])
    await e.models.remove(other)
    expect(await e.store.main.chunks.count()).toBe(0)
  })

  it('several stand on one base and are switched without loading it again', async () => {
    const model = await load('tiny-llama')
    const first = await take(model, adapterFiles('tiny-llama', 'causal'))
    const second = await take(model, adapterFiles('tiny-llama', 'classify'))
    const { base } = await e.models.hold(model)
    const before = await logitsOf({ model, adapter: first.id }, [5, 6, 7])
    await logitsOf({ model, adapter: second.id }, [5, 6, 7])
    const tensors = e.tensors()
    expect(await logitsOf({ model, adapter: first.id }, [5, 6, 7])).toEqual(before)
    expect(e.tensors()).toBe(tensors)
    expect(await e.models.use(model)).toBe(base)
    await e.adapters.remove(first.id)
    await expect(logitsOf({ model, adapter: first.id }, [5])).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
  })
})

const CSV = `text,label\n${Array.from({ length: 6 }, (_, i) => `the ${['sun', 'moon', 'rain'][i % 3]} number ${i},${['sun', 'moon', 'rain'][i % 3]}`).join('\n')}\n`
const CLASSIFY = { task: 'classify' as const, columns: { text: 'text', label: 'label' } }
const TRAINING = { steps: 2, batchSize: 6, shuffle: false, warmup: 0, learningRate: 1e-3 }

async function trained(request: Parameters<Engine['runs']['start']>[0]) {
  const id = await e.runs.start(request)
  const run = await e.runs.wait(id)
  expect(run.error).toBeNull()
  expect(run.status).toBe('done')
  return run
}

describe('training further', () => {
  it('begins with the loss of the imported adapter and with its settings', async () => {
    const model = await load('tiny-llama')
    const dataset = await e.dataset(CSV, CLASSIFY)
    const labels = ['sun', 'moon', 'rain']
    const { id, r, alpha } = await take(model, adapterFiles('tiny-llama', 'classify'), { labels })
    const before = await e.ask.evaluate({ model, adapter: id }, dataset.id, 'train', context())
    const run = await trained({
      dataset: dataset.id,
      model,
      adapter: { from: id, dropout: 0 },
      training: TRAINING,
    })
    expect(run.config.from).toBe(id)
    expect(run.config.adapter).toMatchObject({ r, alpha })
    // The classes keep the adapter's order, not the data's.
    expect(run.labels).toEqual(labels)
    expect(run.history[0]!.loss).toBeCloseTo(before.loss, 5)
    expect(run.history[1]!.loss).not.toBeCloseTo(before.loss, 3)

    const again = await trained({
      dataset: dataset.id,
      model,
      adapter: { from: run.id },
      training: TRAINING,
    })
    const after = await e.ask.evaluate({ run: run.id }, dataset.id, 'train', context())
    expect(again.history[0]!.loss).toBeCloseTo(after.loss, 5)
  }, 60_000)

  it('refuses settings and classes that contradict the adapter', async () => {
    const model = await load('tiny-llama')
    const dataset = await e.dataset(CSV, CLASSIFY)
    const { id, r } = await take(model, adapterFiles('tiny-llama', 'classify'), { labels: ['a', 'b', 'c'] })
    const start = (adapter: object) =>
      e.runs.start({ dataset: dataset.id, model, adapter: { from: id, ...adapter }, training: TRAINING })
    await expect(start({})).rejects.toMatchObject({
      code: 'E_ARGUMENT',
      message: expect.stringContaining('classes a, b, c'),
    })
    await expect(start({ r: r + 1 })).rejects.toMatchObject({ details: { setting: 'r' } })
    await expect(start({ lora_alpha: 99 })).rejects.toMatchObject({ details: { setting: 'alpha' } })
    await expect(
      e.runs.start({ dataset: dataset.id, model, adapter: { from: 'nothing' } }),
    ).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    const causal = await take(model, adapterFiles('tiny-llama', 'causal'))
    await expect(
      e.runs.start({ dataset: dataset.id, model, adapter: { from: causal.id } }),
    ).rejects.toMatchObject({ code: 'E_ARGUMENT', message: expect.stringContaining('writes text') })
  })
})

describe('export', () => {
  it('an imported adapter goes out as it came in', async () => {
    const model = await load('tiny-qwen3')
    const files = adapterFiles('tiny-qwen3', 'classify')
    const { id } = await take(model, files)
    const zip = await e.exporter.adapter({ model, adapter: id }, context())
    const { id: back } = await take(model, [new File([zip], 'again.zip')])
    const { ids } = familyGolden('tiny-qwen3').classify.batch
    expect(await logitsOf({ model, adapter: back }, ids[0]!)).toEqual(
      await logitsOf({ model, adapter: id }, ids[0]!),
    )
  })

  it.each([
    ['tiny-gpt2', 'causal', 1],
    ['tiny-gemma3', 'causal', 0.5],
    ['tiny-roberta', 'classify', 1],
  ] as const)(
    '%s merged with its %s adapter at strength %f loads as a base of its own',
    async (name, task, strength) => {
      const model = await load(name)
      const { id } = await take(model, adapterFiles(name, task))
      const target = { model, adapter: id, strength }
      const zip = await e.exporter.merged(target, 'f32', context())
      const files = [...(await readZip(zip)).values()]
      expect(files.map((file) => file.name)).toContain('model.safetensors')
      expect(files.map((file) => file.name)).toContain('tokenizer.json')
      if (task === 'classify') return
      const dropped = await Promise.all(files.map(async (file) => new File([await file.read()], file.name)))
      const ids = [3, 4, 5, 6]
      const expected = await logitsOf(target, ids)
      const { id: merged } = await e.models.load({ files: dropped }, {}, context())
      expect(relativeError(await logitsOf({ model: merged }, ids), expected)).toBeLessThan(ONE_STEP)
    },
    60_000,
  )

  it('goes out in words that llama.cpp reads, with the same answers', async () => {
    const model = await load('tiny-qwen2')
    const { id, r, alpha } = await take(model, variantFiles('tiny-qwen2-rslora'))
    const zip = await e.exporter.adapter({ model, adapter: id }, context(), 'llama.cpp')
    const files = [...(await readZip(zip)).values()]
    const dropped = await Promise.all(files.map(async (file) => new File([await file.read()], file.name)))
    const config = JSON.parse(
      await dropped.find(({ name }) => name === 'adapter_config.json')!.text(),
    ) as object
    expect(config).toMatchObject({ use_rslora: false, lora_alpha: alpha * Math.sqrt(r) })
    const again = await take(model, dropped)
    const ids = [3, 4, 5, 6]
    const expected = await logitsOf({ model, adapter: id }, ids)
    expect(relativeError(await logitsOf({ model, adapter: again.id }, ids), expected)).toBeLessThan(ONE_STEP)
    const dora = await take(model, variantFiles('tiny-qwen2-dora'))
    await expect(
      e.exporter.adapter({ model, adapter: dora.id }, context(), 'llama.cpp'),
    ).rejects.toMatchObject({ code: 'E_ARGUMENT', message: expect.stringContaining('merged model') })
    await expect(
      e.exporter.adapter({ model, adapter: id }, context(), 'ollama' as 'peft'),
    ).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })

  it('has nothing to export of a base alone, and no type of another name', async () => {
    const model = await load('tiny-llama')
    await expect(e.exporter.adapter({ model }, context())).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    const { id } = await take(model, adapterFiles('tiny-llama', 'causal'))
    await expect(e.exporter.adapter({ model, adapter: id, strength: 0.5 }, context())).rejects.toMatchObject({
      code: 'E_ARGUMENT',
      message: expect.stringContaining('strength'),
    })
    await expect(e.exporter.merged({ model, adapter: id }, 'f64' as 'f32', context())).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
  })
})
