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
})
