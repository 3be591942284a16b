// Anchors on functions with planted rules.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { anchors, perturbed, type Agrees } from '../../../src/core/explain/anchors.ts'
import { explorationRate, klBernoulli, lowerBound, upperBound } from '../../../src/core/explain/bernoulli.ts'
import { uniforms } from '../../../src/core/rng.ts'

const agrees =
  (rule: (there: Uint8Array) => boolean): Agrees =>
  (coalitions) =>
    Promise.resolve(Uint8Array.from(coalitions, (there) => Number(rule(there))))

describe('bounds', () => {
  it('have the relative entropy that they are asked for', () => {
    expect(klBernoulli(0.3, 0.3)).toBe(0)
    for (const [p, level] of [
      [0.9, 0.01],
      [0.5, 0.2],
      [0.02, 0.05],
    ] as const) {
      expect(klBernoulli(p, upperBound(p, level))).toBeCloseTo(level, 9)
      expect(klBernoulli(p, lowerBound(p, level))).toBeCloseTo(level, 9)
      expect(lowerBound(p, level)).toBeLessThan(p)
      expect(upperBound(p, level)).toBeGreaterThan(p)
    }
    // All of n successes: (1 - delta)^... has the closed form exp(-level).
    expect(lowerBound(1, 0.05)).toBeCloseTo(Math.exp(-0.05), 9)
    expect(upperBound(0, 0.05)).toBeCloseTo(1 - Math.exp(-0.05), 9)
  })
})

describe('anchors', () => {
  it('a planted word is the rule, alone', async () => {
    const found = await anchors(
      12,
      agrees((there) => there[7] === 1),
    )
    expect(found).toMatchObject({ found: true, units: [7], precision: 1, coverage: 0.5 })
    expect(found.lowerBound).toBeGreaterThanOrEqual(0.95)
    expect(found.path.map(({ units }) => units)).toEqual([[], [7]])
  })

  it('of two words that are both needed, both; of two that each do, one', async () => {
    const both = await anchors(
      10,
      agrees((there) => there[2] === 1 && there[6] === 1),
    )
    expect(both).toMatchObject({ found: true, units: [2, 6], precision: 1, coverage: 0.25 })
    const either = await anchors(
      10,
      agrees((there) => there[2] === 1 || there[6] === 1),
    )
    expect(either.found).toBe(true)
    expect(either.units).toHaveLength(1)
    expect([2, 6]).toContain(either.units[0])
  })

  it('nothing is needed where the prediction never changes; where it always does, none is found', async () => {
    expect(
      await anchors(
        8,
        agrees(() => true),
      ),
    ).toMatchObject({ found: true, units: [], coverage: 1 })
    const never = await anchors(
      4,
      agrees(() => false),
      { samples: 200 },
    )
    expect(never).toMatchObject({ found: false, precision: 0 })
  })

  it('coverage never rises as pieces are added, and equals the share of perturbed texts', async () => {
    const { path } = await anchors(
      9,
      agrees((there) => there[0]! + there[3]! + there[8]! === 3),
    )
    expect(path.map(({ units }) => units.length)).toEqual([0, 1, 2, 3])
    path.forEach(({ units, coverage }, i) => {
      if (i > 0) expect(coverage).toBeLessThanOrEqual(path[i - 1]!.coverage)
      const held = Array.from({ length: 4000 }, (_, draw) => perturbed(9, [], 5, draw)).filter((there) =>
        units.every((unit) => there[unit]),
      )
      expect(Math.abs(held.length / 4000 - coverage)).toBeLessThan(0.04)
    })
  })

  it('the bound holds on fresh texts: one-sided 99%, 10,000 texts, in at least 90% of 40 runs', async () => {
    // Each run a model of its own: weights drawn at random, the sign of their sum is the prediction.
    let kept = 0
    let runs = 0
    for (let seed = 0; seed < 40; seed++) {
      const weights = uniforms({ seed, purpose: 'init' }, 9).map((u) => 3 * u ** 3 - 0.35)
      const rule = (there: Uint8Array) => there.reduce((sum, here, i) => sum + here * weights[i]!, -0.4) > 0
      if (!rule(new Uint8Array(9).fill(1))) continue
      const found = await anchors(9, agrees(rule), { seed })
      if (!found.found) continue
      runs++
      let held = 0
      for (let draw = 0; draw < 10_000; draw++)
        held += Number(rule(perturbed(9, found.units, 1000 + seed, draw)))
      // ln 100 / n: Chernoff's bound, which is wider than the exact one.
      if (lowerBound(held / 10_000, Math.log(100) / 10_000) >= 0.95) kept++
    }
    expect(runs).toBeGreaterThan(25)
    expect(kept / runs).toBeGreaterThanOrEqual(0.9)
  })

  it('a rule just below the precision is refused; the same seed asks the same', async () => {
    // Noise that depends on the text: 7% of all texts break the rule.
    const broken = (there: Uint8Array) => {
      const key = there.reduce((sum, here, i) => sum + here * 2 ** i, 0)
      return uniforms({ seed: key, purpose: 'noise' }, 1)[0]! < 0.07
    }
    const noisy = agrees((there) => there[1] === 1 && !broken(there))
    const found = await anchors(14, noisy, { size: 1 })
    expect(found).toMatchObject({ found: false, units: [1] })
    expect(found.precision).toBeGreaterThan(0.85)
    expect(await anchors(14, noisy, { size: 1 })).toEqual(found)
  })

  it('is cancelled between questions', async () => {
    const controller = new AbortController()
    const stop: Agrees = (coalitions) => {
      controller.abort()
      return Promise.resolve(new Uint8Array(coalitions.length))
    }
    await expect(anchors(5, stop, { signal: controller.signal })).rejects.toThrow()
  })
})

