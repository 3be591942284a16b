// Recipes and splits through the data worker, over an IndexedDB in memory: what is stored, taken back, appended to and exported.
import 'fake-indexeddb/auto'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { unzipSync } from 'fflate'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Dataset, Row, SplitName, SplitRequest } from '../../../src/protocol/data.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import type { Recipe, RecipeStep } from '../../../src/protocol/recipe.ts'
import type { CellChange } from '../../../src/protocol/table.ts'
import type { TakeOutRequest } from '../../../src/protocol/takeOut.ts'
import { openStore, type Store } from '../../../src/store/database.ts'
import { eachBatch, readParts } from '../../../src/store/datasets.ts'
import { rawIds, readRecipe } from '../../../src/store/recipes.ts'
import { sweep } from '../../../src/store/sweep.ts'
import { dataCalls } from '../../../workers/dataCalls.ts'
import { fileName } from '../../../workers/recipe/takeOut.ts'

let store: Store
let calls: ReturnType<typeof dataCalls>
let count = 0
beforeEach(async () => {
  store = await openStore({ name: `recipe-test-${count++}` })
  calls = dataCalls(
    () => undefined,
    () => Promise.resolve(store),
  )
})
afterEach(() => store.close())

const context = (signal = new AbortController().signal): CallContext => ({
  signal,
  progress: () => undefined,
})
const load = async (text: string): Promise<Dataset> =>
  calls.importFiles({ files: [new File([text], 'test.csv')], options: {} }, context())
const append = async (id: string, text: string): Promise<Dataset> =>
  calls.appendFiles({ id, files: [new File([text], 'more.csv')], options: {} }, context())
const apply = async (id: string, recipe: RecipeStep[] | Recipe) =>
  calls.applyRecipe({ id, recipe }, context())
const undo = async (id: string) => calls.undoRecipe({ id }, context())
const split = async (id: string, config: SplitRequest) => calls.split({ id, config }, context())
const state = async (id: string) => calls.recipe({ id }, context())
const rows = async (id: string, part?: SplitName): Promise<Row[]> =>
  calls.rows({ id, query: { offset: 0, limit: 100_000, ...(part && { split: part }) } }, context())

const LABELS = ['card', 'cash', 'loan', 'other']
const csv = (from: number, to: number): string =>
  `text,label,customer,day\n${Array.from({ length: to - from }, (_, i) => {
    const n = from + i
    return `"Question ${n % 90} about the big car number ${n % 90}",${LABELS[n % 4]!},c${n % 17},2024-01-${String((n % 28) + 1).padStart(2, '0')}`
  }).join('\n')}\n`

/** Everything of a dataset that a recipe must give back. */
async function everything(id: string): Promise<unknown> {
  const { version, ...dataset } = await calls.getDataset({ id }, context())
  const all: string[][] = []
  for await (const batch of eachBatch(store, id)) all.push(...batch.rows)
  const { parts, folds } = await readParts(store, id)
  return {
    dataset,
    version: version && { ...version, rows: '' },
    all,
    parts: [...parts],
    folds: folds && [...folds],
    ids: [...((await rawIds(store, id)) ?? [])],
    weights: [...((await readRecipe(store, id))?.weights ?? [])],
  }
}
const rawRows = async (id: string): Promise<string[][]> => {
  const all: string[][] = []
  for await (const batch of eachBatch(store, { id })) all.push(...batch.rows)
  return all
}

