// Agreement of rankings: scipy.stats.kendalltau, and closed forms.
import { describe, expect, it } from 'vitest'
import { agreementOf, kendall, sharedTop, stabilityOf, topOf } from '../../../src/core/explain/ranks.ts'
import { normals, permutation } from '../../../src/core/rng.ts'

describe("Kendall's tau-b", () => {
  it('is what scipy says, with ties and without', () => {
    const a = [3, 1, 4, 1, 5, 9, 2, 6]
    const b = [2, 7, 1, 8, 2, 8, 1, 8]
    const c = [9, 2.5, 4, 1, 0.5, 6, 3, 8]
    expect(kendall(a, b)).toBeCloseTo(0.16051447078102563, 12)
    expect(kendall(a, c)).toBeCloseTo(0.32732683535398854, 12)
    expect(kendall(b, c)).toBeCloseTo(0.03940552031195503, 12)
  })

  it('is 1 with itself, -1 with its reverse, nothing for a single tie, and about 0 for chance', () => {
    const order = [...permutation({ seed: 3, purpose: 'shuffle' }, 40)]
    expect(kendall(order, order)).toBe(1)
    expect(
      kendall(
        order,
        order.map((place) => -place),
      ),
    ).toBe(-1)
    expect(
      kendall(
        order,
        order.map(() => 2),
      ),
    ).toBeNaN()
    const taus = Array.from({ length: 200 }, (_, step) =>
      kendall(order, permutation({ seed: 4, purpose: 'shuffle', step }, 40)),
    )
    expect(Math.abs(taus.reduce((sum, tau) => sum + tau, 0) / 200)).toBeLessThan(0.03)
  })
})

describe('the top', () => {
  it('is by size, whichever the sign; of equals the earlier', () => {
    expect(topOf([0.1, -5, 3, -3, 0], 3)).toEqual([1, 2, 3])
    expect(sharedTop([0.1, -5, 3, -3, 0], [9, 5, 3, 0, 0], 3)).toBeCloseTo(2 / 3, 12)
    expect(sharedTop([0.1, -5, 3, -3, 0], [9, 5, 3, 0, 0], 3, true)).toBeCloseTo(1 / 3, 12)
    // A text of two pieces has a top of two.
    expect(sharedTop([1, 2], [2, 1], 3)).toBe(1)
  })
})

describe('stability', () => {
  it('of the same scores is perfect, and its deviation is that of the scores', () => {
    const same = stabilityOf([[1, -2, 3], [1, -2, 3], [1, -2, 3]], 2) // prettier-ignore
    expect(same).toMatchObject({ kendall: 1, lowest: 1, overlap: 1 })
    expect([...same.deviation]).toEqual([0, 0, 0])
    const two = stabilityOf([[1, 4, 2], [3, 4, -2]], 1) // prettier-ignore
    expect([...two.mean]).toEqual([2, 4, 0])
    expect([...two.deviation]).toEqual([Math.SQRT2, 0, 2 * Math.SQRT2].map((x) => expect.closeTo(x, 12)))
  })

  it('is the mean of every pair of seeds, by the size of scores', () => {
    const found = stabilityOf([[1, 2, 3], [1, 3, 2], [3, 2, 1], [1, 2, 3]], 1) // prettier-ignore
    expect(found.kendall).toBeCloseTo((1 / 3 - 1 + 1 - 1 / 3 + 1 / 3 - 1) / 6, 12)
    expect(found.lowest).toBe(-1)
    // Only the first and the last have the same top.
    expect(found.overlap).toBeCloseTo(1 / 6, 12)
    expect(stabilityOf([[1, -2, 3], [-1, 2, 3]], 2).kendall).toBe(1) // prettier-ignore
  })

  it('falls as noise grows', () => {
    const at = (noise: number) =>
      stabilityOf(
        Array.from({ length: 5 }, (_, step) =>
          normals({ seed: 7, purpose: 'noise', step }, 20).map((each, i) => i + 1 + noise * each),
        ),
        3,
      )
    const [still, some, much] = [at(0.01), at(4), at(400)]
    expect(still.kendall).toBe(1)
    expect(some.kendall).toBeLessThan(0.95)
    expect(some.kendall).toBeGreaterThan(0.3)
    expect(much.kendall).toBeLessThan(0.25)
    expect(much.overlap).toBeLessThan(still.overlap)
    expect(some.lowest).toBeLessThanOrEqual(some.kendall)
  })
})

it('methods without a sign are not blamed for it', () => {
  const {
    kendall: taus,
    overlap,
    signed,
  } = agreementOf(
    [
      [1, -3, 2],
      [-1, 3, -2],
      [1, 3, 2],
    ],
    [true, true, false],
    2,
  )
  expect([...taus]).toEqual(new Array(9).fill(1))
  expect([...overlap]).toEqual(new Array(9).fill(1))
  expect([...signed]).toEqual([1, 0, 1, 0, 1, 1, 1, 1, 1])
})
