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
    const ask = (text: string) =>
      EXPLAINERS.counterfactual(e.desk, target, { text, granularity: 'token' }, context())
    const all = await Promise.all([TEXT, 'rain', 'the moon', 'no more rain today'].map(ask))
    const flipped = all.flatMap((found) => found.edits.map((edit) => ({ found, edit })))
    expect(flipped.length).toBeGreaterThan(0)
    for (const { found, edit } of flipped) {
      expect(found.margin).toBeGreaterThanOrEqual(0)
      expect(edit.margin).toBeLessThan(0)
      expect(edit.output).not.toBe(found.output.index)
    }
  })
})
