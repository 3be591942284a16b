// Views of a dataset: what sorting, filtering, searching and sampling give, alone and together, over rows with edits.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ColumnType } from '../../../src/protocol/data.ts'
import type { CallContext, Progress } from '../../../src/protocol/progress.ts'
import type { ViewQuery } from '../../../src/protocol/table.ts'
import { CompactRows } from '../../../src/data/view/compactRows.ts'
import { DatasetView } from '../../../src/data/view/datasetView.ts'
import { Shared } from '../../../src/data/view/shared.ts'
import { words as randomWords } from '../../../src/data/rng.ts'
import { SORT_KEY_BYTES, sortKeys } from '../../../src/data/view/sort.ts'
import { cellDate, cellNumber, fold, monthFirst } from '../../../src/data/view/values.ts'

const context = (): CallContext & { abort: AbortController; reports: Progress[] } => {
  const abort = new AbortController()
  const reports: Progress[] = []
  return { signal: abort.signal, progress: (report) => reports.push(report), abort, reports }
}

const COLUMNS = [
  { name: 'text', type: 'text' },
  { name: 'price', type: 'number' },
  { name: 'day', type: 'date' },
] as const

function viewOf(rows: string[][], { budget = 1e6, batchRows = 4, parts = [] as number[] } = {}) {
  const reads: number[] = []
  const view = new DatasetView(
    {
      rows: rows.length,
      columns: COLUMNS,
      batchRows,
      readBatch: (batch) => {
        reads.push(batch)
        return Promise.resolve(rows.slice(batch * batchRows, (batch + 1) * batchRows))
      },
      parts: () => Promise.resolve(Uint8Array.from(rows, (_, i) => parts[i] ?? 0)),
      expression: (source) => (cell) => cell(0) === source,
    },
    budget,
  )
  const numbers = async (query: ViewQuery) => {
    const page = await view.page(query, 0, 1000, context())
    expect(page.total).toBe(page.rows.length)
    return page.rows.map(({ index }) => index)
  }
  return { view, numbers, reads }
}

const SHOP = [
  ['Blue lamp', '12', '2025-03-01'],
  ['red lamp', '1,5', '2024-12-31'],
  ['Élan chair', '', '2025-01-15T10:00'],
  ['elan table', '-3', ''],
  ['', '100', '2023-06-01'],
  ['blue chair', '12', 'soon'],
]

describe('cells as values', () => {
  it.each([
    ['12', 12],
    [' -1.5e3 ', -1500],
    ['1,5', 1.5],
    ['12 %', 12],
    ['1,234,567.8', 1234567.8],
    ['1.234.567,8', 1234567.8],
    ["1'234'567", 1234567],
    ['.5', 0.5],
    ['', NaN],
    ['12 apples', NaN],
    ['1.234.5', NaN],
    ['0x10', NaN],
    ['Infinity', NaN],
  ])('the number in %j', (cell, value) => expect(cellNumber(cell)).toBe(value))

  it.each([
    ['2025-03-01', '2025-03-01T00:00:00.000Z'],
    ['2025-3-1 7:05', '2025-03-01T07:05:00.000Z'],
    ['2025-03-01T07:05:09.25+02:00', '2025-03-01T05:05:09.250Z'],
    ['31.12.1999', '1999-12-31T00:00:00.000Z'],
    ['3/4/25', '2025-04-03T00:00:00.000Z'],
    ['0099-01-01', '0099-01-01T00:00:00.000Z'],
  ])('the date in %j', (cell, iso) => expect(new Date(cellDate(cell)).toISOString()).toBe(iso))

  it('no date: what does not exist, or is something else', () => {
    for (const cell of ['2025-02-30', '12', '', 'soon', '2025-01-01 25:00', '13/13/2025'])
      expect(cellDate(cell)).toBeNaN()
    expect(new Date(cellDate('3/4/2025', true)).getUTCMonth()).toBe(2)
    expect([
      monthFirst(['3/4/2025', '3/14/2025']),
      monthFirst(['14/3/2025', '3/4/2025']),
      monthFirst(['3/4/2025']),
    ]).toEqual([true, false, false])
  })
  it('folds case and accents', () => expect(fold('ÉLAN ﬁn ß')).toBe('elan fin ß'))
})

