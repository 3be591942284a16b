// Explanations of a tiny classifier over the rows of a dataset, through the desk.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasFeature } from '../../../src/core/explain/rules/features.ts'
import { meanWithInterval } from '../../../src/core/explain/faithfulness.ts'
import { words } from '../../../src/core/rng.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { EXPLAINERS } from '../../../workers/engine/explain/index.ts'
import { adapterFiles, modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

const COLUMNS = ['text', 'label', 'channel']
const WORDS = ['sun', 'rain', 'the', 'moon', 'warm', 'cold']
/** Row 7 has no text, row 8 a label that the classifier does not know. */
const ROWS = Array.from({ length: 120 }, (_, row) => {
  const drawn = words({ seed: 2, purpose: 'noise', step: row }, 8)
  const text = Array.from(drawn.subarray(0, 1 + (drawn[5]! % 4)), (word) => WORDS[word % WORDS.length]!).join(
    ' ',
  )
  return [row === 7 ? '' : text, row === 8 ? 'other' : '', ['mail', 'phone'][drawn[6]! % 2]!]
})

let e: Engine
let target: Target
let model: string
let dataset: string
let labels: string[]

beforeAll(async () => {
  e = await engine()
  model = (await e.models.load({ files: modelFiles('tiny-bert') }, {}, context())).id
  const files = adapterFiles('tiny-bert', 'classify')
  const adapter = await e.adapters.import(model, { files }, {}, context())
  target = { model, adapter: adapter.id }
  labels = adapter.labels!
  const csv = [
    COLUMNS,
    ...ROWS.map(([text, label, channel], row) => [text, label || labels[row % labels.length], channel]),
  ]
  const config = { task: 'classify', columns: { text: 'text', label: 'label' } } as const
  dataset = (await e.dataset(`${csv.map((row) => row.join()).join('\n')}\n`, config)).id
}, 60_000)
afterAll(() => e.close())

describe('rules', () => {
  it('precision, recall and fidelity as the dataset and the model themselves say', async () => {
    const asked = context()
    const found = await EXPLAINERS.rules(e.desk, target, { dataset, leaf: 2 }, asked)
    // The adapter stays on the device.
    const before = e.tensors()
    expect(found.rows).toHaveLength(119)
    expect(found.rows).not.toContain(7)
    const texts = Array.from(found.rows, (row) => ROWS[row]![0]!)
    const predictions = await e.ask.predict(target, texts, undefined, context())
    expect(predictions.map(({ label }) => label)).toEqual(
      Array.from(found.predicted, (label) => found.labels[label]),
    )
    expect(found.rules.length).toBeGreaterThan(0)
    for (const { label, conditions, fit, held } of found.rules)
      for (const [record, part] of [
        [fit, 0],
        [held, 1],
      ] as const) {
        const here = Array.from(found.rows.keys()).filter((i) => {
          const cells = ROWS[found.rows[i]!]!
          const row = { text: cells[0]!, cells }
          return (
            found.held[i] === part &&
            conditions.every(({ feature, holds }) => hasFeature(feature, row, COLUMNS) === holds)
          )
        })
        const hits = here.filter((i) => found.predicted[i] === label).length
        const all = found.predicted.filter((said, i) => said === label && found.held[i] === part).length
        expect(record).toEqual({ rows: here.length, hits, precision: hits / here.length, recall: hits / all })
      }
    // A bag of six words decides nearly everything here.
    expect(found.fidelity.tree.agreement).toBeGreaterThan(found.fidelity.majority.agreement)
    expect(
      asked.reports.some(
        ({ label, secondsLeft }) => label === 'Asking about the rows' && secondsLeft !== undefined,
      ),
    ).toBe(true)
    expect(asked.reports.at(-1)).toMatchObject({ label: 'Looking for rules', done: labels.length })
    expect(await EXPLAINERS.rules(e.desk, target, { dataset, leaf: 2 }, context())).toEqual(found)
    expect(e.tensors()).toBe(before)
    const few = await EXPLAINERS.rules(e.desk, target, { dataset, rows: 40, columns: false }, context())
    expect(few.rows).toHaveLength(40)
    expect(JSON.stringify([few.tree, few.rules])).not.toContain('channel')
  })

  it('says what to do where there is nothing to explain', async () => {
    const ask = (request: object, of: Target = target) =>
      EXPLAINERS.rules(e.desk, of, { dataset, ...request }, context())
    await expect(ask({}, { model })).rejects.toMatchObject({
      code: 'E_ARGUMENT',
      message: expect.stringContaining('Choose a classification run') as string,
    })
    await expect(ask({ split: 'test' })).rejects.toMatchObject({ code: 'E_DATASET' })
    for (const request of [{ depth: 0 }, { ngrams: [2, 1] }, { split: 'all' }, { rows: 3 }, { precision: 2 }])
      await expect(ask(request)).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    const stopped = { ...context(), signal: AbortSignal.abort() }
    await expect(EXPLAINERS.rules(e.desk, target, { dataset }, stopped)).rejects.toMatchObject({
      code: 'E_ABORTED',
    })
  })
})

describe('importance', () => {
  it('means and intervals of what each row says', async () => {
    const before = e.tensors()
    const found = await EXPLAINERS.importance(e.desk, target, { dataset, rows: 30, output: 1 }, context())
    expect(e.tensors()).toBe(before)
    expect(found).toMatchObject({ method: 'gradientXInput', rows: 30 })
    expect(found.labels).toMatchObject([{ name: labels[1], index: 1, rows: 30 }])
    const { rows } = await EXPLAINERS.rules(e.desk, target, { dataset, rows: 30 }, context())
    const scores = new Map<string, number[]>()
    for (const row of rows) {
      const request = { text: ROWS[row]![0]!, method: 'gradientXInput', output: 1 } as const
      const { units, unitScores } = await EXPLAINERS.saliency(e.desk, target, request, context())
      const own = new Map<string, number>()
      units.forEach(({ text }, i) => own.set(text, (own.get(text) ?? 0) + unitScores[i]!))
      for (const [word, score] of own) scores.set(word, [...(scores.get(word) ?? []), score])
    }
    expect(found.labels[0]!.words.length).toBeGreaterThan(3)
    for (const { word, ...said } of found.labels[0]!.words) {
      const values = scores.get(word)!
      const { mean, interval } = meanWithInterval(values)
      expect(said.rows).toBe(values.length)
      expect(said.mean).toBeCloseTo(mean, 6)
      expect(said.interval[0]).toBeCloseTo(interval[0], 6)
      expect(said.meanAbsolute).toBeCloseTo(
        values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length,
        6,
      )
    }
  })

  it('by label and by Partition SHAP; the base and unknown labels are refused; it stops', async () => {
    const request = { dataset, rows: 20, method: 'partition', samples: 20, least: 2 } as const
    const asked = context()
    const found = await EXPLAINERS.importance(e.desk, target, request, asked)
    expect(found.labels.reduce((sum, { rows }) => sum + rows, 0)).toBe(20)
    expect(asked.reports.at(-1)).toMatchObject({ label: 'Weighing words', done: 20, total: 20 })
    // Each row counts for the label that the classifier gives it.
    const { rows } = await EXPLAINERS.rules(e.desk, target, { dataset, rows: 20 }, context())
    const texts = Array.from(rows, (row) => ROWS[row]![0]!)
    const predictions = await e.ask.predict(target, texts, undefined, context())
    expect(found.labels.map(({ name, rows: own }) => [name, own])).toEqual(
      labels.flatMap((name) => {
        const own = predictions.filter(({ label }) => label === name).length
        return own > 0 ? [[name, own]] : []
      }),
    )
    const often = { dataset, rows: 30, output: 1, least: 12, count: 2 }
    const [few] = (await EXPLAINERS.importance(e.desk, target, often, context())).labels
    const [many] = (await EXPLAINERS.importance(e.desk, target, { ...often, least: 2, count: 30 }, context()))
      .labels
    expect(few!.words).toEqual(many!.words.filter((word) => word.rows >= 12).slice(0, 2))
    expect(few!.words).toHaveLength(2)
    expect(many!.words.length).toBeGreaterThan(many!.words.filter((word) => word.rows >= 12).length)
    const ask = (more: object, of: Target = target) =>
      EXPLAINERS.importance(e.desk, of, { dataset, ...more }, context())
    for (const more of [{ output: 'nothing' }, { method: 'guess' }, { least: 1 }])
      await expect(ask(more)).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    await expect(ask({}, { model })).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    const abort = new AbortController()
    const stopping = { signal: abort.signal, progress: () => abort.abort() }
    await expect(EXPLAINERS.importance(e.desk, target, request, stopping)).rejects.toMatchObject({
      code: 'E_ABORTED',
    })
  })
})

describe('mistakes', () => {
  it('the confusion that an evaluation counts, and rows by how little their label fits', async () => {
    const found = await EXPLAINERS.mistakes(e.desk, target, { dataset, split: 'train' }, context())
    const evaluated = await e.ask.evaluate(target, dataset, 'train', context())
    expect(found).toMatchObject({
      rows: 118,
      accuracy: evaluated.accuracy,
      confusion: evaluated.confusion,
      method: 'selfConfidence',
      seen: null,
    })
    const wrong = found.pairs.reduce((sum, { count }) => sum + count, 0)
    expect(found.suspects).toHaveLength(Math.min(100, wrong))
    const texts = found.suspects.map(({ row }) => ROWS[row]![0]!)
    const predictions = await e.ask.predict(target, texts, undefined, context())
    found.suspects.forEach(({ gold, predicted, probability, quality }, i) => {
      expect(predictions[i]!.label).toBe(found.labels[predicted])
      expect(probability).toBeCloseTo(predictions[i]!.scores[found.labels[gold]!]!, 5)
      expect(quality).toBe(probability)
      if (i > 0) expect(quality).toBeGreaterThanOrEqual(found.suspects[i - 1]!.quality)
    })
    const other = await e.dataset('text,label\nthe sun,dawn\nthe moon,dusk\n', {
      task: 'classify',
      columns: { text: 'text', label: 'label' },
    })
    await expect(
      EXPLAINERS.mistakes(e.desk, target, { dataset: other.id, split: 'train' }, context()),
    ).rejects.toMatchObject({ code: 'E_DATASET' })
    await expect(EXPLAINERS.mistakes(e.desk, { model }, { dataset }, context())).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
  })
})
