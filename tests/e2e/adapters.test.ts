// Adapters of peft in the built site: imported, switched, weakened, trained further; broken ones are refused by name.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright'
import {
  parseSafetensors,
  readTensor,
  writeSafetensors,
  type TensorToWrite,
} from '../../src/formats/safetensors.ts'
import { decode, familyGolden, relativeError, VARIANTS, type FamilyName } from '../golden/load.ts'
import { exported, imported, textRows, trained, zipped, type Bytes } from './support/adapters.ts'
import {
  expectRefusal,
  importBytes,
  kept,
  loadBase,
  loadBytes,
  logitsOf,
  openBases,
  peftBytes,
  words,
  wordyBytes,
} from './support/bases.ts'
import type { Site } from './support/site.ts'

const ONE_STEP = 1e-4

let site: Site
let page: Page
beforeAll(async () => {
  site = await openBases()
  page = site.page
})
afterAll(async () => {
  await site?.close()
})

describe("peft's adapters", () => {
  // peft's logits are in the family's golden, in a variant's start or, for PiSSA, after its training.
  const causal = [
    ...(['tiny-llama', 'tiny-llama3', 'tiny-qwen3', 'tiny-gemma3', 'tiny-gpt2'] as const).map(
      (model) => [`${model} LoRA`, model, [model, 'causal'], familyGolden(model).causal!.sequence] as const,
    ),
    ...VARIANTS.flatMap(({ name, model, folder, sequence, after }) => {
      const golden = after ?? sequence
      return folder && golden ? [[name, model, [folder], golden] as const] : []
    }),
  ]
  it.each(causal)('%s', async (_, model, of, { ids, logits }) => {
    const { id } = await loadBase(page, model as FamilyName)
    const files = await peftBytes(...(of as [string]))
    const base = await logitsOf(page, { model: id }, ids)
    for (const way of [files, zipped(files, 'my-adapter/')]) {
      const adapter = await imported(page, id, way)
      expect(adapter).toMatchObject({ model: id, task: 'causal', labels: null })
      const ours = await logitsOf(page, { model: id, adapter: adapter.id }, ids)
      expect(relativeError(ours, decode(logits))).toBeLessThan(ONE_STEP)
      expect(relativeError(ours, base)).toBeGreaterThan(1e-3)
      // Nothing of it is left at strength 0; half of it is neither the one nor the other.
      const at = (strength: number) => logitsOf(page, { model: id, adapter: adapter.id, strength }, ids)
      expect(await at(0)).toEqual(base)
      expect(await at(1)).toEqual(ours)
      const half = await at(0.5)
      expect(relativeError(half, base)).toBeGreaterThan(1e-4)
      expect(relativeError(half, ours)).toBeGreaterThan(1e-4)
    }
    const names = (await page.evaluate((id) => window.graft.adapters.list(id), id)).map(({ name }) => name)
    expect(names).toEqual(['Imported adapter', 'from-peft'])
  })

  const classifiers = [
    ...(['tiny-bert', 'tiny-distilbert', 'tiny-roberta', 'tiny-qwen2'] as const).map(
      (model) => [`${model} LoRA`, model, [model, 'classify'], familyGolden(model).classify.batch] as const,
    ),
    ...VARIANTS.flatMap(({ name, model, task, folder, batch }) =>
      folder && task === 'classify' && batch?.logits
        ? [[name, model, [folder], { ids: batch.ids, logits: batch.logits }] as const]
        : [],
    ),
  ]
  it.each(classifiers)('%s as a classifier', async (_, model, of, { ids, logits }) => {
    const { id } = await loadBytes(page, wordyBytes(model as FamilyName))
    const labels = ['red', 'green', 'blue']
    const adapter = await imported(page, id, zipped(await peftBytes(...(of as [string]))), {
      labels,
      name: 'Colours',
    })
    expect(adapter).toMatchObject({ name: 'Colours', task: 'classify', labels })
    const target = { model: id, adapter: adapter.id }
    const expected = decode(logits)
    const ours = await Promise.all(ids.map((each) => logitsOf(page, target, each)))
    expect(relativeError(ours.flat(), expected)).toBeLessThan(ONE_STEP)
    const predictions = await page.evaluate(([target, texts]) => window.graft.predict(target, texts), [
      target,
      ids.map(words),
    ] as const)
    for (const [row, { label, scores }] of predictions.entries()) {
      const exponents = Array.from(expected.subarray(3 * row, 3 * row + 3), Math.exp)
      const total = exponents.reduce((sum, e) => sum + e)
      expect(
        relativeError(
          Object.values(scores),
          exponents.map((e) => e / total),
        ),
      ).toBeLessThan(1e-3)
      expect(label).toBe(labels[exponents.indexOf(Math.max(...exponents))])
    }
  })
})

