// Recipes over tables: what each step does to planted cases, and that the same recipe gives the same rows.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkRecipe } from '../../../src/data/recipe/check.ts'
import { cook, type CookOptions } from '../../../src/data/recipe/cook.ts'
import type { FlowRow } from '../../../src/data/recipe/flow.ts'
import type { Table } from '../../../src/data/table.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { RecipeStep, StepReport } from '../../../src/protocol/recipe.ts'

function tableOf(columns: string[], rows: string[][], batch = 3): Table {
  return {
    columns,
    rows: rows.length,
    async *batches() {
      for (let start = 0; start < rows.length; start += batch) {
        await Promise.resolve()
        yield { start, rows: rows.slice(start, start + batch) }
      }
    },
  }
}

interface Result {
  columns: readonly string[]
  rows: FlowRow[]
  cells: (readonly string[])[]
  reports: readonly (StepReport | null)[]
}

async function run(
  table: Table,
  steps: RecipeStep[],
  options: CookOptions & { seed?: number } = {},
): Promise<Result> {
  const { seed = 42, ...rest } = options
  const cooked = await cook(table, { ...checkRecipe(steps), seed }, rest)
  const rows: FlowRow[] = []
  for await (const batch of cooked.batches()) rows.push(...batch)
  return { columns: cooked.columns, rows, cells: rows.map(({ cells }) => cells), reports: cooked.reports }
}
const one = async (cell: string, step: RecipeStep) =>
  (await run(tableOf(['a'], [[cell]]), [step])).cells[0]![0]
const report = (before: number, after: number, changed: number, removed: number, added: number) => ({
  before,
  after,
  changed,
  removed,
  added,
})
const failure = async (work: Promise<unknown>): Promise<GraftError> => {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof GraftError)) throw new Error(`no GraftError but ${String(error)}`)
  return error
}