describe('a recipe', () => {
  test('becomes the rows that everything reads; the raw ones stay', async () => {
    const { id } = await load(csv(0, 200))
    const before = await rawRows(id)
    const made = await apply(id, [
      { kind: 'dedupeExact', columns: ['text'] },
      { kind: 'derive', column: 'prompt', template: 'Q: {text}' },
    ])
    expect(made).toMatchObject({ rows: 90, version: { raw: { rows: 200 }, synthetic: 0, steps: 2 } })
    expect(made.columns.map(({ name }) => name)).toEqual(['text', 'label', 'customer', 'day', 'prompt'])
    const all = await rows(id)
    expect(all).toHaveLength(90)
    expect(all[3]!.cells.prompt).toBe('Q: Question 3 about the big car number 3')
    expect(await rawRows(id)).toEqual(before)
    expect(await state(id)).toMatchObject({
      reports: [
        { before: 200, after: 90, removed: 110 },
        { before: 90, changed: 90 },
      ],
      raw: { rows: 200, columns: ['text', 'label', 'customer', 'day'] },
      rows: 90,
      undoable: 1,
      recipe: { seed: 42, source: { name: 'test.csv', sha256: made.sha256, rows: 200 } },
    })
  })

  test('steps that join at the end are one change, whatever else was changed meanwhile', async () => {
    const { id } = await load(csv(0, 40))
    const steps: RecipeStep[] = [{ kind: 'addRows', columns: ['text'], rows: [['fresh']], origin: 'a model' }]
    const first = apply(id, [{ kind: 'filter', where: 'label = "card"' }])
    const [, made] = await Promise.all([first, calls.extendRecipe({ id, steps }, context())])
    expect(made).toMatchObject({ rows: 11, version: { synthetic: 1, steps: 2 } })
    expect((await undo(id)).rows).toBe(10)
    const wrong = [{ kind: 'addRows', columns: ['none'], rows: [['x']] } as const]
    await expect(calls.extendRecipe({ id, steps: wrong as never }, context())).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
    expect((await calls.getDataset({ id }, context())).rows).toBe(10)
  })

  test('undo goes back through any changes to the same bytes, and the same recipe gives the same again', async () => {
    const step: fc.Arbitrary<RecipeStep> = fc.oneof(
      fc.constantFrom<RecipeStep>(
        { kind: 'dedupeExact', columns: ['text'] },
        { kind: 'filter', where: 'label != "loan"' },
        { kind: 'normalise', case: 'upper' },
        { kind: 'mapLabels', column: 'label', map: [['cash', 'card']] },
        { kind: 'rebalance', column: 'label', method: 'over' },
        { kind: 'weigh', column: 'label', by: 'balanced' },
        { kind: 'augment', method: 'typo', column: 'text' },
        { kind: 'columns', how: 'drop', columns: ['day'] },
        { kind: 'dropRows', rows: [1, 2, 3] },
      ),
    )
    const change = fc.oneof(
      { weight: 3, arbitrary: fc.uniqueArray(step, { maxLength: 3, selector: ({ kind }) => kind }) },
      { weight: 1, arbitrary: fc.constant(null) },
    )
    const { id } = await load(csv(0, 120))
    const first = await everything(id)
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
        const past: unknown[] = []
        let now = await everything(id)
        for (const steps of changes) {
          if (steps === null) {
            if (past.length === 0) continue
            await undo(id)
            now = past.pop()
            expect(await everything(id)).toEqual(now)
            continue
          }
          past.push(now)
          await apply(id, steps)
          now = await everything(id)
          // Once more, from its JSON.
          const { recipe } = await state(id)
          await apply(id, JSON.parse(JSON.stringify(recipe)) as Recipe)
          expect(await everything(id)).toEqual(now)
          await undo(id)
        }
        while (past.length > 0) {
          await undo(id)
          expect(await everything(id)).toEqual(past.pop())
        }
        expect(await everything(id)).toEqual(first)
        await expect(undo(id)).rejects.toMatchObject({ code: 'E_ARGUMENT' })
      }),
      { numRuns: 15 },
    )
    // What was replaced is gone from the store.
    const keys = new Set((await store.main.rows.toCollection().primaryKeys()).map(([key]) => key))
    expect([...keys]).toEqual([id])
  })

  test('a step that fails or is cancelled leaves everything as it was', async () => {
    const { id } = await load(csv(0, 100))
    await apply(id, [{ kind: 'dedupeExact', columns: ['text'] }])
    const before = await everything(id)
    const keys = await store.main.rows.count()
    await expect(apply(id, [{ kind: 'filter', where: 'nothing = 1' }])).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
    await expect(apply(id, [{ kind: 'filter', where: 'label = "nobody"' }])).rejects.toMatchObject({
      code: 'E_DATASET',
    })
    const abort = new AbortController()
    abort.abort()
    await expect(
      Promise.resolve(calls.applyRecipe({ id, recipe: [{ kind: 'dropMissing' }] }, context(abort.signal))),
    ).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(await everything(id)).toEqual(before)
    expect(await store.main.rows.count()).toBe(keys)
  })

  test('keeps the task and its labels as long as the columns are there', async () => {
    const { id } = await load(csv(0, 100))
    await calls.configure(
      { id, config: { task: 'classify', columns: { text: 'text', label: 'label' } } },
      context(),
    )
    const mapped = await apply(id, [
      {
        kind: 'mapLabels',
        column: 'label',
        map: [
          ['cash', 'money'],
          ['card', 'money'],
        ],
      },
    ])
    expect(mapped.labels).toEqual(['loan', 'money', 'other'])
    const without = await apply(id, [{ kind: 'columns', how: 'drop', columns: ['label'] }])
    expect([without.config, without.labels]).toEqual([null, null])
    // With the column the task comes back.
    const back = await undo(id)
    expect(back.labels).toEqual(['loan', 'money', 'other'])
    expect(back.config).toEqual(mapped.config)
  })

  test('synthetic rows are for training, and what is held out is the same with and without them', async () => {
    const { id } = await load(csv(0, 90))
    const held = [...(await rows(id, 'validation')), ...(await rows(id, 'test'))].map(
      ({ cells }) => cells.text,
    )
    const made = await apply(id, [
      { kind: 'augment', method: 'synonym', column: 'text', copies: 2 },
      { kind: 'rebalance', column: 'label', method: 'over', to: 80 },
    ])
    expect(made.version!.synthetic).toBe(made.rows - 90)
    expect(made.version!.synthetic).toBeGreaterThan(100)
    expect(
      [...(await rows(id, 'validation')), ...(await rows(id, 'test'))].map(({ cells }) => cells.text),
    ).toEqual(held)
    expect(made.split!.rows.train).toBe(made.rows - held.length)
    // Another split makes them anew.
    const again = await split(id, { train: 0.5, validation: 0.25, test: 0.25, seed: 1, stratify: '' })
    expect(again.split!.rows.validation + again.split!.rows.test).toBe(45)
    expect(new Set((await rows(id, 'train')).map(({ cells }) => cells.label)).size).toBe(4)
  })

  test('weights follow the split, and come back from an export as numbers of a column', async () => {
    const { id } = await load(csv(0, 90))
    const weightsOf = async (of: string) => (await readRecipe(store, of))?.weights
    const made = await apply(id, [
      { kind: 'filter', where: 'label != "card" or customer = "c0"' },
      { kind: 'weigh', column: 'label', by: 'balanced' },
    ])
    const first = (await weightsOf(id))!
    expect(first).toHaveLength(made.rows)
    const train = (await rows(id)).filter(({ split: part }) => part === 'train')
    expect(train.reduce((sum, { index }) => sum + first[index]!, 0)).toBeCloseTo(train.length, 9)
    for (const { index, split: part } of await rows(id)) if (part !== 'train') expect(first[index]).toBe(1)
    expect(made.version!.weights).toEqual({
      least: Math.min(...train.map(({ index }) => first[index]!)),
      most: Math.max(...train.map(({ index }) => first[index]!)),
    })
    // Another training part has other weights.
    await split(id, { train: 0.4, validation: 0.3, test: 0.3, seed: 5, stratify: '' })
    const second = (await weightsOf(id))!
    expect(second).not.toEqual(first)

    const blob = await calls.takeOut({ id, request: { format: 'csv', marks: true, bundle: true } }, context())
    const files = unzipSync(new Uint8Array(await blob.arrayBuffer()))
    const text = new TextDecoder().decode(files['test.csv'])
    expect(text.split('\n')[0]!.trim()).toBe('text,label,customer,day,split,weight')
    const sheet = new TextDecoder().decode(files['datasheet.md'])
    expect(sheet).toMatch(
      /^2\. Weigh training rows by label, so that each value counts the same: .*weighed, from /m,
    )
    expect(sheet).toMatch(/^\| card \| \d+ \| [\d.]+ \|$/m)
    const again = await load(text)
    await split(again.id, { train: 1, validation: 0, test: 0, stratify: '' })
    await apply(again.id, [{ kind: 'weigh', column: 'weight', by: 'number' }])
    expect(await weightsOf(again.id)).toEqual(second)

    await undo(id)
    expect(await weightsOf(id)).toBeUndefined()
    expect((await calls.getDataset({ id }, context())).version).toBeUndefined()
  })

  test('is removed with its dataset, and swept', async () => {
    const { id } = await load(csv(0, 50))
    await apply(id, [{ kind: 'dropRows', rows: [0] }])
    await store.main.rows.put({ dataset: `${id}/lost`, batch: 0, rows: [['x']] })
    await sweep(store)
    expect(await rows(id)).toHaveLength(49)
    expect((await store.main.rows.toCollection().primaryKeys()).map(([key]) => key)).not.toContain(
      `${id}/lost`,
    )
    await calls.removeDataset({ id }, context())
    expect([
      await store.main.rows.count(),
      await store.main.recipes.count(),
      await store.main.parts.count(),
    ]).toEqual([0, 0, 0])
  })
})