it('two adapters stand on one base, and are switched, listed and removed', async () => {
  const { id: model } = await loadBase(page, 'tiny-qwen2')
  const { id: other } = await loadBase(page, 'tiny-gpt2')
  const before = await kept(page)
  const one = await imported(page, model, await peftBytes('tiny-qwen2', 'causal'), { name: 'One' })
  const two = await imported(page, model, await peftBytes('tiny-qwen2-dora'), { name: 'Two' })
  const { ids } = familyGolden('tiny-qwen2').causal!.sequence
  const ask = (adapter?: string) => logitsOf(page, adapter ? { model, adapter } : { model }, ids)
  const first = [await ask(), await ask(one.id), await ask(two.id)]
  expect(await ask(one.id)).toEqual(first[1])
  expect(await ask()).toEqual(first[0])
  expect(await ask(two.id)).toEqual(first[2])
  expect(relativeError(first[1]!, first[2]!)).toBeGreaterThan(1e-3)
  const list = () =>
    page.evaluate(
      async ([model, other]) => [
        await window.graft.adapters.list(model),
        await window.graft.adapters.list(other),
      ],
      [model, other] as const,
    )
  expect((await list()).map((infos) => infos.map(({ name }) => name))).toEqual([['One', 'Two'], []])
  const stranger = await page.evaluate(
    (target) => window.attempt(window.graft.logits(target, { ids: [1, 2] })),
    { model: other, adapter: one.id },
  )
  expectRefusal(stranger, /^E_ARGUMENT$/, /One was imported for the base/)
  await page.evaluate(
    (ids) => Promise.all(ids.map((id) => window.graft.adapters.remove(id))),
    [one.id, two.id],
  )
  expect(await list()).toEqual([[], []])
  expect(await kept(page)).toEqual(before)
  const gone = await page.evaluate((target) => window.attempt(window.graft.logits(target, { ids: [1] })), {
    model,
    adapter: one.id,
  })
  expectRefusal(gone, /^E_NOT_FOUND$/, /adapter/)
})

describe('a broken adapter is refused by name, and nothing of it stays', () => {
  const WEIGHTS = 'adapter_model.safetensors'
  const DROPPED = 'base_model.model.model.layers.1.mlp.up_proj.lora_B.weight'
  /** The same adapter with tensors that `change` makes of its own. */
  function rewritten(files: Bytes, change: (tensors: TensorToWrite[]) => TensorToWrite[]): Bytes {
    const bytes = files.get(WEIGHTS)!
    const own = [...parseSafetensors(bytes).tensors.values()].map((entry) => ({
      name: entry.name,
      shape: entry.shape,
      data: readTensor(bytes, entry),
    }))
    return new Map(files).set(WEIGHTS, writeSafetensors(change(own)))
  }
  const config = (files: Bytes, change: object): Bytes => {
    const name = 'adapter_config.json'
    const own = JSON.parse(new TextDecoder().decode(files.get(name)))
    return new Map(files).set(name, new TextEncoder().encode(JSON.stringify({ ...own, ...change })))
  }
  const broken: [string, FamilyName, (files: Bytes) => Bytes, RegExp, RegExp][] = [
    [
      'a tensor that is missing',
      'tiny-qwen2',
      (files) => rewritten(files, (tensors) => tensors.filter(({ name }) => name !== DROPPED)),
      /^E_MODEL_FILES$/,
      /layers\.1\.mlp\.up_proj/,
    ],
    [
      'a shape of another base',
      'tiny-qwen2',
      (files) =>
        rewritten(files, (tensors) =>
          tensors.map((tensor) =>
            tensor.name === DROPPED ? { ...tensor, shape: tensor.shape.toReversed() } : tensor,
          ),
        ),
      /^E_MODEL_FILES$/,
      /layers\.1\.mlp\.up_proj/,
    ],
    [
      'an adapter of another base',
      'tiny-gpt2',
      (files) => files,
      /^E_(MODEL_FILES|FORMAT)$/,
      /transformer\.h|c_attn/,
    ],
    [
      'a rank that the tensors have not',
      'tiny-qwen2',
      (files) => config(files, { r: 7 }),
      /^E_MODEL_FILES$/,
      /7/,
    ],
    [
      'another method',
      'tiny-qwen2',
      (files) => config(files, { peft_type: 'LOHA' }),
      /^E_MODEL_UNSUPPORTED$/,
      /LOHA/,
    ],
    [
      'no settings',
      'tiny-qwen2',
      (files) => new Map([...files].filter(([name]) => name !== 'adapter_config.json')),
      /^E_FORMAT$/,
      /adapter_config\.json/,
    ],
    [
      'cut in the middle',
      'tiny-qwen2',
      (files) => new Map(files).set(WEIGHTS, files.get(WEIGHTS)!.subarray(0, 9000)),
      /^E_FORMAT$/,
      /adapter|safetensors/,
    ],
  ]
  it.each(broken)('%s', async (_, from, breakIt, code, says) => {
    const { id } = await loadBase(page, 'tiny-qwen2')
    const before = await kept(page)
    const files = breakIt(await peftBytes(from, 'causal'))
    expectRefusal(await importBytes(page, id, files), code, says)
    expectRefusal(await importBytes(page, id, zipped(files)), code, says)
    expect(await page.evaluate((id) => window.graft.adapters.list(id), id)).toEqual([])
    expect(await kept(page)).toEqual(before)
  })
})