describe('cells', () => {
  test('normalise', async () => {
    expect(await one('  a \t b \n\n\n c ', { kind: 'normalise', space: 'collapse' })).toBe('a b\n\nc')
    expect(await one('  a  b ', { kind: 'normalise', space: 'trim' })).toBe('a  b')
    expect(await one('ﬁle ① e\u0301', { kind: 'normalise', form: 'NFKC' })).toBe('file 1 é')
    expect(await one('ﬁ e\u0301', { kind: 'normalise', form: 'NFC' })).toBe('ﬁ é')
    expect(await one('“It’s” «ok»', { kind: 'normalise', quotes: true })).toBe('"It\'s" "ok"')
    expect(await one('ÄB', { kind: 'normalise', case: 'lower' })).toBe('äb')
    expect(await one('a\u0000b\u200bc\ufeff\td\n', { kind: 'normalise', controls: true })).toBe('abc\td\n')
    expect(await one('👩\u200d🚀', { kind: 'normalise', controls: true })).toBe('👩\u200d🚀')
  })

  test('HTML', async () => {
    const plain = (cell: string) => one(cell, { kind: 'stripHtml' })
    expect(await plain('<p>Hello <b>World</b></p><p>R&amp;D &#8364;5 &nbsp;x</p>')).toBe(
      'Hello World\nR&D €5 \u00a0x',
    )
    expect(await plain('a < b and c > d, x<y>z, <unknown>')).toBe('a < b and c > d, x<y>z, <unknown>')
    expect(await plain('<script>alert("<b>")</script>text<!-- no -->')).toBe('text')
    expect(await plain('<a href="x>y" title=\'>\'>link</a>')).toBe('link')
    expect(await plain('&lt;b&gt; &amp;amp; &bogus; &#0;')).toBe('<b> &amp; &bogus; &#0;')
    expect(await plain('<header>top</header><head><title>t</title></head> rest')).toBe('top\nrest')
    expect(await plain('one<br/>two<br>three')).toBe('one\ntwo\nthree')
    const start = performance.now()
    await plain('<a '.repeat(20_000) + '<!--'.repeat(20_000) + '<script>'.repeat(5000))
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test('mojibake', async () => {
    expect(await one('cafÃ© donâ€™t', { kind: 'fixMojibake' })).toBe('café don’t')
  })

  test('replaceWords', async () => {
    const out = (cell: string) =>
      one(cell, { kind: 'replaceWords', words: ['refund', 'Money back', 'Größe'] })
    expect(await out('Please refund me, refunds')).toBe('Please me, refunds')
    expect(await out('REFUND me. A refund.')).toBe('me. A.')
    expect(await out("refund's and un-refund (refund)")).toBe("refund's and un- ()")
    expect(await out('My money,  back please\n refund  now')).toBe('My please\nnow')
    expect(await out('Die größe, die GRÖSSE')).toBe('Die, die GRÖSSE')
    expect(await out('refund')).toBe('')
    expect(await out('Refund: where is it, refund, thanks')).toBe('where is it,, thanks')
    const instead = (cell: string) =>
      one(cell, { kind: 'replaceWords', words: ['she', 'trans woman', 'trans'], with: '[$1]' })
    expect(await instead('She said: trans-woman, trans.')).toBe('[$1] said: [$1], [$1].')
    expect(await instead("she's here")).toBe("she's here")
    // Nobody's space is touched where nothing is found.
    expect(await out(' as  it is ')).toBe(' as  it is ')
  })
  test('truncate', async () => {
    expect(await one('a😀bc', { kind: 'truncate', unit: 'characters', limit: 2 })).toBe('a😀')
    expect(await one('a😀bc', { kind: 'truncate', unit: 'characters', limit: 3, keep: 'end' })).toBe('😀bc')
    expect(await one(' one  two three', { kind: 'truncate', unit: 'words', limit: 2 })).toBe(' one  two')
    expect(await one('one two three ', { kind: 'truncate', unit: 'words', limit: 2, keep: 'end' })).toBe(
      'two three ',
    )
  })

  test('redact: the same value has the same number', async () => {
    const { cells, reports } = await run(
      tableOf(
        ['a', 'b'],
        [
          ['mail ann@example.com', 'x'],
          ['bob@example.com or ANN@example.com', 'ann@example.com'],
          ['none', ''],
        ],
      ),
      [{ kind: 'redact', kinds: ['email'] }],
    )
    expect(cells).toEqual([
      ['mail [EMAIL_1]', 'x'],
      ['[EMAIL_2] or [EMAIL_1]', '[EMAIL_1]'],
      ['none', ''],
    ])
    expect(reports).toEqual([report(3, 3, 2, 0, 0)])
  })

  test('derive and columns', async () => {
    const { columns, cells } = await run(tableOf(['a', 'my b'], [['x', 'y']]), [
      { kind: 'derive', column: 'c', template: '{upper(a)}-{[my b]}' },
      { kind: 'derive', column: 'a', template: '{c}!' },
      { kind: 'columns', how: 'drop', columns: ['my b'] },
    ])
    expect([columns, cells]).toEqual([['a', 'c'], [['X-y!', 'X-y']]])
  })

  test('edits by hand are by raw id, and leave synthetic rows alone', async () => {
    const { cells, reports } = await run(tableOf(['a'], [['x'], ['y'], ['z']]), [
      { kind: 'dropRows', rows: [0] },
      {
        kind: 'edit',
        edits: [
          { row: 1, column: 'a', value: 'Y' },
          { row: 0, column: 'a', value: 'gone' },
        ],
      },
    ])
    expect(cells).toEqual([['Y'], ['z']])
    expect(reports).toEqual([report(3, 2, 0, 1, 0), report(2, 2, 1, 0, 0)])
  })
})

describe('rows', () => {
  const table = tableOf(
    ['text', 'label'],
    [
      ['a', 'x'],
      ['A ', 'x'],
      ['b', 'y'],
      ['a', 'x'],
      ['', 'y'],
      ['long text', ''],
      ['b', 'z'],
    ],
  )

  test('missing', async () => {
    expect((await run(table, [{ kind: 'dropMissing' }])).reports).toEqual([report(7, 5, 0, 2, 0)])
    expect((await run(table, [{ kind: 'dropMissing', when: 'all' }])).cells).toHaveLength(7)
    const filled = await run(table, [{ kind: 'fillMissing', columns: ['label'], with: 'mode' }])
    expect(filled.cells[5]).toEqual(['long text', 'x'])
    const named = await run(table, [
      { kind: 'fillMissing', columns: ['text', 'label'], with: { value: '?' } },
    ])
    expect([named.cells[4], named.cells[5]]).toEqual([
      ['?', 'y'],
      ['long text', '?'],
    ])
  })

  test('exact duplicates', async () => {
    const ids = async (step: RecipeStep) => (await run(table, [step])).rows.map(({ id }) => id)
    expect(await ids({ kind: 'dedupeExact' })).toEqual([0, 1, 2, 4, 5, 6])
    expect(await ids({ kind: 'dedupeExact', columns: ['text'] })).toEqual([0, 1, 2, 4, 5])
    expect(await ids({ kind: 'dedupeExact', columns: ['text'], ignoreCase: true, keep: 'last' })).toEqual([
      3, 4, 5, 6,
    ])
    expect(await ids({ kind: 'dedupeExact', columns: ['text'], ignoreCase: true, keep: 'longest' })).toEqual([
      1, 2, 4, 5,
    ])
  })

  test('near duplicates', async () => {
    const base = 'the quick brown fox jumps over the lazy dog and runs far away into the dark wood to sleep'
    const rows = [
      [base],
      ['something else altogether is written here for once'],
      [`${base}!`],
      [`${base} soundly`],
      [base.replace('lazy', 'idle')],
      [''],
    ]
    const near = await run(tableOf(['t'], rows), [{ kind: 'dedupeNear', threshold: 0.8 }])
    // "idle" changes three of the sixteen shingles: 13 of 19 are shared, less than 0.8.
    expect(near.rows.map(({ id }) => id)).toEqual([0, 1, 4, 5])
    const longest = await run(tableOf(['t'], rows), [{ kind: 'dedupeNear', threshold: 0.8, keep: 'longest' }])
    expect(longest.rows.map(({ id }) => id)).toEqual([1, 3, 4, 5])
    // Of single words only one of sixteen is another.
    const single = await run(tableOf(['t'], rows), [{ kind: 'dedupeNear', threshold: 0.8, shingle: 1 }])
    expect(single.rows.map(({ id }) => id)).toEqual([0, 1, 5])
  })

  test('looking for what is near hears who cancels meanwhile, and tells how far it is', async () => {
    const many = tableOf(
      ['t'],
      Array.from({ length: 6000 }, (_, i) => [`row ${i} of many has words ${i % 97} and ${i % 89} and more`]),
      500,
    )
    const shares: number[] = []
    const onShare = (_: number, share: number) => shares.push(share)
    await run(many, [{ kind: 'dedupeNear' }], { onShare })
    expect(shares.length).toBeGreaterThan(20)
    expect([...shares].sort((a, b) => a - b)).toEqual(shares)
    expect(shares.at(-1)).toBeLessThanOrEqual(1)
    const abort = new AbortController()
    setTimeout(() => abort.abort())
    const { signal } = abort
    expect((await failure(run(many, [{ kind: 'dedupeNear' }], { signal }))).code).toBe('E_ABORTED')
  })

  test('label conflicts', async () => {
    const rows = [
      ['a', '1'],
      ['a', '1'],
      ['a', '2'],
      ['b', '1'],
      ['b', '2'],
      ['c', '1'],
      ['b', ''],
    ]
    const resolve = async (how: 'majority' | 'drop' | 'first') =>
      (
        await run(tableOf(['t', 'l'], rows), [{ kind: 'resolveConflicts', columns: ['t'], label: 'l', how }])
      ).cells.map((cells) => cells.join(''))
    expect(await resolve('majority')).toEqual(['a1', 'a1', 'a1', 'c1', 'b'])
    expect(await resolve('first')).toEqual(['a1', 'a1', 'a1', 'b1', 'b1', 'c1', 'b'])
    expect(await resolve('drop')).toEqual(['c1', 'b'])
  })

  test('labels are mapped and merged, whatever they are called', async () => {
    const { cells } = await run(tableOf(['l'], [['x '], ['__proto__'], ['y']]), [
      {
        kind: 'mapLabels',
        column: 'l',
        map: [
          ['x', 'z'],
          ['__proto__', 'z'],
        ],
        others: { value: 'other' },
      },
    ])
    expect(cells).toEqual([['z'], ['z'], ['other']])
    const dropped = await run(table, [
      { kind: 'mapLabels', column: 'label', map: [['x', 'x']], others: 'drop' },
    ])
    expect(dropped.reports).toEqual([report(7, 3, 0, 4, 0)])
  })

  test('filter', async () => {
    expect(
      (await run(table, [{ kind: 'filter', where: 'label in ("x", "y") and not isEmpty(text)' }])).cells,
    ).toHaveLength(4)
  })
})

describe('steps on the training part', () => {
  const rows = Array.from({ length: 60 }, (_, i) => [
    `Please help me to find the big ${['car', 'house', 'shop'][i % 3]!} number ${i} very quickly`,
    i % 6 === 0 ? 'rare' : 'common',
  ])
  const table = tableOf(['text', 'label'], rows)
  const isTraining = (id: number) => id < 48

  test('over- and under-sampling', async () => {
    const count = ({ rows: all }: Result, label: string) =>
      all.filter((row) => isTraining(row.id) && row.cells[1] === label).length
    const over = await run(table, [{ kind: 'rebalance', column: 'label', method: 'over' }], { isTraining })
    expect([count(over, 'rare'), count(over, 'common')]).toEqual([40, 40])
    expect(over.rows.filter(({ id }) => !isTraining(id))).toHaveLength(12)
    expect(over.reports).toEqual([report(60, 92, 0, 0, 32)])
    const under = await run(table, [{ kind: 'rebalance', column: 'label', method: 'under' }], { isTraining })
    expect([count(under, 'rare'), count(under, 'common')]).toEqual([8, 8])
    expect(under.rows.filter(({ id }) => !isTraining(id))).toHaveLength(12)
    const some = await run(
      table,
      [{ kind: 'rebalance', column: 'label', method: 'over', to: 1000, most: 2 }],
      { isTraining },
    )
    expect(count(some, 'rare')).toBe(24)
    // Eight rare rows and forty common ones, to be one to three.
    const shares: [string, number][] = [
      ['rare', 1],
      ['common', 3],
      ['absent', 5],
    ]
    const less = await run(table, [{ kind: 'rebalance', column: 'label', method: 'under', shares }], {
      isTraining,
    })
    expect([count(less, 'rare'), count(less, 'common')]).toEqual([8, 24])
    const more = await run(table, [{ kind: 'rebalance', column: 'label', method: 'over', shares }], {
      isTraining,
    })
    expect([count(more, 'rare'), count(more, 'common')]).toEqual([13, 40])
    const one = await run(
      table,
      [{ kind: 'rebalance', column: 'label', method: 'under', to: 10, shares: [['common', 1]] }],
      { isTraining },
    )
    expect([count(one, 'rare'), count(one, 'common')]).toEqual([8, 10])
  })

  test.each(['delete', 'swap', 'insert', 'synonym', 'typo', 'noise', 'paraphrase'] as const)(
    'augment: %s',
    async (method) => {
      const steps: RecipeStep[] = [{ kind: 'augment', method, column: 'text', copies: 2 }]
      const result = await run(table, steps, { isTraining })
      const made = result.rows.filter(({ synthetic }) => synthetic)
      expect(made.length).toBeGreaterThan(48)
      expect(made.length).toBeLessThanOrEqual(96)
      expect(result.rows.filter(({ synthetic }) => !synthetic).map(({ cells }) => cells)).toEqual(rows)
      const texts = result.rows.map(({ cells }) => cells[0])
      expect(new Set(texts).size).toBe(texts.length)
      for (const { id, cells } of made) {
        const [text, label] = rows[id]!
        expect(isTraining(id)).toBe(true)
        expect(cells[1]).toBe(label)
        expect(cells[0]).not.toBe(text)
        const share = cells[0]!.length / text!.length
        expect(share >= 0.5 && share <= 2).toBe(true)
        if (method === 'delete' || method === 'swap') {
          const before = text!.split(' ')
          expect(cells[0]!.split(' ').every((word) => before.includes(word))).toBe(true)
        }
      }
      expect(await run(table, steps, { isTraining })).toEqual(result)
      expect((await run(table, steps, { isTraining, seed: 7 })).cells).not.toEqual(result.cells)
      // Rows that come later change nothing of those before.
      const longer = await run(
        tableOf(['text', 'label'], [...rows, ['A new row about a car', 'rare']]),
        steps,
        {
          isTraining: (id) => isTraining(id) || id === 60,
        },
      )
      expect(longer.cells.slice(0, result.cells.length)).toEqual(result.cells)
    },
  )

  test('only some rows, and no copy of a text that is there', async () => {
    const some = await run(
      table,
      [{ kind: 'augment', method: 'noise', column: 'text', where: 'label = "rare"' }],
      { isTraining },
    )
    expect(some.rows.filter(({ synthetic }) => synthetic).every(({ cells }) => cells[1] === 'rare')).toBe(
      true,
    )
    const planted = await run(
      tableOf(['t'], [['hello'], ['Hello, hello']]),
      [
        {
          kind: 'augment',
          method: 'paraphrase',
          column: 't',
          templates: ['Hello, {text}'],
          length: [0.5, 9],
        },
      ],
      { isTraining: (id) => id === 0 },
    )
    expect(planted.cells).toHaveLength(2)
  })

  test('rows given by the recipe', async () => {
    const { rows: all, reports } = await run(tableOf(['a', 'b'], [['x', '1']]), [
      { kind: 'addRows', columns: ['a'], rows: [['y'], ['X'], ['y'], [' ']] },
    ])
    expect(all.slice(1)).toEqual([{ cells: ['y', ''], id: 0xffffffff, synthetic: true }])
    expect(reports).toEqual([report(1, 2, 0, 0, 1)])
  })

  test('withoutTraining leaves them out', async () => {
    const steps: RecipeStep[] = [
      { kind: 'augment', method: 'swap', column: 'text' },
      { kind: 'filter', where: 'label = "rare"' },
    ]
    const { cells, reports } = await run(table, steps, { withoutTraining: true })
    expect(cells).toHaveLength(10)
    expect(reports).toEqual([null, report(60, 10, 0, 50, 0)])
  })
})

describe('recipes', () => {
  const anyStep: fc.Arbitrary<RecipeStep> = fc.oneof(
    fc.record({
      kind: fc.constant('normalise' as const),
      space: fc.constantFrom('trim' as const, 'collapse' as const),
      case: fc.constantFrom('lower' as const, 'upper' as const),
    }),
    fc.record({
      kind: fc.constant('dedupeExact' as const),
      keep: fc.constantFrom('first' as const, 'last' as const, 'longest' as const),
    }),
    fc.record({ kind: fc.constant('dedupeNear' as const), columns: fc.constant<string[]>(['a']) }),
    fc.record({ kind: fc.constant('dropMissing' as const) }),
    fc.record({ kind: fc.constant('filter' as const), where: fc.constantFrom('length(a) > 2', 'b != "x"') }),
    fc.record({
      kind: fc.constant('resolveConflicts' as const),
      columns: fc.constant<string[]>(['a']),
      label: fc.constant('b'),
      how: fc.constantFrom('majority' as const, 'drop' as const, 'first' as const),
    }),
    fc.record({
      kind: fc.constant('rebalance' as const),
      column: fc.constant('b'),
      method: fc.constantFrom('over' as const, 'under' as const),
    }),
    fc.record({
      kind: fc.constant('augment' as const),
      method: fc.constantFrom('swap' as const, 'typo' as const, 'noise' as const),
      column: fc.constant('a'),
      strength: fc.constant(0.3),
    }),
    fc.record({
      kind: fc.constant('derive' as const),
      column: fc.constantFrom('c', 'a'),
      template: fc.constant('{a} {b}'),
    }),
    fc.record({
      kind: fc.constant('fillMissing' as const),
      columns: fc.constant<string[]>(['b']),
      with: fc.constant('mode' as const),
    }),
  )
  const anyRows = fc.array(
    fc.tuple(
      fc.oneof(fc.constantFrom('aa bb cc', 'AA bb', '', 'one two three four'), fc.string()),
      fc.constantFrom('x', 'y', ''),
    ),
    { maxLength: 30 },
  )

  test('are deterministic, whatever the batches, and their counts add up', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyRows,
        fc.array(anyStep, { maxLength: 5 }),
        fc.nat({ max: 1000 }),
        async (rows, steps, seed) => {
          const isTraining = (id: number) => id % 3 !== 0
          const first = await run(tableOf(['a', 'b'], rows, 1), steps, { seed, isTraining })
          const again = await run(tableOf(['a', 'b'], rows, 7), structuredClone(steps), { seed, isTraining })
          expect(again).toEqual(first)
          let count = rows.length
          for (const found of first.reports) {
            expect(found!.before).toBe(count)
            expect(found!.after).toBe(found!.before - found!.removed + found!.added)
            count = found!.after
          }
          expect(first.cells).toHaveLength(count)
          expect(first.cells.every((cells) => cells.length === first.columns.length)).toBe(true)
          // What is held out stays as it is, but for what happens to every row.
          const clean = await run(
            tableOf(['a', 'b'], rows, 4),
            steps.filter(({ kind }) => kind !== 'augment' && kind !== 'rebalance'),
            { seed },
          )
          if (
            !steps.some(({ kind }) =>
              ['resolveConflicts', 'dedupeExact', 'dedupeNear', 'fillMissing'].includes(kind),
            )
          )
            expect(first.rows.filter(({ id }) => !isTraining(id))).toEqual(
              clean.rows.filter(({ id }) => !isTraining(id)),
            )
        },
      ),
      { numRuns: 150 },
    )
  })

  test('steps that are switched off do nothing', async () => {
    const table = tableOf(['a'], [['x'], ['x']])
    const { cells, reports } = await run(table, [{ kind: 'dedupeExact', enabled: false }])
    expect([cells.length, reports]).toEqual([2, [null]])
  })

  test('faults name the step', async () => {
    const table = tableOf(['a'], [['x']])
    const error = await failure(run(table, [{ kind: 'dropMissing' }, { kind: 'filter', where: 'b > 1' }]))
    expect(error).toMatchObject({ code: 'E_ARGUMENT', details: { step: 1, at: 0 } })
    expect(error.message).toMatch(/^Step 2 \(filter\): .*"b"/)
    expect((await failure(run(table, [{ kind: 'columns', how: 'drop', columns: ['a'] }]))).code).toBe(
      'E_ARGUMENT',
    )
  })

  test.each([
    [null, 'A recipe is'],
    [{ version: 2, steps: [] }, 'version 2'],
    [{ version: 1, seed: -1, steps: [] }, 'seed'],
    [[{ kind: 'constructor' }], 'no kind "constructor"'],
    [[{ kind: 'filter' }], 'needs "where"'],
    [[{ kind: 'filter', where: 'a', wheer: 1 }], 'no "wheer"'],
    [[{ kind: 'truncate', unit: 'characters', limit: 0 }], 'limit of truncate'],
    [[{ kind: 'replaceWords', words: [] }], 'words of replaceWords'],
    [[{ kind: 'replaceWords', words: ['a', 2] }], 'words of replaceWords'],
    [[{ kind: 'replaceWords', words: ['a', '!!'] }], 'words of replaceWords'],
    [[{ kind: 'augment', method: 'magic', column: 'a' }], 'must be one of delete'],
    [[{ kind: 'mapLabels', column: 'a', map: { a: 'b' } }], 'pairs'],
    [[{ kind: 'fillMissing', columns: ['a'], with: 3 }], 'mode'],
    [[{ kind: 'edit', edits: [{ row: 1.5, column: 'a', value: '' }] }], 'edits'],
    [Array.from({ length: 101 }, () => ({ kind: 'dropMissing' })), 'at most 100'],
  ])('%j is refused', (given, words) => {
    expect(() => checkRecipe(given)).toThrow(words)
  })

  test('survive JSON', () => {
    fc.assert(
      fc.property(fc.array(anyStep), (steps) => {
        const recipe = checkRecipe({ version: 1, seed: 7, steps })
        expect(checkRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe)
      }),
    )
  })
})
