// Shapley values: by definition, against the shap package, and on a tiny model.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { textGame } from '../../../src/core/explain/game.ts'
import { masking } from '../../../src/core/explain/masking.ts'
import { kernelShap } from '../../../src/core/explain/shap/kernel.ts'
import { partitionShap } from '../../../src/core/explain/shap/partition.ts'
import { permutationShap } from '../../../src/core/explain/shap/permutation.ts'
import type { Shapley } from '../../../src/core/explain/shap/shapley.ts'
import { halved, leavesOf, treeOf, type Tree } from '../../../src/core/explain/shap/tree.ts'
import type { Subject } from '../../../src/core/explain/subject.ts'
import { unitsOf } from '../../../src/core/explain/units.ts'
import { Turns } from '../../../src/core/turns.ts'
import { bruteForce, FORMULAS, gameOf, type Formula } from './explain-games.ts'
import { loadTiny } from './tiny.ts'

interface Case {
  game: keyof typeof FORMULAS
  players: number
  values: number[]
  tree: Tree
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/attribution.json', import.meta.url), 'utf8'),
) as Record<'kernel' | 'partition' | 'permutation', Case[]>

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)))
const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0)
const balanced = (players: number) => halved(Array.from({ length: players }, (_, i) => i))

/** A game of third order and more, of any number of players. */
const wavy: Formula = (there) => {
  let sum = 0
  for (let i = 0; i < there.length; i++) sum += there[i]! * Math.sin(i + 1)
  return Math.exp(sum / 4) + there[0]! * there[1]! * there[2]! * 3
}
const ways: [string, (players: number, formula: Formula, samples?: number) => Promise<Shapley>][] = [
  ['kernel', (n, f, samples) => kernelShap(gameOf(n, f), { ...(samples && { samples }) })],
  ['permutation', (n, f, samples) => permutationShap(gameOf(n, f), { ...(samples && { samples }) })],
  ['partition', (n, f, samples) => partitionShap(gameOf(n, f), balanced(n), { ...(samples && { samples }) })],
]

describe.each(ways)('%s', (_, shap) => {
  it.each([1, 2, 5, 14])('of %i pieces adds up, and is right on a sum of weights', async (players) => {
    const { values, base, value, residual } = await shap(players, FORMULAS.rough)
    expect(Math.abs(total(values) - (value - base))).toBeLessThan(1e-6)
    expect(Math.abs(residual)).toBeLessThan(1e-6)
    const linear = await shap(players, (there) =>
      Array.from(there).reduce((sum, is, i) => sum + is * (i - 3.5), 2),
    )
    expect(
      farthest(
        linear.values,
        Array.from({ length: players }, (__, i) => i - 3.5),
      ),
    ).toBeLessThan(1e-8)
    expect(linear.base).toBe(2)
  })
})

describe('Kernel SHAP', () => {
  it.each([2, 3, 8, 11])('of %i pieces is brute force', async (players) => {
    const found = await kernelShap(gameOf(players, FORMULAS.rough))
    expect(found.exact).toBe(true)
    expect(found.evaluations).toBe(2 ** players)
    expect(farthest(found.values, bruteForce(players, FORMULAS.rough))).toBeLessThan(1e-8)
  })

  it('gives a dummy nothing and twins the same', async () => {
    const twins: Formula = (there) =>
      Math.exp(there[0]! + there[1]! + there[0]! * there[1]!) * (1 + there[3]!)
    const { values } = await kernelShap(gameOf(5, twins))
    expect(Math.abs(values[2]!)).toBeLessThan(1e-9)
    expect(Math.abs(values[4]!)).toBeLessThan(1e-9)
    expect(Math.abs(values[0]! - values[1]!)).toBeLessThan(1e-9)
  })

  it('of many pieces draws pairs: second order is exact, and the error covers the rest', async () => {
    const pairwise = await kernelShap(gameOf(16, FORMULAS.pairwise))
    expect(pairwise.exact).toBe(false)
    expect(pairwise.evaluations).toBeLessThanOrEqual(2 * 16 + 2048 + 2)
    const cross = Array.from({ length: 16 }, (_, i) => {
      let value = i + 1
      for (let j = 0; j < 16; j++) if (j !== i) value += Math.cos(Math.min(i, j) + 2 * Math.max(i, j)) / 2
      return value
    })
    expect(farthest(pairwise.values, cross)).toBeLessThan(1e-8)
    expect(Math.max(...pairwise.standardErrors!)).toBeLessThan(1e-8)

    const truth = bruteForce(13, wavy)
    let inside = 0
    let squares = 0
    let variances = 0
    for (let seed = 0; seed < 10; seed++) {
      const { values, standardErrors } = await kernelShap(gameOf(13, wavy), { samples: 400, seed })
      values.forEach((value, i) => {
        inside += Number(Math.abs(value - truth[i]!) < 3 * standardErrors![i]!)
        squares += (value - truth[i]!) ** 2
        variances += standardErrors![i]! ** 2
      })
    }
    expect(inside / 130).toBeGreaterThan(0.95)
    expect(Math.sqrt(squares / variances)).toBeGreaterThan(0.6)
    expect(Math.sqrt(squares / variances)).toBeLessThan(1.4)
  })

  it('of 400 pieces stops while it fits', async () => {
    const controller = new AbortController()
    const fit = kernelShap(
      gameOf(400, (there) => there[0]! + there[399]! * there[1]!),
      {
        samples: 1600,
        signal: controller.signal,
        onEvaluated: (done, total) => done === total && setTimeout(() => controller.abort(), 1),
      },
    )
    await expect(fit).rejects.toMatchObject({ code: 'E_ABORTED' })
  })

  it('draws the same for a seed, other texts for another, and refuses too few', async () => {
    const of = (seed: number) => kernelShap(gameOf(13, wavy), { samples: 200, seed })
    expect(await of(1)).toEqual(await of(1))
    expect((await of(1)).values).not.toEqual((await of(2)).values)
    await expect(kernelShap(gameOf(13, wavy), { samples: 51 })).rejects.toMatchObject({
      code: 'E_ARGUMENT',
      details: { least: 52 },
    })
  })

  it.each(golden.kernel)('is what shap says of $game with $players', async ({ game, players, values }) => {
    const found = await kernelShap(gameOf(players, FORMULAS[game]))
    expect(farthest(found.values, values)).toBeLessThan(1e-6)
  })
})

