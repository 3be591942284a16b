// Stability and agreement of explanations of a tiny classifier, through the desk.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Target } from '../../../src/protocol/target.ts'
import { agreementOf, stabilityOf } from '../../../src/core/explain/ranks.ts'
import { EXPLAINERS } from '../../../workers/engine/explain/index.ts'
import { adapterFiles, modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

const TEXT = 'no more rain today, the sun is warm'
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

describe('stability', () => {
  it('of a method that draws is that of its runs with these seeds', async () => {
    const request = { text: TEXT, method: 'lime', seeds: 3, seed: 4, samples: 60 } as const
    // The adapter stays on the device after its first use.
    await EXPLAINERS.stability(e.desk, target, { text: TEXT, method: 'gradientNorm' }, context())
    const before = e.tensors()
    const reports = context()
    const found = await EXPLAINERS.stability(e.desk, target, request, reports)
    expect(e.tensors()).toBe(before)
    expect(found).toMatchObject({ seeds: [4, 5, 6], deterministic: false, top: 3 })
    const units = found.units.length
    const { weights } = await EXPLAINERS.lime(e.desk, target, { text: TEXT, samples: 60, seed: 5 }, context())
    expect([...found.scores.subarray(units, 2 * units)]).toEqual([...weights])
    expect(found.kendall).toBeLessThan(1)
    expect(found.lowest).toBeLessThanOrEqual(found.kendall)
    expect(Math.max(...found.deviation)).toBeGreaterThan(0)
    const rows = found.seeds.map((_, i) => found.scores.subarray(i * units, (i + 1) * units))
    const wider = await EXPLAINERS.stability(e.desk, target, { ...request, top: 5 }, context())
    expect([found.overlap, wider.overlap]).toEqual([3, 5].map((top) => stabilityOf(rows, top).overlap))
    expect(wider.overlap).not.toBe(found.overlap)
    const shares = reports.reports.map(({ done, total }) => done / total!)
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
    expect(shares.at(-1)).toBe(1)
  })

  it('of a method without chance is told from one run', async () => {
    for (const method of ['gradientXInput', 'partition'] as const) {
      const found = await EXPLAINERS.stability(e.desk, target, { text: TEXT, method }, context())
      expect(found).toMatchObject({ deterministic: true, seeds: [0], kendall: 1, overlap: 1 })
      expect(Math.max(...found.deviation)).toBe(0)
    }
  })

  it('knows which methods draw: noise, and samples of more pieces than can be counted', async () => {
    for (const [request, deterministic] of [
      [{ method: 'smoothGrad', samples: 2 }, false],
      [{ method: 'partition', samples: 40 }, true],
      [{ method: 'kernel', samples: 40 }, false],
      [{ method: 'kernel', text: 'the sun' }, true],
    ] as const) {
      const asked = { text: TEXT, seeds: 2, ...request }
      expect(await EXPLAINERS.stability(e.desk, target, asked, context())).toMatchObject({ deterministic })
    }
  })

  it('is stopped between seeds, and refuses what it does not know', async () => {
    const controller = new AbortController()
    const stopping = { signal: controller.signal, progress: () => controller.abort() }
    const request = { text: TEXT, method: 'smoothGrad' } as const
    await expect(EXPLAINERS.stability(e.desk, target, request, stopping)).rejects.toMatchObject({
      code: 'E_ABORTED',
    })
    for (const wrong of [{ method: 'guess' as 'lime' }, { seeds: 1 }, { top: 0 }, { seed: -1 }])
      await expect(
        EXPLAINERS.stability(e.desk, target, { ...request, ...wrong }, context()),
      ).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })
})

describe('agreement', () => {
  it('compares the methods as each is asked on its own', async () => {
    const methods = ['gradientXInput', 'gradientNorm', 'permutation', 'partition'] as const
    const request = { text: TEXT, methods: [...methods], top: 2 }
    const found = await EXPLAINERS.agreement(e.desk, target, request, context())
    const units = found.units.length
    const { values } = await EXPLAINERS.shap(e.desk, target, { text: TEXT }, context())
    expect([...found.scores.subarray(3 * units)]).toEqual([...values])
    for (const matrix of [found.kendall, found.overlap, found.signed])
      methods.forEach((_, i) => {
        expect(matrix[i * 4 + i]).toBe(1)
        methods.forEach((__, j) => expect(matrix[i * 4 + j]).toBe(matrix[j * 4 + i]))
      })
    const rows = methods.map((_, i) => found.scores.subarray(i * units, (i + 1) * units))
    const { overlap, signed } = agreementOf(rows, [true, false, true, true], 2)
    expect([found.overlap, found.signed]).toEqual([overlap, signed])
    expect(agreementOf(rows, [true, false, true, true], 3).overlap).not.toEqual(overlap)
    expect(signed).not.toEqual(overlap)
    // Two ways to Shapley values are nearer to each other than chance.
    expect(found.kendall[2 * 4 + 3]).toBeGreaterThan(0.4)
    expect(found.signed[1]).toBe(found.overlap[1])
  })

  it('asks each with the same seed and budget, for the same number', async () => {
    const methods = ['lime', 'smoothGrad'] as const
    const request = { text: TEXT, methods: [...methods], seed: 7, samples: 60 }
    const found = await EXPLAINERS.agreement(e.desk, target, request, context())
    const alone = { text: TEXT, seed: 7 } as const
    const lime = { ...alone, samples: 60, selection: 'none', explained: 'logit' } as const
    const { weights } = await EXPLAINERS.lime(e.desk, target, lime, context())
    // Gradients have passes of their own: the budget is one of texts.
    const smooth = await EXPLAINERS.saliency(e.desk, target, { ...alone, method: 'smoothGrad' }, context())
    expect([...found.scores]).toEqual([...weights, ...smooth.unitScores])
  })

  it('wants two methods that it knows', async () => {
    for (const methods of [['lime'], ['lime', 'lime'], ['lime', 'guess']])
      await expect(
        EXPLAINERS.agreement(e.desk, target, { text: TEXT, methods: methods as ['lime'] }, context()),
      ).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })
})

it('faithfulness refuses scores of another length before the model is asked', async () => {
  const turns = vi.spyOn(e.turns, 'take')
  await expect(
    EXPLAINERS.faithfulness(e.desk, target, { text: TEXT, scores: [1] }, context()),
  ).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  expect(turns).not.toHaveBeenCalled()
  turns.mockRestore()
})

it('anchors say how far they are of how far they can get', async () => {
  const reports = context()
  await EXPLAINERS.anchors(e.desk, target, { text: TEXT, size: 2, samples: 300 }, reports)
  expect(reports.reports.length).toBeGreaterThan(0)
  let before = 0
  for (const { done, total } of reports.reports) {
    expect(total).toBe(3)
    expect(done).toBeGreaterThanOrEqual(before)
    expect(done).toBeLessThanOrEqual(2)
    before = done
  }
})
