// Weights of training rows: how a recipe's step works them out, and what it says of them.
import { describe, expect, test } from 'vitest'
import { checkRecipe } from '../../../src/data/recipe/check.ts'
import { cook } from '../../../src/data/recipe/cook.ts'
import type { FlowRow } from '../../../src/data/recipe/flow.ts'
import { sayReport, sayStep } from '../../../src/data/recipe/say.ts'
import { balancedWeights } from '../../../src/data/recipe/weigh.ts'
import type { RecipeStep } from '../../../src/protocol/recipe.ts'
import golden from '../../golden/data/weights.json'

const ROWS = [
  ['one', 'a', '0.5'],
  ['two', 'a', '2'],
  ['three', ' a ', ''],
  ['four', 'b', '3e1'],
  ['five', '', '1'],
  // From here on validation.
  ['six', 'b', '7'],
  ['seven', 'c', 'seven'],
]
const isTraining = (id: number) => id < 5

async function run(steps: unknown[]) {
  const table = {
    columns: ['text', 'label', 'number'],
    rows: ROWS.length,
    async *batches() {
      await Promise.resolve()
      yield { start: 0, rows: ROWS }
    },
  }
  const cooked = await cook(table, checkRecipe(steps), { isTraining })
  const rows: FlowRow[] = []
  for await (const batch of cooked.batches()) rows.push(...batch)
  return { rows, weights: rows.map(({ weight }) => weight), reports: cooked.reports }
}

describe('weights', () => {
  test.each(golden.balanced)('balanced are those of scikit-learn: $counts', ({ counts, weights }) => {
    const ours = balancedWeights(new Map(Object.entries(counts) as [string, number][]))
    expect(ours.size).toBe(Object.keys(weights).length)
    for (const [label, weight] of Object.entries(weights) as [string, number][])
      expect(ours.get(label)! / weight).toBeCloseTo(1, 14)
  })

  test('balanced over the training rows that have a value; rows and cells stay', async () => {
    const { rows, weights, reports } = await run([{ kind: 'weigh', column: 'label', by: 'balanced' }])
    const [a, b] = [4 / (2 * 3), 4 / (2 * 1)]
    expect(weights).toEqual([a, a, a, b, undefined, undefined, undefined])
    expect(rows.map(({ cells }) => cells)).toEqual(ROWS)
    expect(reports).toEqual([
      {
        ...{ before: 7, after: 7, changed: 0, removed: 0, added: 0 },
        weighed: {
          ...{ rows: 4, least: a, most: b },
          values: [
            { value: 'a', rows: 3, weight: a },
            { value: 'b', rows: 1, weight: b },
          ],
        },
      },
    ])
    expect(sayReport(reports[0]!)).toBe('7 rows before, 7 after; 4 weighed, from 0.667 to 2')
  })

  test('by value, where the others weigh 1 and a value that no row has is told', async () => {
    const step: RecipeStep = {
      kind: 'weigh',
      column: 'label',
      by: 'value',
      weights: [
        ['b', 3],
        ['z', 9],
      ],
    }
    const { weights, reports } = await run([step])
    expect(weights).toEqual([undefined, undefined, undefined, 3, undefined, undefined, undefined])
    expect(reports[0]!.weighed).toEqual({
      ...{ rows: 1, least: 3, most: 3 },
      values: [
        { value: 'b', rows: 1, weight: 3 },
        { value: 'z', rows: 0, weight: 9 },
      ],
    })
    expect(sayStep(step)).toBe('Weigh training rows by label: b 3, z 9')
  })

  test('by the number of a cell; those of held-out rows are not looked at', async () => {
    const { weights, reports } = await run([{ kind: 'weigh', column: 'number', by: 'number' }])
    expect(weights).toEqual([0.5, 2, undefined, 30, 1, undefined, undefined])
    expect(reports[0]!.weighed).toEqual({ rows: 4, least: 0.5, most: 30 })
  })

  test('several are multiplied', async () => {
    const { weights } = await run([
      { kind: 'weigh', column: 'number', by: 'number' },
      { kind: 'weigh', column: 'label', by: 'value', weights: [['a', 4]] },
    ])
    expect(weights.slice(0, 5)).toEqual([2, 8, 4, 30, 1])
  })

  test('are of the rows that come out, wherever the step stands', async () => {
    const { rows, weights, reports } = await run([
      { kind: 'weigh', column: 'label', by: 'balanced' },
      { kind: 'edit', edits: [{ row: 0, column: 'label', value: 'b' }] },
      { kind: 'dropRows', rows: [1] },
      { kind: 'addRows', columns: ['text', 'label'], rows: [['new', 'b']] },
    ])
    expect(rows.map(({ cells }) => cells[1]!.trim())).toEqual(['b', 'a', 'b', '', 'b', 'c', 'b'])
    const [a, b] = [4 / (2 * 1), 4 / (2 * 3)]
    expect(weights).toEqual([b, a, b, undefined, undefined, undefined, b])
    expect(reports.map((report) => report!.before)).toEqual([7, 7, 7, 6])
    expect(reports[0]!.weighed!.rows).toBe(4)
  })

  test.each([
    [{ by: 'balanced', column: 'none' }, /no column "none"/],
    [{ by: 'value' }, /at least one value/],
    [{ by: 'value', weights: [['a', 0]] }, /gives "a" the weight "0", which must be a number from/],
    [{ by: 'value', weights: [['a', 'two']] }, /gives "a" the weight "two"/],
    [{ by: 'value', weights: [] }, /pairs such as/],
    [{ by: 'value', weights: [['a', 1, 2]] }, /pairs of a value and a number/],
    [{ by: 'often' }, /balanced, value, number/],
    [{ by: 'number' }, /row 1 has "a"/],
  ])('%j is refused', async (given, message) => {
    const step = { kind: 'weigh', column: 'label', ...given }
    const error: unknown = await run([step]).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'E_ARGUMENT', message: expect.stringMatching(message) })
  })
})
