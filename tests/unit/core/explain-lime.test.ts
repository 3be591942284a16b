// LIME: its weights, what it recovers, and what marcotcr/lime says of the same texts.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { closeness, drawLime, fitLime, lime, type FitOptions } from '../../../src/core/explain/lime.ts'
import { FORMULAS, gameOf } from './explain-games.ts'

interface Case extends Required<Pick<FitOptions, 'features' | 'selection'>> {
  game: keyof typeof FORMULAS
  players: number
  weights: number[]
  selected: number[]
  intercept: number
  score: number
  local: number
  masks: string[]
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/attribution.json', import.meta.url), 'utf8'),
) as { lime: Case[] }

describe('LIME', () => {
  it('weighs texts by how much of them is left', () => {
    expect(closeness(10, 10)).toBe(1)
    expect(closeness(5, 10)).toBeCloseTo(0.50344, 5)
    expect(closeness(0, 10)).toBeCloseTo(3.3546e-4, 8)
  })

  it('takes 1 to n pieces away, each number as often', async () => {
    const drawn = await drawLime(8, 8001, 4)
    expect([...drawn[0]!]).toEqual(new Array(8).fill(1))
    const counts = new Array(9).fill(0) as number[]
    const gone = new Array(8).fill(0) as number[]
    for (const coalition of drawn.slice(1)) {
      counts[8 - coalition.reduce((sum, there) => sum + there, 0)]!++
      coalition.forEach((there, i) => (gone[i]! += 1 - there))
    }
    expect(counts[0]).toBe(0)
    for (const count of counts.slice(1)) expect(Math.abs(count - 1000)).toBeLessThan(120)
    for (const count of gone) expect(Math.abs(count - 4500)).toBeLessThan(200)
  })

  it('recovers a sum of weights', async () => {
    const slopes = [3, -2, 1, 0.5, -4, 2.5, -1.5]
    const game = gameOf(7, (there) => slopes.reduce((sum, slope, i) => sum + slope * there[i]!, 0.25))
    const { weights, score, local, value, evaluations } = await lime(game)
    expect(evaluations).toBe(5000)
    expect(game.asked).toBe(5000)
    slopes.forEach((slope, i) => expect(Math.abs(weights[i]! - slope)).toBeLessThan(0.003 * Math.abs(slope)))
    expect(score).toBeGreaterThan(0.9999)
    expect(local).toBeCloseTo(value, 1)
  })

  it('is the same for a seed, near for another, as its errors say', async () => {
    const of = (seed: number) => lime(gameOf(9, FORMULAS.smooth), { seed, samples: 1000 })
    const [a, b, c] = [await of(1), await of(1), await of(2)]
    expect(b).toEqual(a)
    expect(c.weights).not.toEqual(a.weights)
    a.weights.forEach((weight, i) => {
      const apart = Math.hypot(a.standardErrors[i]!, c.standardErrors[i]!)
      expect(Math.abs(weight - c.weights[i]!)).toBeLessThan(4 * apart)
    })
  })

  it('gives a single piece a weight, and a constant none', async () => {
    const single = await lime(
      gameOf(1, (there) => 2 * there[0]!),
      { samples: 500 },
    )
    expect(single.weights).toHaveLength(1)
    const constant = await lime(
      gameOf(4, () => 0.7),
      { samples: 50, features: 3 },
    )
    expect(Math.max(...constant.weights.map(Math.abs))).toBeLessThan(1e-12)
    expect(constant.intercept).toBeCloseTo(0.7, 12)
    await expect(
      lime(
        gameOf(4, () => 0),
        { samples: 9 },
      ),
    ).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })

  it.each(golden.lime)(
    'of $game with $players pieces, $features features, $selection is what lime says',
    async ({ game, masks, features, selection, ...theirs }) => {
      const coalitions = masks.map((mask) => Uint8Array.from(mask, Number))
      const ours = await fitLime(coalitions, coalitions.map(FORMULAS[game]), { features, selection })
      expect(ours.selected).toEqual(theirs.selected)
      theirs.weights.forEach((weight, i) => expect(Math.abs(ours.weights[i]! - weight)).toBeLessThan(1e-6))
      for (const key of ['intercept', 'score', 'local'] as const)
        expect(ours[key]).toBeCloseTo(theirs[key], 6)
    },
  )

  it('of 512 pieces stops while it fits', async () => {
    const coalitions = await drawLime(512, 1500, 3)
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 1)
    const fit = fitLime(
      coalitions,
      coalitions.map((there) => there[0]! - there[511]!),
      { selection: 'none', signal: controller.signal },
    )
    await expect(fit).rejects.toMatchObject({ code: 'E_ABORTED' })
  })
})
