// A base in every precision through window.graft: logits as of PyTorch with the same rounding, training on top, what the
// precision costs and what memory it takes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright'
import { PRECISIONS } from '../../src/protocol/model.ts'
import { decode, familyGolden, relativeError, VARIANTS } from '../golden/load.ts'
import { textRows, trained } from './support/adapters.ts'
import {
  expectRefusal,
  importBytes,
  kept,
  loadBase,
  logitsOf,
  openBases,
  peftBytes,
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

/** Bases rounded by PyTorch as Graft rounds them unless told otherwise: QLoRA's tables stay in halves. */
const rounded = VARIANTS.flatMap(({ name, model, precision, tables, sequences, errorToF32 }) =>
  precision && sequences && tables === (precision === 'nf4' ? 'f16' : precision)
    ? [[name, model, precision, sequences, errorToF32!] as const]
    : [],
)

describe('rounded bases', () => {
  it('are there in every precision', () => {
    expect(new Set(rounded.map(([, , precision]) => precision))).toEqual(new Set(['f16', 'int8', 'nf4']))
  })

  it.each(rounded)('%s has the logits of PyTorch', async (_, name, precision, sequences, errorToF32) => {
    const info = await loadBase(page, name, precision)
    expect(info.precision).toBe(precision)
    const exact = await loadBase(page, name, 'f32')
    let largest = 0
    for (const { ids, logits } of sequences) {
      const ours = await logitsOf(page, { model: info.id }, ids)
      expect(relativeError(ours, decode(logits))).toBeLessThan(ONE_STEP)
      largest = Math.max(largest, relativeError(ours, await logitsOf(page, { model: exact.id }, ids)))
    }
    expect(largest / errorToF32).toBeGreaterThan(0.9)
    expect(largest / errorToF32).toBeLessThan(1.1)
  })

  it('trains, and says what it costs, in one precision after another', async () => {
    const name = 'tiny-gemma3'
    const { id: model } = await loadBase(page, name, 'f32')
    const dataset = await textRows(page)
    const { value: adapter } = await importBytes(page, model, await peftBytes(name, 'causal'))
    const { ids, logits } = familyGolden(name).causal!.sequence
    const exact = await logitsOf(page, { model }, ids)
    for (const precision of [...PRECISIONS, 'f32'] as const) {
      // The same base, from what this browser has stored.
      const info = await page.evaluate(
        ([id, precision]) => window.graft.models.load({ builtin: id }, { precision }),
        [model, precision] as const,
      )
      expect(info).toMatchObject({ id: model, precision })
      const listed = await page.evaluate(() => window.graft.models.list())
      expect(listed.find(({ id }) => id === model)).toMatchObject({ precision, loaded: true })
      const ours = await logitsOf(page, { model }, ids)
      const error = relativeError(ours, exact)
      const bounds = { f32: [0, 0], f16: [1e-6, 3e-3], int8: [1e-4, 0.1], nf4: [1e-3, 0.8] } as const
      expect(error).toBeGreaterThanOrEqual(bounds[precision][0])
      expect(error).toBeLessThanOrEqual(bounds[precision][1])
      const run = await trained(
        page,
        { model, dataset, adapter: { r: 4, alpha: 8 } },
        { steps: 3, batchSize: 8, learningRate: 1e-2 },
      )
      expect(run.history[2]!.loss).toBeLessThan(run.history[0]!.loss)
      const cost = await page.evaluate((id) => window.graft.models.precisionReport(id), model)
      expect(cost.precision).toBe(precision)
      expect(cost.tokens).toBeGreaterThan(100)
      for (const figure of [
        cost.logitError.relative,
        cost.logitError.rms,
        cost.perplexity,
        cost.perplexityF32,
      ])
        expect(Number.isFinite(figure)).toBe(true)
      expect(cost.perplexityF32).toBeGreaterThan(1)
      if (precision === 'f32') expect(cost).toMatchObject({ logitError: { relative: 0, rms: 0 } })
      else expect(cost.logitError.rms).toBeGreaterThan(0)
      expect(Math.abs(Math.log(cost.perplexity / cost.perplexityF32))).toBeLessThan(
        precision === 'nf4' ? 1 : 0.1,
      )
      // Its adapters stand beside it in every precision.
      const beside = await logitsOf(page, { model, adapter: adapter!.id }, ids)
      if (precision === 'f32') expect(relativeError(beside, decode(logits))).toBeLessThan(ONE_STEP)
      else expect(relativeError(beside, ours)).toBeGreaterThan(1e-3)
    }
  })
})

it('a base stays, and stays as it is, while a run needs it; what was trained on it goes on in another precision', async () => {
  const { id: model } = await loadBase(page, 'tiny-llama', 'f32')
  const dataset = await textRows(page)
  const { refused, run, logits, zip } = await page.evaluate(
    async ([model, dataset]) => {
      const { models, runs, logits, export: out } = window.graft
      const training = { steps: 60, batchSize: 4, maxLength: 24 }
      const id = await runs.start({ model, dataset, training })
      const remove = () => window.attempt(models.remove(model))
      const change = () => window.attempt(models.load({ builtin: model }, { precision: 'int8' }))
      const refused: Awaited<ReturnType<typeof remove | typeof change>>[] = [await remove()]
      await runs.pause(id)
      refused.push(await remove(), await change())
      await runs.stop(id)
      const run = await runs.wait(id)
      const changed = await models.load({ builtin: model }, { precision: 'int8' })
      const answer = await logits({ run: id }, { ids: [5, 6, 7] })
      const merged = await out.merged(id)
      return { refused, run, logits: Array.from(answer.logits), changed, zip: merged.size }
    },
    [model, dataset] as const,
  )
  for (const outcome of refused) expectRefusal(outcome, /^E_BUSY$/, /run/)
  expect(run.status).toBe('stopped')
  expect(logits.every(Number.isFinite)).toBe(true)
  expect(zip).toBeGreaterThan(27_000 * 4)
})

describe('memory', () => {
  it('is estimated for a base that is here, and for one of the list without a network', async () => {
    const { id } = await loadBase(page, 'tiny-qwen2')
    const estimates = await page.evaluate(async (id) => {
      const { models } = window.graft
      const curated = (await models.search()).find((model) => model.curated && !model.gated)!
      return {
        here: await models.estimate({
          model: id,
          task: 'instruct',
          training: { batchSize: 2, maxLength: 32 },
        }),
        more: await models.estimate({
          model: id,
          task: 'instruct',
          training: { batchSize: 8, maxLength: 32 },
        }),
        dora: await models.estimate({ model: id, task: 'instruct', adapter: { r: 64, useDora: true } }),
        lora: await models.estimate({ model: id, task: 'instruct', adapter: { r: 4 } }),
        asked: await models.estimate({ model: id, precision: 'nf4' }),
        hub: await models.estimate({ model: { hub: curated.id }, task: 'classify', labels: 5 }),
        parameters: curated.parameters!,
      }
    }, id)
    const { parameters, ...all } = estimates
    for (const estimate of Object.values(all)) {
      const { f32, f16, int8, nf4 } = estimate.byPrecision
      expect(f32.bytes).toBeGreaterThan(f16.bytes)
      expect(f16.bytes).toBeGreaterThan(int8.bytes)
      expect(int8.bytes).toBeGreaterThan(nf4.bytes)
      const order = ['fits', 'tight', 'tooLarge']
      const fits = [nf4, int8, f16, f32].map(({ fit }) => order.indexOf(fit))
      expect(fits).toEqual(fits.toSorted((a, b) => a - b))
      expect(fits[0]).toBeGreaterThanOrEqual(0)
      expect(estimate.bytes).toBe(estimate.byPrecision[estimate.precision].bytes)
      expect(Object.values(estimate.parts).reduce((sum, part) => sum + part)).toBe(estimate.bytes)
      expect(Number.isInteger(estimate.bytes)).toBe(true)
      expect(estimate.sentence).toMatch(/^[A-Z].{20,}\.$/)
    }
    expect(all.more.bytes).toBeGreaterThan(all.here.bytes)
    expect(all.dora.trainableParameters).toBeGreaterThan(all.lora.trainableParameters * 16)
    expect(all.asked.precision).toBe('nf4')
    // Of four bytes a weight about half of one stays, and two of the token table.
    const saved = all.hub.byPrecision.f32.bytes - all.hub.byPrecision.nf4.bytes
    expect(saved / parameters).toBeGreaterThan(2)
    expect(saved / parameters).toBeLessThan(3.5)
  })

  it('of a stranger on the Hub needs the Hub, and says so; so does loading it, an adapter and a search', async () => {
    const { id } = await loadBase(page, 'tiny-qwen2')
    const before = await kept(page)
    const outcomes = await page.evaluate(async (id) => {
      const { models, adapters } = window.graft
      const hub = 'somebody/some-model'
      return Promise.all([
        window.attempt<unknown>(models.estimate({ model: { hub } })),
        window.attempt<unknown>(models.load({ hub })),
        window.attempt<unknown>(adapters.import(id, { hub })),
        window.attempt<unknown>(models.search('qwen')),
      ])
    }, id)
    for (const outcome of outcomes) expectRefusal(outcome, /^E_NETWORK$/, /huggingface\.co.*[Cc]heck/)
    expect(await kept(page)).toEqual(before)
    const wrong = await page.evaluate(
      (id) =>
        Promise.all([
          window.attempt(window.graft.models.load({ builtin: id }, { precision: 'int4' as 'int8' })),
          window.attempt(window.graft.models.estimate({ model: 'nothing' })),
          window.attempt(window.graft.models.estimate({ model: id, labels: 0 })),
        ]),
      id,
    )
    expectRefusal(wrong[0]!, /^E_ARGUMENT$/, /int4.*f32, f16, int8, nf4/)
    expectRefusal(wrong[1]!, /^E_NOT_FOUND$/, /nothing/)
    expectRefusal(wrong[2]!, /^E_ARGUMENT$/, /labels/)
  })
})

it('reported no error and no policy violation', () => {
  expect(
    site.errors.filter((error) => !/Failed to load resource.*ERR_NAME_NOT_RESOLVED/.test(error)),
  ).toEqual([])
})
