// Minimal edits of functions with a closed form: the answer flips, and no strict subset flips it.
import { describe, expect, it } from 'vitest'
import { minimalEdits, type DecideEdits } from '../../../src/core/explain/counterfactual.ts'
import { uniforms } from '../../../src/core/rng.ts'

const margins =
  (margin: (gone: readonly number[]) => number): DecideEdits =>
  (sets) =>
    Promise.resolve(sets.map((set) => ({ margin: margin(set), output: Number(margin(set) < 0) })))

describe('minimal edits', () => {
  it('one word that decides, two that must go together, three, and none', async () => {
    const needs = (...planted: number[]) =>
      margins((gone) => (planted.every((unit) => gone.includes(unit)) ? -1 : 1 - 0.01 * gone.length))
    expect((await minimalEdits(9, needs(4))).edits.map(({ units }) => units)).toEqual([[4]])
    expect((await minimalEdits(9, needs(6, 2))).edits.map(({ units }) => units)).toEqual([[2, 6]])
    const three = await minimalEdits(9, needs(7, 0, 5))
    expect(three).toMatchObject({ exhaustive: true, edits: [{ units: [0, 5, 7], margin: -1, output: 1 }] })
    expect(await minimalEdits(9, needs(1, 2, 3, 4))).toEqual({ margin: 1, edits: [], exhaustive: true })
    expect((await minimalEdits(9, needs(7, 0, 5), { flips: 2 })).edits).toEqual([])
  })

  it('on games with interactions the answer flips, and no strict subset flips it', async () => {
    let flipped = 0
    for (let seed = 0; seed < 30; seed++) {
      const weights = uniforms({ seed, purpose: 'init' }, 64)
      const margin = (gone: readonly number[]) =>
        gone.reduce((sum, a) => gone.reduce((part, b) => part - weights[8 * a + b]! + 0.3, sum), 1.2)
      const { edits } = await minimalEdits(8, margins(margin))
      flipped += Number(edits.length > 0)
      for (const { units } of edits) {
        expect(margin(units)).toBeLessThan(0)
        for (let part = 0; part < 2 ** units.length - 1; part++)
          expect(margin(units.filter((_, i) => (part >> i) & 1))).toBeGreaterThanOrEqual(0)
      }
    }
    expect(flipped).toBeGreaterThan(15)
  })

  it('of too many sets those of the strongest changes are tried, and that is said', async () => {
    const found = await minimalEdits(
      200,
      margins((gone) => gone.reduce((sum, unit) => sum - (unit === 150 || unit === 3 ? 0.6 : 0.001), 1)),
      { tries: 100 },
    )
    expect(found.edits.map(({ units }) => units)).toEqual([[3, 150]])
    expect(found.exhaustive).toBe(false)
  })

  it('two changes of one piece are never made together, and of each set of pieces the surest is told', async () => {
    // Four changes: 0 and 1 of piece 0, 2 and 3 of piece 1; one of each is needed.
    const strengths = [0.6, 0.7, 0.5, 0.9]
    const asked: string[] = []
    const decide: DecideEdits = (sets) => {
      asked.push(...sets.map((set) => set.join()))
      return margins((made) => made.reduce((sum, change) => sum - strengths[change]!, 1))(sets)
    }
    const found = await minimalEdits(4, decide, { pieces: [0, 0, 1, 1] })
    expect(found.edits.map(({ units }) => units)).toEqual([[1, 3]])
    expect(found.edits[0]!.margin).toBeCloseTo(-0.6, 12)
    expect(asked.filter((set) => ['0,1', '1,0', '2,3', '3,2'].includes(set))).toEqual([])
  })
})