describe("the authors' code", () => {
  const golden = JSON.parse(readFileSync(new URL('../../golden/anchors.json', import.meta.url), 'utf8')) as {
    players: number
    rules: { game: number; units: number[]; precision: number }[]
    bounds: { p: number; level: number; low: number; high: number }[]
    rates: { arms: number; round: number; delta: number; beta: number }[]
  }

  it('has the same bounds and the same rate of exploration', () => {
    // Theirs halve the interval 16 times.
    for (const { p, level, low, high } of golden.bounds) {
      expect(Math.abs(lowerBound(p, level) - low)).toBeLessThan(2e-5)
      expect(Math.abs(upperBound(p, level) - high)).toBeLessThan(2e-5)
    }
    for (const { arms, round, delta, beta } of golden.rates)
      expect(explorationRate(arms, round, delta)).toBeCloseTo(beta, 10)
  })

  it('finds rules as short; ours keep the precision that theirs may miss by 0.05', async () => {
    const { players } = golden
    const rule = (game: number) => (there: Uint8Array) =>
      there.reduce((sum, here, i) => sum + here * 1.5 * Math.cos(3 * i + game), -0.4) > 0
    const exact = (units: number[], game: number) => {
      let [held, all] = [0, 0]
      for (let bits = 0; bits < 2 ** players; bits++) {
        const there = Uint8Array.from({ length: players }, (_, i) => (bits >> i) & 1)
        if (!units.every((unit) => there[unit])) continue
        all++
        held += Number(rule(game)(there))
      }
      return held / all
    }
    let same = 0
    let short = 0
    for (const { game, ...theirs } of golden.rules) {
      expect(exact(theirs.units, game)).toBeCloseTo(theirs.precision, 12)
      const ours = await anchors(players, agrees(rule(game)), { seed: game })
      expect(ours.found).toBe(true)
      expect(exact(ours.units, game)).toBeGreaterThanOrEqual(0.95)
      expect(ours.lowerBound).toBeLessThanOrEqual(exact(ours.units, game))
      // Theirs may be shorter where it is no anchor, or hardly one.
      expect(ours.units.length - theirs.units.length).toBeLessThanOrEqual(theirs.precision < 0.96 ? 1 : 0)
      short += Number(theirs.precision < 0.95)
      same += Number(ours.units.length === theirs.units.length)
    }
    expect(short).toBeGreaterThan(0)
    expect(same / golden.rules.length).toBeGreaterThan(0.75)
  })
})