describe('sorting', () => {
  const sorted = (type: ColumnType, cells: string[], descending = false) => {
    const keys = sortKeys(type, cells.length, false)
    for (const cell of cells) keys.add(cell)
    return [...keys.order(descending)]
  }
  it('numbers as a stable sort of the values gives, empty cells last', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer({ min: -3, max: 3 }),
    )
    fc.assert(
      fc.property(fc.array(fc.option(number)), fc.boolean(), (values, descending) => {
        const rows = values.map((_, row) => row)
        const sign = descending ? -1 : 1
        const expected = [
          ...rows.filter((row) => values[row] !== null).sort((a, b) => sign * (values[a]! - values[b]!)),
          ...rows.filter((row) => values[row] === null),
        ]
        expect(
          sorted(
            'number',
            values.map((value) => (value === null ? ' ' : String(value))),
            descending,
          ),
        ).toEqual(expected)
      }),
    )
  })
  it('texts as a stable sort of the folded bytes gives, empty cells last', () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', 'B', 'b', 'é', '北', ' '), maxLength: 14 }),
      fc.constantFrom('same start one', 'same start two', 'Same Start One'),
    )
    const bytes = (cell: string) => Buffer.from(fold(cell.trim()))
    fc.assert(
      fc.property(fc.array(text), fc.boolean(), (cells, descending) => {
        const rows = cells.map((_, row) => row)
        const empty = (row: number) => cells[row]!.trim() === ''
        const sign = descending ? -1 : 1
        expect(sorted('text', cells, descending)).toEqual([
          ...rows
            .filter((row) => !empty(row))
            .sort((a, b) => sign * Buffer.compare(bytes(cells[a]!), bytes(cells[b]!))),
          ...rows.filter(empty),
        ])
      }),
    )
  })
})

describe('sorting many texts', () => {
  it('by eight bytes at a time gives what comparing gives', () => {
    const random = randomWords({ seed: 4, purpose: 'noise' }, 3 * 30_000)
    const starts = [
      '',
      'The same beginning of ',
      'The same beginning of all of these texts, which is longer than ',
      'the SAME',
    ]
    const cells = Array.from({ length: 30_000 }, (_, i) => {
      const [a, b, c] = random.subarray(i * 3, i * 3 + 3)
      return a! % 50 === 0 ? ' ' : `${starts[b! % 4]}${(c! % 4000).toString(26)}`
    })
    const key = (cell: string) => Buffer.from(cell.trim().toLowerCase()).subarray(0, SORT_KEY_BYTES)
    for (const descending of [false, true]) {
      const keys = sortKeys('text', cells.length, false)
      for (const cell of cells) keys.add(cell)
      const sign = descending ? -1 : 1
      const rows = cells.map((_, row) => row)
      const filled = rows.filter((row) => cells[row]!.trim() !== '')
      expect([...keys.order(descending)]).toEqual([
        ...filled.sort((a, b) => sign * Buffer.compare(key(cells[a]!), key(cells[b]!))),
        ...rows.filter((row) => cells[row]!.trim() === ''),
      ])
    }
  })
})

