// Faithfulness: closed forms, and 50 real rows under a bag-of-words classifier fitted to others.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { faithfulness, meanWithInterval } from '../../../src/core/explain/faithfulness.ts'
import type { Game } from '../../../src/core/explain/game.ts'
import { permutation } from '../../../src/core/rng.ts'

/** A game from a function of the pieces that are there. */
const game = (players: number, value: (there: Uint8Array) => number): Game => ({
  players,
  values: (coalitions) => Promise.resolve(Float64Array.from(coalitions, value)),
})
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
const linear = (weights: ArrayLike<number>, bias: number) =>
  game(weights.length, (there) => sigmoid(there.reduce((sum, here, i) => sum + here * weights[i]!, bias)))

describe('closed forms', () => {
  it('nothing taken away is 0, everything kept is 0, and the ends meet the game', async () => {
    const weights = [0.3, -1, 2, 0.5, 0.1]
    const found = await faithfulness(linear(weights, -0.5), weights, { shares: [0, 1] })
    expect(found.comprehensiveness[0]).toBe(0)
    expect(found.sufficiency[1]).toBe(0)
    expect(found.counts).toEqual([0, 5])
    expect(found.comprehensiveness[1]).toBeCloseTo(sigmoid(1.4) - sigmoid(-0.5), 12)
    expect(found.sufficiency[0]).toBeCloseTo(sigmoid(1.4) - sigmoid(-0.5), 12)
    for (const curve of [found.deletion.ours, found.deletion.reversed]) {
      expect(curve.probability[0]).toBe(found.probability)
      expect(curve.probability.at(-1)).toBe(found.empty)
    }
  })

  it('an additive game has the areas and the shares that its weights say', async () => {
    // v = sum of weights over 10: 4 3 2 1 in order, each quarter of the text a trapezoid.
    const weights = [2, 4, 1, 3]
    const found = await faithfulness(
      game(4, (there) => there.reduce((sum, here, i) => sum + (here * weights[i]!) / 10, 0)),
      weights,
    )
    expect(found.order).toEqual([1, 3, 0, 2])
    expect([...found.deletion.ours.probability]).toEqual(
      [1, 0.6, 0.3, 0.1, 0].map((v) => expect.closeTo(v, 12)),
    )
    expect(found.deletion.ours.auc).toBeCloseTo((0.8 + 0.45 + 0.2 + 0.05) / 4, 12)
    expect(found.deletion.reversed.auc).toBeCloseTo((0.95 + 0.8 + 0.55 + 0.2) / 4, 12)
    // Ours and its reverse lie the same way from the middle, where random orders are on average.
    const { interval, auc } = found.deletion.random
    expect(interval[0]).toBeLessThan(0.5)
    expect(interval[1]).toBeGreaterThan(0.5)
    expect(auc).toBeCloseTo((interval[0] + interval[1]) / 2, 12)
    expect(found.counts).toEqual([1, 1, 1, 1, 2])
    expect([...found.comprehensiveness]).toEqual([0.4, 0.4, 0.4, 0.4, 0.7].map((v) => expect.closeTo(v, 12)))
    expect([...found.sufficiency]).toEqual([0.6, 0.6, 0.6, 0.6, 0.3].map((v) => expect.closeTo(v, 12)))
    expect(found.meanComprehensiveness).toBeCloseTo(2.3 / 6, 12)
    expect(found.meanSufficiency).toBeCloseTo(2.7 / 6, 12)
  })

  it('pieces that speak against come last, equal ones as in the text', async () => {
    const found = await faithfulness(linear([1, 1, 1, 1], 0), [-5, 1, 0, 1])
    expect(found.order).toEqual([1, 3, 2, 0])
  })

  it('the mean random curve has the mean area, and what beats it does so in either direction', async () => {
    const weights = [8, 4, 2, 1]
    const additive = game(4, (there) => there.reduce((sum, here, i) => sum + (here * weights[i]!) / 15, 0))
    for (const sign of [1, -1]) {
      const scores = weights.map((weight) => sign * weight)
      const { ours, removed, random } = (await faithfulness(additive, scores, { orders: 40 })).deletion
      const { probability, auc, aucs, beaten } = random
      const steps = [...removed].slice(1).map((x, i) => x - removed[i]!)
      const area = steps.reduce(
        (sum, step, i) => sum + (step * (probability[i]! + probability[i + 1]!)) / 2,
        0,
      )
      expect(area).toBeCloseTo(auc, 12)
      // No two orders of these weights have the same area: equal is the same order.
      const worse = aucs.filter((each) => each > ours.auc + 1e-9).length
      const equal = aucs.filter((each) => Math.abs(each - ours.auc) < 1e-9).length
      expect(beaten).toBeCloseTo((worse + equal / 2) / 40, 12)
      expect(sign * (beaten - 0.5)).toBeGreaterThan(0.4)
    }
  })

  it('a long text is taken away in steps, a single piece at once; the same seed draws the same orders', async () => {
    const long = linear(
      Float64Array.from({ length: 103 }, (_, i) => Math.sin(i)),
      0,
    )
    const scores = Array.from({ length: 103 }, (_, i) => Math.sin(i))
    const one = await faithfulness(long, scores, { seed: 5, orders: 3 })
    expect(one.deletion.removed).toHaveLength(21)
    expect(one.counts).toEqual([2, 6, 11, 21, 52])
    expect(await faithfulness(long, scores, { seed: 5, orders: 3 })).toEqual(one)
    expect((await faithfulness(long, scores, { seed: 6, orders: 3 })).deletion.random).not.toEqual(
      one.deletion.random,
    )
    const single = await faithfulness(linear([1], 0), [1])
    expect(single.deletion.ours.auc).toBeCloseTo((sigmoid(1) + 0.5) / 2, 12)
    expect(single.deletion.random.beaten).toBe(0.5)
  })

  it("intervals are Student's", () => {
    // scipy.stats.t.ppf(0.975, n - 1) / sqrt(n) for a sample of standard deviation 1
    const half = (n: number, quantile: number) => {
      const values = Array.from({ length: n }, (_, i) => i)
      const deviation = Math.sqrt((n * (n + 1)) / 12)
      const { mean, interval } = meanWithInterval(values)
      expect((interval[1] - mean) / (deviation / Math.sqrt(n))).toBeCloseTo(quantile, 2)
    }
    half(2, 12.7062)
    half(7, 2.4469)
    half(20, 2.093)
    half(100, 1.9842)
  })
})

