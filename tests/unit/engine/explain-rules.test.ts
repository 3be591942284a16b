// Explanations that ask a tiny classifier again, through the desk.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '../../../src/protocol/target.ts'
import { EXPLAINERS } from '../../../workers/engine/explain/index.ts'
import { adapterFiles, modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

const TEXT = 'the sun is warm'
let e: Engine
let target: Target
beforeAll(async () => {
  e = await engine()
  const { id: model } = await e.models.load({ files: modelFiles('tiny-bert') }, {}, context())
  const files = adapterFiles('tiny-bert', 'classify')
  const { id: adapter } = await e.adapters.import(model, { files }, {}, context())
  target = { model, adapter }
}, 60_000)
afterAll(() => e.close())

describe('faithfulness', () => {
  it('of scores by token, with nothing left on the device', async () => {
    const { scores } = await EXPLAINERS.saliency(
      e.desk,
      target,
      { text: TEXT, method: 'gradientXInput' },
      context(),
    )
    const before = e.tensors()
    const found = await EXPLAINERS.faithfulness(e.desk, target, { text: TEXT, scores, orders: 3 }, context())
    expect(e.tensors()).toBe(before)
    expect(found.scores).toHaveLength(found.units.length)
    expect(found.deletion.ours.probability[0]).toBeCloseTo(found.probability, 6)
    expect(found.deletion.ours.probability.at(-1)).toBeCloseTo(found.empty, 6)
  })

  it('is of the output, pieces, orders and steps that were asked for', async () => {
    const text = "the sun isn't warm"
    const ask = (request: object) =>
      EXPLAINERS.faithfulness(e.desk, target, { text, scores, ...request }, context())
    const { scores } = await EXPLAINERS.saliency(
      e.desk,
      target,
      { text, method: 'gradientXInput' },
      context(),
    )
    const [predicted] = await e.ask.predict(target, [text], undefined, context())
    for (const [label, probability] of Object.entries(predicted!.scores)) {
      const found = await ask({ output: label, orders: 7, steps: 2 })
      expect(found.output.name).toBe(label)
      expect(found.probability).toBeCloseTo(probability, 5)
      expect(found.deletion.removed).toHaveLength(3)
      expect(found.deletion.random.aucs).toHaveLength(7)
    }
    const words = await ask({ seed: 3 })
    // A number a token is summed over the tokens of a word.
    expect(words.units.some(({ from, to }) => to - from > 1)).toBe(true)
    words.units.forEach(({ from, to }, unit) =>
      expect(words.scores[unit]).toBeCloseTo(
        scores.subarray(from, to).reduce((sum, score) => sum + score, 0),
        6,
      ),
    )
    expect((await ask({ seed: 3 })).deletion).toEqual(words.deletion)
    expect((await ask({ seed: 4 })).deletion.random.aucs).not.toEqual(words.deletion.random.aucs)
    const tokens = await ask({ granularity: 'token' })
    expect(tokens.granularity).toBe('token')
    expect(tokens.units.every(({ from, to }) => to - from === 1)).toBe(true)
    expect([...tokens.scores]).toEqual(tokens.units.map(({ from }) => scores[from]))
  })

  it('refuses scores of another length, and what is no number', async () => {
    const ask = (scores: number[]) =>
      EXPLAINERS.faithfulness(e.desk, target, { text: TEXT, scores }, context())
    await expect(ask([1])).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    expect(() => ask([NaN])).toThrowError(/not a number/)
  })
})

describe('anchors', () => {
  it('a rule whose precision the model confirms', async () => {
    const found = await EXPLAINERS.anchors(e.desk, target, { text: TEXT, granularity: 'token' }, context())
    expect(found.path[0]!.units).toEqual([])
    expect(found.found).toBe(found.lowerBound >= 0.95)
    expect(found.coverage).toBe(0.5 ** found.units.length)
    expect(() => EXPLAINERS.anchors(e.desk, target, { text: TEXT, precision: 2 }, context())).toThrowError(
      /precision/,
    )
  })
})

describe('counterfactual', () => {
  it('flips on the model, and no part of it does', async () => {
    const best = async (ids: number[]) => {
      const { logits } = await e.ask.logits(target, undefined, ids)
      return logits.indexOf(Math.max(...logits))
    }
    let flipped = 0
    for (const text of [TEXT, 'rain', 'the moon', 'no more rain today']) {
      const request = { text, granularity: 'token', replacement: 'remove' } as const
      const found = await EXPLAINERS.counterfactual(e.desk, target, request, context())
      const { ids } = await EXPLAINERS.saliency(e.desk, target, { text, method: 'gradientNorm' }, context())
      const without = (units: number[]) =>
        ids.filter(
          (_, t) => !units.some((unit) => t >= found.pieces[unit]!.from && t < found.pieces[unit]!.to),
        )
      for (const { units, output } of found.edits) {
        flipped++
        expect(output).not.toBe(found.output.index)
        expect(await best(without(units))).toBe(output)
        for (let part = 0; part < 2 ** units.length - 1; part++)
          expect(await best(without(units.filter((_, i) => (part >> i) & 1)))).toBe(found.output.index)
      }
    }
    expect(flipped).toBeGreaterThan(0)
  })

  it('tells the text as a person would type it, and what the model says to that', async () => {
    for (const text of ['The moon, no more rain!', 'no more rain today']) {
      const found = await EXPLAINERS.counterfactual(
        e.desk,
        target,
        { text, replacement: 'remove' },
        context(),
      )
      for (const edit of found.edits) {
        expect(edit.text).not.toMatch(/\[|^\s|\s$/)
        if (edit.text === '') expect(edit.typed).toBeNull()
        else
          expect((await e.ask.predict(target, [edit.text], undefined, context()))[0]!.label).toBe(
            edit.typed!.name,
          )
      }
    }
  })

  it('other words flip the answer, and no part of them does', async () => {
    let flipped = 0
    for (const text of [TEXT, 'rain', 'the moon', 'no more rain today']) {
      const request = { text, edit: 'replace' } as const
      const reports = context()
      const found = await EXPLAINERS.counterfactual(e.desk, target, request, reports)
      expect(reports.reports.some(({ label }) => label === 'Looking for words')).toBe(true)
      expect(found).toMatchObject({ edit: 'replace', exhaustive: false, words: { fromRows: false } })
      expect(new Set(found.edits.map(({ units }) => units.join())).size).toBe(found.edits.length)
      const answer = async (words: string[]) =>
        (await e.ask.predict(target, [words.join(' ')], undefined, context()))[0]!.label
      const before = found.pieces.map((piece) => piece.text)
      for (const { units, words, name, text: edited, typed } of found.edits) {
        flipped++
        expect(units.length).toBeLessThanOrEqual(3)
        expect(name).not.toBe(found.output.name)
        expect(typed!.name).toBe(name)
        const changed = (some: number[]) =>
          before.map((word, unit) => (some.includes(unit) ? words![units.indexOf(unit)]! : word))
        expect(edited).toBe(changed(units).join(' '))
        expect(await answer(changed(units))).toBe(name)
        for (const word of words!) expect(word).toMatch(/^\p{L}+$/u)
        for (let part = 0; part < 2 ** units.length - 1; part++)
          expect(await answer(changed(units.filter((_, i) => (part >> i) & 1)))).toBe(found.output.name)
      }
    }
    expect(flipped).toBeGreaterThan(0)
    await expect(async () =>
      EXPLAINERS.counterfactual(
        e.desk,
        target,
        { text: TEXT, edit: 'replace', granularity: 'sentence' },
        context(),
      ),
    ).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })

  it('is cancelled between texts', async () => {
    const controller = new AbortController()
    const call = EXPLAINERS.counterfactual(
      e.desk,
      target,
      { text: TEXT, edit: 'replace' },
      { signal: controller.signal, progress: () => controller.abort() },
    )
    await expect(call).rejects.toMatchObject({ code: 'E_ABORTED' })
  })
})