describe('edits by hand', () => {
  const edit = async (id: string, changes: CellChange[]) => calls.editCells({ id, changes }, context())

  test('are one step at the end of the recipe, by raw id, and reach everything that reads rows', async () => {
    const { id } = await load(csv(0, 40))
    await apply(id, [{ kind: 'filter', where: 'label != "card"' }])
    const [first] = await rows(id)
    await edit(id, [{ row: 0, column: 'text', value: 'better' }])
    const made = await edit(id, [{ row: 1, column: 'label', value: 'new' }])
    expect(made.edits).toEqual([
      { row: 0, column: 'text', value: 'better' },
      { row: 1, column: 'label', value: 'new' },
    ])
    expect((await rows(id)).slice(0, 2).map(({ cells }) => [cells.text, cells.label])).toEqual([
      ['better', 'cash'],
      [expect.any(String), 'new'],
    ])
    const { recipe, undoable } = await state(id)
    expect(recipe.steps.at(-1)).toEqual({
      kind: 'edit',
      edits: [
        { row: 1, column: 'text', value: 'better' },
        { row: 2, column: 'label', value: 'new' },
      ],
    })
    expect(undoable).toBe(3)
    // Other steps may change: the edit stays with its row.
    await apply(id, recipe.steps.slice(1))
    expect((await rows(id))[1]!.cells.text).toBe('better')
    await undo(id)
    await edit(id, [{ row: 0, column: 'text', value: null }])
    expect((await rows(id))[0]!.cells).toEqual(first!.cells)
    await edit(id, [{ row: 1, column: 'label', value: null }])
    expect((await state(id)).recipe.steps).toHaveLength(1)
    expect((await calls.getDataset({ id }, context())).edits).toBeUndefined()
  })

  test('are taken back call by call', async () => {
    const { id } = await load(csv(0, 40))
    const cells = async () => (await rows(id)).map(({ cells }) => cells)
    const raw = await cells()
    await edit(id, [{ row: 0, column: 'text', value: 'first' }])
    const first = await cells()
    await edit(id, [
      { row: 1, column: 'text', value: 'second' },
      { row: 2, column: 'label', value: 'third' },
    ])
    const { edits } = await undo(id)
    expect(edits).toEqual([{ row: 0, column: 'text', value: 'first' }])
    expect(await cells()).toEqual(first)
    expect((await undo(id)).edits).toBeUndefined()
    expect(await cells()).toEqual(raw)
  })

  test.each([
    [{ row: 40, column: 'text', value: 'x' }],
    [{ row: 0, column: 'none', value: 'x' }],
    [{ row: 0, column: 'text', value: 3 as never }],
  ])('%j is refused', async (change) => {
    const { id } = await load(csv(0, 40))
    await expect(edit(id, [change])).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })

  test('made one by one share the other rows, and are what the recipe as a whole gives', async () => {
    const { id } = await load(csv(0, 3500))
    await calls.configure(
      { id, config: { task: 'classify', columns: { text: 'text', label: 'label' } } },
      context(),
    )
    const steps = [[], [{ kind: 'filter', where: 'label != "other"' } as const]]
    for (const before of steps) {
      await apply(id, before)
      const untouched = (await calls.getDataset({ id }, context())).version?.rows ?? id
      const first = await state(id)
      const change = fc.record({
        row: fc.integer({ min: 0, max: 2600 }),
        column: fc.constantFrom('text', 'label', 'customer'),
        value: fc.constantFrom('cash', 'fresh', 'x', ''),
      })
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 5 }),
          async (calls) => {
            await apply(id, first.recipe)
            for (const changes of calls) await edit(id, changes)
            const quick = await everything(id)
            const { recipe, reports } = await state(id)
            const found = (await rows(id)).map(({ cells }) => cells)
            await apply(id, recipe)
            const whole = (await everything(id)) as { dataset: Dataset; version: object }
            const { patches: _patches, ...version } =
              (quick as { version: { patches?: unknown } }).version ?? {}
            const { suggestion } = (quick as { dataset: Dataset }).dataset
            expect({ ...(quick as object), version }).toEqual({
              ...whole,
              dataset: { ...whole.dataset, suggestion },
              version: whole.version ?? {},
            })
            expect(found).toEqual((await rows(id)).map(({ cells }) => cells))
            expect((await state(id)).reports).toEqual(reports)
          },
        ),
        { numRuns: 8 },
      )
      await apply(id, before)
      const made = await edit(id, [{ row: 1500, column: 'text', value: 'a single one' }])
      const again = await edit(id, [{ row: 1501, column: 'text', value: 'another' }])
      expect(again.version!.rows).toBe(made.version!.rows)
      expect(again.version!.patches).toHaveLength(1)
      const keys = new Set((await store.main.rows.toCollection().primaryKeys()).map(([key]) => key))
      expect(keys).toEqual(new Set([id, again.version!.rows, again.version!.patches![0]![1]]))
      if (before.length === 0) expect(untouched).toBe(id)
      const hits = await calls.searchRows(
        { id, query: { query: '"a single one"', offset: 0, limit: 5 } },
        context(),
      )
      expect(hits.rows.map(({ index }) => index)).toEqual([1500])
      await sweep(store)
      expect((await rows(id)).slice(1500, 1502).map(({ cells }) => cells.text)).toEqual([
        'a single one',
        'another',
      ])
      await undo(id)
      const texts = (await rows(id)).slice(1500, 1502).map(({ cells }) => cells.text)
      expect([texts[0], texts[1] === 'another']).toEqual(['a single one', false])
      await undo(id)
      expect((await rows(id))[1500]!.cells.text).not.toBe('a single one')
    }
    await calls.removeDataset({ id }, context())
    expect(await store.main.rows.count()).toBe(0)
  })

  test('not of rows that a step made', async () => {
    const { id } = await load(csv(0, 40))
    const made = await apply(id, [{ kind: 'addRows', columns: ['text'], rows: [['fresh']] }])
    await expect(edit(id, [{ row: made.rows - 1, column: 'text', value: 'x' }])).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
  })
})