describe('50 real rows', () => {
  const rows = readFileSync(new URL('../../golden/data/banking20.csv', import.meta.url), 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => /^"?(.*?)"?,([^,]+)$/.exec(line.trim()))
    .filter((match) => match !== null)
    .map(([, text, label]) => ({
      words: [...text!.toLowerCase().matchAll(/[\p{L}']+/gu)].map(([word]) => word),
      label: label!,
    }))
  const [one, other] = [...new Set(rows.map(({ label }) => label))] as [string, string]
  const of = (label: string) => rows.filter((row) => row.label === label)
  // Naive Bayes on one half of two intents, read on the other half.
  const train = [...of(one).slice(0, 50), ...of(other).slice(0, 50)]
  const test = [...of(one).slice(50, 75), ...of(other).slice(50, 75)]
  const counted = (label: string, word: string) =>
    train.reduce((n, row) => n + Number(row.label === label && row.words.includes(word)), 1)
  const weight = (label: string, word: string) =>
    Math.log(counted(label, word) / counted(label === one ? other : one, word))

  it('ours <= random <= reversed, and the paired intervals exclude 0', async () => {
    const better: number[] = []
    const worse: number[] = []
    const shuffled: number[] = []
    expect(test).toHaveLength(50)
    for (const [i, { words, label }] of test.entries()) {
      const weights = words.map((word) => weight(label, word))
      const { deletion } = await faithfulness(linear(weights, 0), weights, { seed: i })
      better.push(deletion.random.auc - deletion.ours.auc)
      worse.push(deletion.reversed.auc - deletion.random.auc)
      // Scores of a model with shuffled parameters tell nothing about this one.
      const order = permutation({ seed: i, purpose: 'noise' }, words.length)
      const foreign = words.map((_, k) => weights[order[k]!]!)
      const control = await faithfulness(linear(weights, 0), foreign, { seed: i })
      shuffled.push(control.deletion.random.auc - control.deletion.ours.auc)
    }
    expect(meanWithInterval(better).interval[0]).toBeGreaterThan(0.05)
    expect(meanWithInterval(worse).interval[0]).toBeGreaterThan(0.05)
    const [low, high] = meanWithInterval(shuffled).interval
    expect(low).toBeLessThan(0)
    expect(high).toBeGreaterThan(0)
  })
})
