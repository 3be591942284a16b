// Bases of every family in the built site, from files as a person drops them: their logits, explanations and training are
// those of PyTorch, through window.graft alone.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright'
import { decode, FAMILY_NAMES, familyGolden, relativeError, type FamilyName } from '../golden/load.ts'
import {
  expectRefusal,
  importBytes,
  loadBase,
  loadBytes,
  logitsOf,
  openBases,
  peftBytes,
  trainingRows,
  words,
  wordyBytes,
} from './support/bases.ts'
import type { Site } from './support/site.ts'
import { expectTrajectory, trajectoryRows, trajectoryTraining } from './support/trajectory.ts'

const ONE_STEP = 1e-4
const ENCODERS = ['tiny-bert', 'tiny-distilbert', 'tiny-roberta'] as const

let site: Site
let page: Page
beforeAll(async () => {
  site = await openBases()
  page = site.page
  expect((await page.evaluate(() => window.graft.engine.info())).backend).toBe('wasm')
})
afterAll(async () => {
  await site?.close()
})

describe.each(FAMILY_NAMES)('%s', (name) => {
  const golden = familyGolden(name)

  it('loads from files and gives the logits of PyTorch', async () => {
    const info = await loadBase(page, name)
    expect(info.kind).toBe(ENCODERS.includes(name as 'tiny-bert') ? 'encoder' : 'decoder')
    expect(info).toMatchObject({
      loaded: true,
      stored: true,
      layers: golden.base.attention.weights.shape[0]!,
    })
    expect(info.heads).toBe(golden.base.attention.weights.shape[1])
    for (const { ids, logits } of golden.base.sequences)
      expect(relativeError(await logitsOf(page, { model: info.id }, ids), decode(logits))).toBeLessThan(
        ONE_STEP,
      )
    const { text, ids, special } = golden.tokenizer.texts[0]!
    const tokens = await page.evaluate(([id, text]) => window.graft.tokenize(id, text), [
      info.id,
      text,
    ] as const)
    expect(tokens.ids).toEqual(special ?? ids)
  })

  it('explains itself as PyTorch does', async () => {
    const { attention, saliency } = golden.base
    const { id } = await loadBytes(page, wordyBytes(name))
    const { seen, scores, output } = await page.evaluate(
      async ([model, attended, explained, output]) => {
        const { explain } = window.graft
        const seen = await explain.attention({ model }, { text: attended })
        const found = await explain.saliency({ model }, { text: explained, method: 'gradientNorm', output })
        const norms = Array.from(found.scores)
        return {
          seen: { ids: seen.ids, weights: Array.from(seen.weights) },
          scores: norms,
          output: found.output,
        }
      },
      [id, words(attention.ids), words(saliency.ids), saliency.token] as const,
    )
    expect(seen.ids).toEqual(attention.ids)
    expect(relativeError(seen.weights, decode(attention.weights))).toBeLessThan(ONE_STEP)
    const gradient = decode(saliency.gradient)
    const width = gradient.length / saliency.ids.length
    const norms = saliency.ids.map((_, t) => Math.hypot(...gradient.subarray(t * width, (t + 1) * width)))
    expect(relativeError(scores, norms)).toBeLessThan(ONE_STEP)
    expect(output.index).toBe(saliency.token)
    expect(Math.abs(output.logit - saliency.logit)).toBeLessThan(
      ONE_STEP * Math.max(1, Math.abs(saliency.logit)),
    )
  })
})

it.each(ENCODERS)('%s does not write, and says what does', async (name) => {
  const { id } = await loadBase(page, name)
  const dataset = await trainingRows(page, [{ prompt: 'a', completion: 'b' }], 'complete')
  const [written, started, rated] = await page.evaluate(
    ([model, dataset]) =>
      Promise.all([
        window.attempt(window.graft.generate({ model }, { prompt: 'Once' })),
        window.attempt(window.graft.runs.start({ dataset, model })),
        window.attempt(window.graft.evaluate({ model }, { dataset, split: 'train' })),
      ]),
    [id, dataset] as const,
  )
  expectRefusal(written!, /^E_ARGUMENT$/, /does not write/)
  expectRefusal(started!, /^E_(ARGUMENT|DATASET|MODEL_UNSUPPORTED)$/, /complete.*classify/)
  expectRefusal(rated!, /^E_ARGUMENT$/, /classification run/)
})