describe('Partition SHAP', () => {
  it.each([50, 500])('adds up after %i evaluations, and says what it left', async (samples) => {
    const game = gameOf(40, wavy)
    const { values, base, value, evaluations, exact, unresolved } = await partitionShap(game, balanced(40), {
      samples,
    })
    expect(Math.abs(total(values) - (value - base))).toBeLessThan(1e-9)
    expect(evaluations).toBeLessThanOrEqual(samples)
    expect(game.asked).toBe(evaluations)
    expect(exact).toBe(false)
    expect(unresolved).toBeGreaterThan(0)
  })

  it('of two pieces is the closed form', async () => {
    const f: Formula = (z) => 1 + 2 * z[0]! + 5 * z[1]! - 4 * z[0]! * z[1]!
    const { values, exact, unresolved } = await partitionShap(gameOf(2, f), [0, 1])
    expect([...values]).toEqual([0, 3])
    expect([exact, unresolved]).toEqual([true, 0])
  })

  it.each(golden.partition)(
    'is what shap says of $game with $players',
    async ({ game, players, values, tree }) => {
      const found = await partitionShap(gameOf(players, FORMULAS[game]), tree, { samples: 10_000 })
      expect(found.exact).toBe(true)
      expect(farthest(found.values, values)).toBeLessThan(1e-6)
    },
  )

  it('keeps tokens in their words and words in their sentences', () => {
    const tokens = ['I', ' re', 'fund', '.', ' No']
    const by = (granularity: 'token' | 'word' | 'sentence') => unitsOf(tokens, new Uint8Array(5), granularity)
    const tree = treeOf(by('token'), [by('word'), by('sentence')])
    expect(tree).toEqual([[[0, [1, 2]], 3], 4])
    expect(leavesOf(tree)).toEqual([0, 1, 2, 3, 4])
  })
})

describe('Permutation SHAP', () => {
  it.each(golden.permutation)('one permutation is exact for second order', async ({ players, values }) => {
    const game = gameOf(players, FORMULAS.pairwise)
    const found = await permutationShap(game, { samples: 2 * players + 1, seed: 3 })
    expect(game.asked).toBe(2 * players + 1)
    expect(farthest(found.values, values)).toBeLessThan(1e-9)
    expect(found.standardErrors).toBeUndefined()
  })

  it('refuses less than one, and comes closer as its error says', async () => {
    await expect(permutationShap(gameOf(9, wavy), { samples: 18 })).rejects.toMatchObject({
      code: 'E_ARGUMENT',
      details: { least: 19 },
    })
    const truth = bruteForce(9, wavy)
    const { values, standardErrors } = await permutationShap(gameOf(9, wavy), { samples: 200 * 19, seed: 2 })
    values.forEach((value, i) =>
      expect(Math.abs(value - truth[i]!)).toBeLessThan(4 * standardErrors![i]! + 1e-9),
    )
  })
})

describe('on a model', () => {
  it('reports, stops, and all three agree on a short text', async () => {
    const ids = [12, 40, 7, 55, 31]
    const subject: Subject = {
      model: await loadTiny('tiny-llama'),
      turns: new Turns(),
      trainable: { adaptation: null, classify: false },
      ids,
      explained: { index: 9, contrast: 2, position: 4 },
      fixed: new Uint8Array(5),
      padId: 3,
      maskId: null,
    }
    const units = ids.map((_, t) => ({ text: '', from: t, to: t + 1 }))
    const game = (replacement: 'pad' | 'remove') => textGame(subject, masking(subject, units, replacement))
    for (const replacement of ['pad', 'remove'] as const) {
      const kernel = await kernelShap(game(replacement))
      const direct = new Map<string, number>()
      const all = Array.from({ length: 32 }, (_, bits) => Uint8Array.from(ids, (__, i) => (bits >> i) & 1))
      const values = await game(replacement).values(all)
      all.forEach((coalition, i) => direct.set(coalition.join(), values[i]!))
      const truth = bruteForce(5, (there) => direct.get(Array.from(there).join())!)
      expect(farthest(kernel.values, truth)).toBeLessThan(1e-5)
      const permuted = await permutationShap(game(replacement), { samples: 300 * 11 })
      expect(farthest(permuted.values, truth)).toBeLessThan(4 * Math.max(...permuted.standardErrors!) + 1e-5)
    }
    const seen: [number, number][] = []
    const found = await partitionShap(game('pad'), balanced(5), {
      onEvaluated: (done, of) => seen.push([done, of]),
    })
    expect(Math.abs(found.residual)).toBeLessThan(1e-6)
    expect(seen.at(-1)![0]).toBe(found.evaluations)
    const controller = new AbortController()
    await expect(
      partitionShap(game('pad'), balanced(5), {
        signal: controller.signal,
        onEvaluated: () => controller.abort(),
      }),
    ).rejects.toMatchObject({ code: 'E_ABORTED' })
  })
})
