// Numbers for the pieces of a text, as the worker answers them: graft.explain.lime, shap and saliency.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LimeRequest, ShapRequest } from '../../../src/protocol/explain.ts'
import { lime } from '../../../workers/engine/explain/lime.ts'
import { saliency } from '../../../workers/engine/explain/saliency.ts'
import { shap } from '../../../workers/engine/explain/shap.ts'
import { modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

let e: Engine
let model: string
let bert: string
beforeAll(async () => {
  e = await engine()
  model = (await e.models.load({ files: modelFiles('tiny-llama') }, {}, context())).id
  bert = (await e.models.load({ files: modelFiles('tiny-bert') }, {}, context())).id
})
afterAll(() => e.close())

const text = 'the sun and the rain. the moon'
const shapOf = (request: Partial<ShapRequest> = {}, call = context()) =>
  shap(e.desk, { model }, { text, ...request } as ShapRequest, call)
const limeOf = (request: Partial<LimeRequest> = {}, call = context()) =>
  lime(e.desk, { model }, { text, samples: 200, ...request } as LimeRequest, call)

describe('shap', () => {
  it('of words, by every method, adds up to the logit, and reports itself', async () => {
    const partition = await shapOf()
    const tensors = e.tensors()
    expect(partition.method).toBe('partition')
    expect(partition.granularity).toBe('word')
    expect(partition.units.map((unit) => unit.text).join(' ')).toContain('sun')
    for (const method of ['partition', 'kernel', 'permutation'] as const) {
      const call = context()
      const found = await shapOf({ method }, call)
      const { values, base, value, residual, output, units, tokens } = found
      expect(values).toHaveLength(units.length)
      expect(Math.abs(values.reduce((sum, each) => sum + each, 0) - (value - base))).toBeLessThan(1e-6)
      expect(Math.abs(residual)).toBeLessThan(1e-6)
      expect(value).toBeCloseTo(output.value, 4)
      expect(units.every(({ from, to }) => to > from && to <= tokens.length)).toBe(true)
      expect(call.reports.at(-1)).toMatchObject({ done: found.evaluations, unit: 'items' })
      expect(call.reports[0]!.secondsLeft).toBeGreaterThanOrEqual(0)
    }
    expect(e.tensors()).toBe(tensors)
  })

  it('of tokens and sentences, of a contrast, of an encoder at its mask', async () => {
    const sentences = await shapOf({ granularity: 'sentence', output: 9, contrast: 2, replacement: 'remove' })
    expect(sentences.units).toHaveLength(2)
    expect(sentences.output.contrast!.index).toBe(2)
    expect(sentences.value).toBeCloseTo(sentences.output.logit - sentences.output.contrast!.logit, 4)
    const tokens = await shapOf({ granularity: 'token', samples: 50 })
    expect(tokens.evaluations).toBeLessThanOrEqual(50)
    const { tokenizer } = await e.models.use(bert)
    const masked = await shap(e.desk, { model: bert }, { text: `the ${tokenizer.maskText} is` }, context())
    expect(masked.replacement).toBe('mask')
    // The mask, from which the answer is read, is no piece.
    expect(masked.units.map((unit) => unit.text)).toEqual(['the', 'is'])
  })

  it('of a probability and of its logarithm are of the same number', async () => {
    const likely = await shapOf({ explained: 'probability' })
    const logarithm = await shapOf({ explained: 'logProbability' })
    expect(logarithm.value).toBeCloseTo(Math.log(likely.value), 5)
    expect(logarithm.base).toBeCloseTo(Math.log(likely.base), 5)
  })

  it('refuses what it cannot do, and stops', async () => {
    for (const request of [
      { text: undefined },
      { method: 'tree' },
      { granularity: 'letter' },
      { replacement: 'mask' },
      { replacement: 'blank' },
      { explained: 'loss' },
      { samples: 3 },
      { samples: 1.5 },
      { seed: -1 },
      { method: 'permutation', samples: 5 },
      { output: 1, contrast: 2, explained: 'probability' },
    ])
      await expect(shapOf(request as unknown as Partial<ShapRequest>)).rejects.toMatchObject({
        code: 'E_ARGUMENT',
      })
    const controller = new AbortController()
    const call = { signal: controller.signal, progress: () => controller.abort() }
    await expect(shap(e.desk, { model }, { text }, call)).rejects.toMatchObject({ code: 'E_ABORTED' })
  })
})

describe('pieces', () => {
  const of = (request: object) =>
    saliency(e.desk, { model }, { method: 'gradientXInput', text, ...request }, context())

  it('are the ones that were asked for, each with the sum of its tokens', async () => {
    for (const [granularity, count] of [
      ['token', null],
      ['word', 8],
      ['sentence', 2],
    ] as const) {
      // prettier-ignore
      const { units, unitScores, scores, tokens } = await of({ granularity })
      expect(units).toHaveLength(count ?? tokens.length)
      units.forEach(({ from, to }, unit) =>
        expect(unitScores[unit]).toBeCloseTo(
          scores.subarray(from, to).reduce((sum, score) => sum + score, 0),
          6,
        ),
      )
    }
    expect((await of({})).units).toHaveLength(8)
  })

  it('of a conversation are those of the last message, and none of what the template writes around it', async () => {
    const messages = [
      { role: 'user', content: 'the rain' },
      { role: 'assistant', content: 'the sun' },
      { role: 'user', content: 'the rain' },
    ]
    const { units, tokens } = await of({ text: undefined, messages })
    expect(units.map((unit) => unit.text)).toEqual(['the', 'rain'])
    const [first, last] = [units[0]!, units[1]!]
    expect(tokens.slice(first.from, last.to).join('')).toBe('the rain')
    expect(tokens.slice(0, first.from).join('')).toContain('sun')
    expect(tokens.slice(last.to).join('')).not.toContain('rain')
  })

  it('a contrast is the distance of two numbers', async () => {
    const { output } = await of({ output: 9, contrast: 2 })
    const [one, other] = [await of({ output: 9 }), await of({ output: 2 })]
    expect(output.value).toBeCloseTo(one.output.value - other.output.value, 6)
    expect(output.logit).toBe(one.output.logit)
    expect(output.contrast!.logit).toBe(other.output.logit)
    await expect(of({ output: 9, contrast: 9 })).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })
})

describe('lime', () => {
  it('explains a probability by its words, the same for a seed', async () => {
    const found = await limeOf({ features: 3 })
    expect(found.explained).toBe('probability')
    expect(found.value).toBeGreaterThan(0)
    expect(found.value).toBeLessThan(1)
    expect(found.weights).toHaveLength(found.units.length)
    expect(found.selected).toHaveLength(3)
    expect(found.weights.filter((weight) => weight !== 0)).toHaveLength(3)
    expect(found.score).toBeLessThanOrEqual(1)
    expect((await limeOf({ features: 3 })).weights).toEqual(found.weights)
    expect((await limeOf({ output: 9, contrast: 2 })).explained).toBe('logit')
  })

  it('refuses what it cannot do', async () => {
    for (const request of [
      { samples: 9 },
      { features: 0 },
      { kernelWidth: 0 },
      { alpha: -1 },
      { selection: 'lasso' },
      { seed: 0.5 },
    ])
      await expect(limeOf(request as Partial<LimeRequest>)).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })
})