describe('a view', () => {
  it('sorts as the type of the column asks', async () => {
    const { numbers } = viewOf(SHOP)
    expect(await numbers({ sort: { column: 'price' } })).toEqual([3, 1, 0, 5, 4, 2])
    expect(await numbers({ sort: { column: 'price', descending: true } })).toEqual([4, 0, 5, 1, 3, 2])
    expect(await numbers({ sort: { column: 'text' } })).toEqual([5, 0, 2, 3, 1, 4])
    expect(await numbers({ sort: { column: 'day' } })).toEqual([4, 1, 2, 0, 3, 5])
  })
  it('filters by column and expression', async () => {
    const { numbers } = viewOf(SHOP)
    expect(await numbers({ filter: { column: 'text', is: 'contains', text: 'ELAN' } })).toEqual([2, 3])
    expect(await numbers({ filter: { column: 'text', is: 'empty' } })).toEqual([4])
    expect(await numbers({ filter: { column: 'price', is: 'equals', text: '12.0' } })).toEqual([0, 5])
    expect(await numbers({ filter: { column: 'price', is: 'between', from: 1, to: '12' } })).toEqual([
      0, 1, 5,
    ])
    expect(
      await numbers({ filter: { column: 'day', is: 'between', from: '2025-01-01', to: '2025-01-15' } }),
    ).toEqual([2])
    expect(
      await numbers({
        filter: { column: 'text', is: 'oneOf', values: ['red lamp', ' Blue lamp'], not: true },
      }),
    ).toEqual([2, 3, 4, 5])
    expect(
      await numbers({
        filter: [
          { column: 'text', is: 'starts', text: 'blue' },
          { column: 'day', is: 'empty', not: true },
        ],
      }),
    ).toEqual([0, 5])
    expect(await numbers({ filter: 'red lamp' })).toEqual([1])
  })
  it('searches, with hits, and with the rest', async () => {
    const { view, numbers } = viewOf(SHOP, { parts: [0, 0, 1, 1, 2, 2] })
    expect(await numbers({ query: 'elan' })).toEqual([2, 3])
    expect(await numbers({ query: 'blue -lamp' })).toEqual([5])
    expect(await numbers({ query: '"blue chair"' })).toEqual([5])
    expect(await numbers({ query: 'la', split: 'train', sort: { column: 'price' } })).toEqual([1, 0])
    const page = await view.page({ query: 'lam red' }, 0, 9, context())
    expect(page.rows.map(({ hits }) => hits)).toEqual([
      {
        text: [
          [0, 3],
          [4, 7],
        ],
      },
    ])
    expect(await numbers({ query: '!?' })).toEqual([0, 1, 2, 3, 4, 5])
  })
  it('edits are seen by everything, and can be taken away again', async () => {
    const { view, numbers } = viewOf(SHOP)
    expect(await numbers({ query: 'chair' })).toEqual([2, 5])
    view.edit([
      { row: 1, column: 'text', value: 'red chair' },
      { row: 5, column: 'text', value: '' },
      { row: 3, column: 'price', value: '1000' },
    ])
    expect(await numbers({ query: 'chair' })).toEqual([1, 2])
    expect(await numbers({ query: 'lamp' })).toEqual([0])
    expect(await numbers({ sort: { column: 'price', descending: true } })).toEqual([3, 4, 0, 5, 1, 2])
    expect(await numbers({ filter: { column: 'text', is: 'empty' } })).toEqual([4, 5])
    expect((await view.rows([3]))[0]).toEqual(['elan table', '1000', ''])
    view.edit([])
    expect(await numbers({ query: 'chair' })).toEqual([2, 5])
    expect(() => view.edit([{ row: 0, column: 'nothing', value: '' }])).toThrow(/no column "nothing"/)
  })
  it('a sample is seeded, of the size asked, among the rows that are left', async () => {
    const rows = Array.from({ length: 500 }, (_, i) => [`row ${i}`, String(i % 7), ''])
    const { numbers } = viewOf(rows, { batchRows: 100 })
    const some = await numbers({ sample: { rows: 50, seed: 3 } })
    expect(new Set(some).size).toBe(50)
    expect(some).toEqual(some.toSorted((a, b) => a - b))
    expect(await numbers({ sample: { rows: 50, seed: 3 } })).toEqual(some)
    expect(await numbers({ sample: { rows: 50, seed: 4 } })).not.toEqual(some)
    const filter = { column: 'price', is: 'equals', text: '2' } as const
    const few = await numbers({ sample: { rows: 10, seed: 3 }, filter })
    expect(few).toHaveLength(10)
    expect(few.every((row) => row % 7 === 2)).toBe(true)
    expect(await numbers({ sample: { rows: 1000 }, filter })).toHaveLength(72)
    // Every row is as likely as any other: with 200 seeds the mean is the middle.
    let sum = 0
    for (let seed = 0; seed < 200; seed++)
      for (const row of await numbers({ sample: { rows: 20, seed } })) sum += row
    expect(sum / 4000).toBeGreaterThan(240)
    expect(sum / 4000).toBeLessThan(259)
  })
  it('gives the same without room for rows in memory, reading batches again', async () => {
    const { numbers, reads } = viewOf(SHOP, { budget: 0 })
    expect(await numbers({ query: 'elan', sort: { column: 'text', descending: true } })).toEqual([3, 2])
    expect(await numbers({ filter: { column: 'text', is: 'contains', text: 'chair' } })).toEqual([2, 5])
    expect(reads.length).toBeGreaterThan(6)
    const { numbers: kept, reads: once } = viewOf(SHOP)
    await kept({ query: 'elan', sort: { column: 'text' } })
    expect(once).toEqual([0, 1])
  })
  it('pages, and refuses what is no question', async () => {
    const { view } = viewOf(SHOP)
    const page = await view.page({ sort: { column: 'price' } }, 2, 2, context())
    expect([page.total, page.rows.map(({ index }) => index)]).toEqual([6, [0, 5]])
    expect((await view.page({}, 5, 10, context())).rows.map(({ cells }) => cells.text)).toEqual([
      'blue chair',
    ])
    expect((await view.page({}, 50, 10, context())).rows).toEqual([])
    const refused = (query: ViewQuery, offset = 0) => expect(view.page(query, offset, 1, context())).rejects
    await refused({}, -1).toMatchObject({ code: 'E_ARGUMENT' })
    await refused({ sort: { column: 'x' } }).toMatchObject({ code: 'E_ARGUMENT' })
    await refused({ filter: { column: 'x', is: 'empty' } }).toMatchObject({ code: 'E_ARGUMENT' })
    await refused({ filter: { column: 'price', is: 'between', from: 'x' } }).toMatchObject({
      code: 'E_ARGUMENT',
    })
    await refused({ sample: { rows: 0 } }).toMatchObject({ code: 'E_ARGUMENT' })
    await refused({ split: 'all' as 'test' }).toMatchObject({ code: 'E_ARGUMENT' })
  })
})