it('goes on from an imported adapter, pauses, and goes out again', async () => {
  const { id: model } = await loadBase(page, 'tiny-llama')
  const dataset = await textRows(page)
  const peft = await imported(page, model, await peftBytes('tiny-llama', 'causal'))
  const before = await page.evaluate(
    ([target, dataset]) => window.graft.evaluate(target, { dataset, split: 'train' }),
    [{ model, adapter: peft.id }, dataset] as const,
  )
  const run = await trained(page, { model, dataset, adapter: { from: peft.id } }, { steps: 3, batchSize: 8 })
  expect(Math.abs(run.history[0]!.loss / before.loss - 1)).toBeLessThan(1e-5)
  expect(run.history[2]!.loss).toBeLessThan(run.history[0]!.loss)
  // From the run, with a pause in the middle.
  const again = await page.evaluate(
    async ([model, dataset, from]) => {
      const { runs, evaluate } = window.graft
      const id = await runs.start({
        model,
        dataset,
        adapter: { from },
        training: { steps: 4, batchSize: 8, shuffle: false, learningRate: 5e-3, maxLength: 24, warmup: 0 },
      })
      await runs.pause(id)
      const { status } = await runs.get(id)
      await runs.resume(id)
      const whole = await runs.wait(id)
      return { status, run: whole, after: await evaluate({ run: from }, { dataset, split: 'train' }) }
    },
    [model, dataset, run.id] as const,
  )
  expect(again.status).toBe('paused')
  expect(again.run).toMatchObject({ status: 'done', error: null, step: 4 })
  expect(Math.abs(again.run.history[0]!.loss / again.after.loss - 1)).toBeLessThan(1e-5)
  const { id } = await imported(page, model, await exported(page, { run: again.run.id }))
  const { ids } = familyGolden('tiny-llama').causal!.sequence
  const ours = await logitsOf(page, { run: again.run.id }, ids)
  expect(relativeError(await logitsOf(page, { model, adapter: id }, ids), ours)).toBeLessThan(1e-5)
  const [contradicted, unknown] = await page.evaluate(
    ([model, dataset, from]) =>
      Promise.all([
        window.attempt(window.graft.runs.start({ model, dataset, adapter: { from, r: 9 } })),
        window.attempt(window.graft.runs.start({ model, dataset, adapter: { from: 'nothing' } })),
      ]),
    [model, dataset, peft.id] as const,
  )
  expectRefusal(contradicted!, /^E_ARGUMENT$/, /adapter\.r .*9/)
  expectRefusal(unknown!, /^E_NOT_FOUND$/, /nothing/)
})

it('is still there after a reload, beside its base, in the precision that was asked for', async () => {
  const { id: model } = await loadBase(page, 'tiny-qwen3', 'f16')
  const { id: adapter } = await imported(page, model, await peftBytes('tiny-qwen3', 'causal'), {
    name: 'Kept',
  })
  const { ids } = familyGolden('tiny-qwen3').causal!.sequence
  const before = await logitsOf(page, { model, adapter }, ids)
  await page.reload()
  await page.evaluate(() => window.graft.ready)
  const [info] = await page.evaluate((model) => window.graft.adapters.list(model), model)
  expect(info).toMatchObject({ id: adapter, name: 'Kept', model })
  expect(await logitsOf(page, { model, adapter }, ids)).toEqual(before)
  const listed = await page.evaluate(() => window.graft.models.list())
  expect(listed.find(({ id }) => id === model)).toMatchObject({ precision: 'f16', loaded: true })
  // It goes with its base.
  await page.evaluate((model) => window.graft.models.remove(model), model)
  expect(await page.evaluate(() => window.graft.adapters.list())).not.toContainEqual(
    expect.objectContaining({ id: adapter }),
  )
})

it('reported no error and no policy violation', () => {
  expect(site.errors).toEqual([])
})