test('an edit keeps the weights, and one of the column that is weighed makes them anew', async () => {
  const { id } = await load(csv(0, 40))
  const made = await apply(id, [{ kind: 'weigh', column: 'label', by: 'balanced' }])
  const before = (await readRecipe(store, id))!.weights!
  const edited = await calls.editCells({ id, changes: [{ row: 3, column: 'text', value: 'new' }] }, context())
  expect(edited.version!.weights).toEqual(made.version!.weights)
  expect((await readRecipe(store, id))!.weights).toEqual(before)

  const { row } = (await rows(id, 'train')).map(({ index }) => ({ row: index }))[0]!
  const relabelled = await calls.editCells(
    { id, changes: [{ row, column: 'label', value: 'rare' }] },
    context(),
  )
  const after = (await readRecipe(store, id))!.weights!
  expect(relabelled.version!.weights!.most).toBe(after[row])
  expect(after[row]).toBeGreaterThan(before[row]!)
})

describe('splits', () => {
  const partsByRow = async (id: string): Promise<Map<number, SplitName | null>> => {
    const ids = await rawIds(store, id)
    return new Map((await rows(id)).map(({ index, split: part }) => [ids ? ids[index]! : index, part]))
  }

  test('a group is on one side, also after rows were added', async () => {
    const { id } = await load(csv(0, 170))
    await split(id, { group: 'customer', train: 0.6, validation: 0.2, test: 0.2 })
    const before = await partsByRow(id)
    await append(id, csv(170, 300))
    const sides = new Map<string, SplitName | null>()
    for (const { cells, split: part, index } of await rows(id)) {
      if (before.has(index)) expect(part).toBe(before.get(index))
      expect(sides.get(cells.customer!) ?? part).toBe(part)
      sides.set(cells.customer!, part)
    }
    expect(new Set(sides.values()).size).toBe(3)
  })

  test.each<SplitRequest>([{}, { group: 'customer' }, { folds: 3 }])(
    'near-duplicates of rows that are there go to their side: %j',
    async (more) => {
      const line = (i: number, end: string) =>
        `"Letter ${i} of ${['red', 'green', 'blue'][i % 3]!} house ${i * 7} says that water number ${i * 3} was cold ${end}",c${i}`
      const lines = (end: string, from = 0) =>
        Array.from({ length: 60 }, (_, i) => line(from + i, end)).join('\n')
      const { id } = await load(`text,customer\n${lines('on Monday')}\n`)
      await split(id, { near: 0.6, train: 0.5, validation: 0.25, test: 0.25, ...more })
      const before = await partsByRow(id)
      await append(
        id,
        `text,customer\n${lines('on Tuesday')}\n${lines('on Monday', 100)}\n${lines('on Friday', 100)}\n`,
      )
      const after = await partsByRow(id)
      for (const [row, part] of before) expect(after.get(row)).toBe(part)
      for (let i = 0; i < 60; i++) {
        expect(after.get(60 + i)).toBe(after.get(i))
        expect(after.get(180 + i)).toBe(after.get(120 + i))
      }
      expect(new Set(Array.from({ length: 60 }, (_, i) => after.get(120 + i))).size).toBe(3)
    },
  )

  test('rows that were added never move those before, whatever the recipe', async () => {
    const { id } = await load(csv(0, 150))
    await split(id, { by: ['label', 'customer'], seed: 3 })
    const before = await partsByRow(id)
    await apply(id, [
      { kind: 'filter', where: 'label != "cash"' },
      { kind: 'dedupeExact', columns: ['text'] },
    ])
    await append(id, csv(150, 260))
    await apply(id, [{ kind: 'filter', where: 'label != "loan"' }])
    for (const [row, part] of await partsByRow(id)) if (before.has(row)) expect(part).toBe(before.get(row))
    await apply(id, [])
    const after = await partsByRow(id)
    expect(after.size).toBe(260)
    for (const [row, part] of before) expect(after.get(row)).toBe(part)
    expect([...after.values()]).not.toContain(null)
  })

  test('made over a recipe: shares are those of its rows, and rows it left out get a part when they come back', async () => {
    const { id } = await load(csv(0, 200))
    await apply(id, [{ kind: 'filter', where: 'label in ("card", "cash")' }])
    const { split: made } = await split(id, { by: 'label', train: 0.6, validation: 0.2, test: 0.2 })
    expect(made).toMatchObject({ stratify: 'label', rows: { train: 60, validation: 20, test: 20 } })
    const before = await partsByRow(id)
    await apply(id, [])
    const after = await partsByRow(id)
    expect(after.size).toBe(200)
    for (const [row, part] of before) expect(after.get(row)).toBe(part)
    expect(new Set([...after].filter(([row]) => !before.has(row)).map(([, part]) => part)).size).toBe(3)
  })

  test('by time, also for rows that come later', async () => {
    const { id } = await load(csv(0, 140))
    await split(id, { time: 'day' })
    const days = async (part: SplitName) => (await rows(id, part)).map(({ cells }) => cells.day!).sort()
    const check = async () => {
      const [train, validation, test] = [await days('train'), await days('validation'), await days('test')]
      expect(train.at(-1)! <= validation[0]!).toBe(true)
      expect(validation.at(-1)! <= test[0]!).toBe(true)
    }
    await check()
    await append(
      id,
      'text,label,customer,day\na,card,c1,2023-05-01\nb,card,c1,2025-05-01\nc,card,c1,2024-01-02\n',
    )
    await check()
    expect((await rows(id)).slice(-3).map(({ split: part }) => part)).toEqual(['train', 'test', 'train'])
  })

  test('folds: the next fold validates without drawing anew', async () => {
    const { id } = await load(csv(0, 100))
    await split(id, { folds: 4, test: 0.2, train: 0.7 })
    const seen: number[] = []
    const tests = (await rows(id, 'test')).map(({ index }) => index)
    for (let fold = 0; fold < 4; fold++) {
      await split(id, { folds: 4, fold, test: 0.2, train: 0.7 })
      seen.push(...(await rows(id, 'validation')).map(({ index }) => index))
      expect((await rows(id, 'test')).map(({ index }) => index)).toEqual(tests)
    }
    expect(seen.sort((a, b) => a - b)).toEqual([...Array(100).keys()].filter((row) => !tests.includes(row)))
  })

  test('folds: rows that a recipe leaves out keep theirs', async () => {
    const { id } = await load(csv(0, 100))
    const folds = { folds: 4, test: 0.2, train: 0.7 }
    await split(id, folds)
    const parts = async (fold: number) => {
      await split(id, { ...folds, fold })
      return partsByRow(id)
    }
    const before = [await parts(0), await parts(1)]
    await apply(id, [
      { kind: 'filter', where: 'label != "card"' },
      { kind: 'rebalance', column: 'label', method: 'under', to: 5 },
    ])
    await parts(0)
    await parts(1)
    await apply(id, [])
    expect(await parts(1)).toEqual(before[1])
    expect(await parts(0)).toEqual(before[0])
  })

  test('near-duplicates stay on one side', async () => {
    const base = 'please tell me how the long road to the old town by the sea is called today'
    const text = `text,label\n${Array.from({ length: 60 }, (_, i) => `${base} ${'abcdefghij'[i % 10]!} number${i % 10}x,l${i % 2}`).join('\n')}\nunlike anything else that stands here,l0\n`
    const { id } = await load(text)
    await split(id, { near: 0.75, train: 0.5, validation: 0.25, test: 0.25, stratify: '' })
    const alike = (await rows(id)).slice(0, 60)
    expect(new Set(alike.map(({ split: part }) => part)).size).toBe(1)
  })

  test.each<[SplitRequest, Record<string, number>]>([
    [
      { validation: 0.2, test: 0.3 },
      { train: 50, validation: 20, test: 30 },
    ],
    [{ test: 0 }, { train: 90, validation: 10, test: 0 }],
    [{ folds: 5 }, { train: 72, validation: 18, test: 10 }],
    [
      { folds: 4, test: 0 },
      { train: 75, validation: 25, test: 0 },
    ],
    [
      { folds: 4, test: 0.2, fold: 3 },
      { train: 60, validation: 20, test: 20 },
    ],
  ])('%j: training gets what is left', async (request, expected) => {
    const { id } = await load(csv(0, 100))
    expect((await split(id, { stratify: '', ...request })).split!.rows).toEqual(expected)
  })

  test('sizes in rows', async () => {
    const { id } = await load(csv(0, 100))
    const made = await split(id, { unit: 'rows', validation: 7, test: 13, stratify: '' })
    expect(made.split!.rows).toEqual({ train: 80, validation: 7, test: 13 })
    await expect(split(id, { unit: 'rows', train: 90, validation: 7, test: 13 })).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
  })

  test.each<[SplitRequest, string]>([
    [{ group: 'none' }, 'E_DATASET'],
    [{ by: ['label', 'none'] }, 'E_DATASET'],
    [{ time: 'label' }, 'E_DATASET'],
    [{ by: 'label', stratify: 'label' }, 'E_ARGUMENT'],
    [{ by: 3 as never }, 'E_ARGUMENT'],
    [{ unit: 'percent' as never }, 'E_ARGUMENT'],
  ])('%j is refused', async (request, code) => {
    const { id } = await load(csv(0, 30))
    await expect(split(id, request)).rejects.toMatchObject({ code })
  })
})