describe('what memory holds', () => {
  it('compact rows give back every cell', () => {
    const table = fc.array(fc.array(fc.string({ unit: 'binary' }), { minLength: 3, maxLength: 3 }), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(table, (rows) => {
        const kept = new CompactRows(7, 3, 1e6)
        for (let batch = 0; batch * 7 < rows.length; batch++)
          kept.add(batch, rows.slice(batch * 7, batch * 7 + 7))
        expect(rows.map((_, row) => kept.row(row))).toEqual(rows)
      }),
    )
  })
  it('nothing beyond the budget is kept', () => {
    const kept = new CompactRows(1, 1, 300)
    for (let batch = 0; batch < 10; batch++) kept.add(batch, [['x'.repeat(100)]])
    expect(kept.bytes).toBeLessThanOrEqual(300)
    expect([kept.row(0), kept.row(9)]).toEqual([['x'.repeat(100)], undefined])
  })
})

describe('a shared result', () => {
  it('is computed once, and given up only when nobody waits', async () => {
    const shared = new Shared<number>(2)
    let started = 0
    let finish!: (value: number) => void
    let aborted = false
    const compute = ({ signal }: CallContext) => {
      started++
      signal.addEventListener('abort', () => (aborted = true))
      return new Promise<number>((resolve) => (finish = resolve))
    }
    const [one, two] = [context(), context()]
    const first = shared.get('a', one, compute)
    const second = shared.get('a', two, compute)
    one.abort.abort()
    await expect(first).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(aborted).toBe(false)
    finish(7)
    expect(await second).toBe(7)
    expect(await shared.get('a', context(), compute)).toBe(7)
    expect(started).toBe(1)

    const alone = context()
    const third = shared.get('b', alone, compute)
    alone.abort.abort()
    await expect(third).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(aborted).toBe(true)
  })
  it('a failure is not kept', async () => {
    const shared = new Shared<number>(2)
    await expect(shared.get('a', context(), () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await shared.get('a', context(), () => Promise.resolve(1))).toBe(1)
  })
})