it.each(['tiny-roberta', 'tiny-gemma3'] as const)('%s learns to tell two labels apart', async (name) => {
  const { id } = await loadBase(page, name)
  const rows = Array.from({ length: 12 }, (_, i) =>
    i % 2
      ? { text: `a good day, ${'so '.repeat(i % 5)}`, label: 'up' }
      : { text: `the night is bad ${i}`, label: 'down' },
  )
  const dataset = await trainingRows(page, rows, 'classify')
  const { run, predictions } = await page.evaluate(
    async ([model, dataset]) => {
      const id = await window.graft.runs.start({
        dataset,
        model,
        adapter: { r: 4, alpha: 8 },
        training: { steps: 5, batchSize: 12, maxLength: 16, learningRate: 2e-2, warmup: 0 },
      })
      const run = await window.graft.runs.wait(id)
      return { run, predictions: await window.graft.predict({ run: id }, ['a good day', 'the night is bad']) }
    },
    [id, dataset] as const,
  )
  expect(run.error).toBeNull()
  expect(run.history).toHaveLength(5)
  expect(run.history[4]!.loss).toBeLessThan(run.history[0]!.loss)
  for (const { label, scores } of predictions) {
    expect(Object.keys(scores)).toEqual(['down', 'up'])
    expect(scores['down']! + scores['up']!).toBeCloseTo(1, 6)
    expect(scores[label]!).toBeGreaterThanOrEqual(0.5)
  }
})

describe('training further follows PyTorch', () => {
  it.each(['tiny-qwen2', 'tiny-gemma3', 'tiny-gpt2'] as const)('thirty steps of %s', async (name) => {
    const causal = familyGolden(name).causal!
    const { trajectory, adapter: golden } = causal
    const { id: model } = await loadBytes(page, wordyBytes(name))
    const { value: adapter } = await importBytes(page, model, await peftBytes(name, 'causal'))
    const dataset = await trajectoryRows(page, causal)
    const run = await page.evaluate(
      async ([model, dataset, from, training]) => {
        const id = await window.graft.runs.start({ dataset, model, adapter: { from }, training })
        return window.graft.runs.wait(id)
      },
      [model, dataset, adapter!.id, trajectoryTraining(causal)] as const,
    )
    expectTrajectory(run, trajectory)
    expect(run.steps).toBe(30)
    expect(run.config.from).toBe(adapter!.id)
    expect(run.config.adapter).toMatchObject({ r: golden.r, alpha: golden.alpha })
    for (const [i, { learningRate }] of run.history.entries())
      expect(learningRate).toBeCloseTo(trajectory.learningRate[i]!, 9)
  })

  it.each(['tiny-bert', 'tiny-qwen3'] as const)(
    'the first step of the classifier %s',
    async (name: FamilyName) => {
      const { classify } = familyGolden(name)
      const { trajectory } = classify
      const { id: model } = await loadBytes(page, wordyBytes(name))
      const { value: adapter } = await importBytes(page, model, await peftBytes(name, 'classify'))
      const rows = trajectory.micros.flatMap(({ ids, labels }) =>
        ids.map((row, i) => ({ text: words(row), label: `class ${labels[i]}` })),
      )
      const dataset = await trainingRows(page, rows, 'classify')
      const { run, evaluation } = await page.evaluate(
        async ([model, dataset, from, training]) => {
          const evaluation = await window.graft.evaluate(
            { model, adapter: from },
            { dataset, split: 'train' },
          )
          const id = await window.graft.runs.start({ dataset, model, adapter: { from }, training })
          return { run: await window.graft.runs.wait(id), evaluation }
        },
        [
          model,
          dataset,
          adapter!.id,
          { ...trajectory.hyper, steps: 1, batchSize: trajectory.micros[0]!.ids.length, shuffle: false },
        ] as const,
      )
      expect(run.error).toBeNull()
      expect(Math.abs(run.history[0]!.loss / trajectory.loss[0]! - 1)).toBeLessThan(ONE_STEP)
      expect(Math.abs(run.history[0]!.gradNorm / trajectory.gradNorm[0]! - 1)).toBeLessThan(ONE_STEP)
      expect(evaluation.rows).toBe(rows.length)
    },
  )
})

it('reported no error and no policy violation', () => {
  expect(site.errors).toEqual([])
})