describe('taking out', () => {
  const out = async (id: string, request: TakeOutRequest) => calls.takeOut({ id, request }, context())
  const reimport = async (blob: Blob, name: string): Promise<Dataset> =>
    calls.importFiles({ files: [new File([blob], name)], options: { guarded: true } }, context())

  test.each(['csv', 'jsonl', 'parquet'] as const)('%s comes back as it was', async (format) => {
    const { id } = await load(`text,label\n"=1+1, ""x""\nline",a\n'=2,b\n${'word,a\n'.repeat(20)}`)
    await apply(id, [{ kind: 'derive', column: 'n', template: '{length(text)}' }])
    const again = await reimport(await out(id, { format }), `again.${format}`)
    expect((await rows(again.id)).map(({ cells }) => cells)).toEqual(
      (await rows(id)).map(({ cells }) => cells),
    )
  })

  test('formulas are guarded, and raw on request', async () => {
    const { id } = await load('text,label\n=cmd(),a\nx,b\n')
    expect(await (await out(id, { format: 'csv' })).text()).toBe("text,label\n'=cmd(),a\nx,b\n")
    expect(await (await out(id, { format: 'csv', guard: false })).text()).toBe('text,label\n=cmd(),a\nx,b\n')
  })

  test('one part, with marks', async () => {
    const { id } = await load(csv(0, 50).replace('label', 'split'))
    await apply(id, [{ kind: 'augment', method: 'typo', column: 'text' }])
    const lines = (await (await out(id, { format: 'jsonl', split: 'train', marks: true })).text())
      .trim()
      .split('\n')
    const found = lines.map((line) => JSON.parse(line) as Record<string, string>)
    expect(new Set(found.map(({ split_2: part }) => part))).toEqual(new Set(['train']))
    const made = (await calls.getDataset({ id }, context())).version!.synthetic
    expect(found.filter(({ synthetic }) => synthetic === 'true')).toHaveLength(made)
    expect(found).toHaveLength(40 + made)
  })

  test('the bundle: data, recipe and datasheet', async () => {
    const { id } = await load(csv(0, 120))
    await calls.configure(
      { id, config: { task: 'classify', columns: { text: 'text', label: 'label' } } },
      context(),
    )
    await apply(id, [
      { kind: 'dedupeExact', columns: ['text'] },
      { kind: 'dropMissing', enabled: false },
    ])
    const blob = await out(id, {
      format: 'csv',
      bundle: true,
      licence: 'CC BY 4.0',
      about: '<b>Bank</b> questions',
      problems: ['Few rows'],
    })
    const files = unzipSync(new Uint8Array(await blob.arrayBuffer()))
    expect(Object.keys(files)).toEqual(['test.csv', 'recipe.json', 'datasheet.md'])
    const text = (name: string) => new TextDecoder().decode(files[name])
    expect(JSON.parse(text('recipe.json'))).toEqual((await state(id)).recipe)
    const sheet = text('datasheet.md')
    for (const words of [
      '# test.csv',
      '\\<b\\>Bank\\</b\\> questions',
      createHash('sha256').update(files['test.csv']!).digest('hex'),
      'Raw rows: 120',
      '1. Drop exact duplicates by text, keeping the first: 120 rows before, 90 after; 30 removed',
      ': switched off',
      'the values of label keep their shares',
      '| card |',
      '- Few rows',
      'CC BY 4.0',
    ])
      expect(sheet).toContain(words)
    // The recipe over the same source gives the same dataset.
    const again = await load(csv(0, 120))
    await apply(again.id, JSON.parse(text('recipe.json')) as Recipe)
    expect(await (await out(again.id, { format: 'csv' })).text()).toBe(text('test.csv'))
  })

  test.each<[object]>([
    [{ format: 'xlsx' }],
    [{ format: 'csv', split: 'dev' }],
    [{ format: 'csv', guard: 'no' }],
    [{}],
  ])('%j is refused', async (request) => {
    const { id } = await load(csv(0, 5))
    await expect(out(id, request as TakeOutRequest)).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })

  test('file names', () => {
    expect(fileName('a/b:c.csv', { format: 'jsonl' })).toBe('a_b_c.jsonl')
    expect(fileName('.csv', { format: 'csv', split: 'test' })).toBe('dataset-test.csv')
  })
})
