// The data worker's calls over an IndexedDB in memory: files become datasets, or leave nothing behind.
import 'fake-indexeddb/auto'
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Dataset, SplitConfig } from '../../src/protocol/data.ts'
import type { DataEvent } from '../../src/protocol/engine.ts'
import type { CallContext, Progress } from '../../src/protocol/progress.ts'
import { openStore, type RowBatch, type Store } from '../../src/store/database.ts'
import { eachBatch } from '../../src/store/datasets.ts'
import { dataCalls } from '../../workers/dataCalls.ts'

let store: Store
let events: DataEvent[]
let calls: ReturnType<typeof dataCalls>
let count = 0
beforeEach(async () => {
  store = await openStore({ name: `data-test-${count++}` })
  events = []
  calls = dataCalls(
    (event) => events.push(structuredClone(event)),
    () => Promise.resolve(store),
  )
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  store.close()
})

const context = (): CallContext & { reports: Progress[]; abort: AbortController } => {
  const abort = new AbortController()
  const reports: Progress[] = []
  return { signal: abort.signal, progress: (progress) => reports.push(progress), reports, abort }
}
const file = (text: string | Uint8Array, name = 'test.csv'): File => new File([text as BlobPart], name)
const load = async (text: string, name?: string): Promise<Dataset> =>
  calls.importFile({ file: file(text, name), options: {} }, context())
const split = (id: string, config: Partial<SplitConfig>) =>
  calls.split({ id, config: config as SplitConfig }, context())
const rows = (id: string, offset: number, limit: number, part?: 'train' | 'validation' | 'test') =>
  calls.rows({ id, query: part ? { offset, limit, split: part } : { offset, limit } }, context())
const left = async () => [
  await store.main.datasets.count(),
  await store.main.rows.count(),
  await store.main.parts.count(),
]

const labels = ['card', 'cash', 'loan', 'other']
const labelled = (n: number): string =>
  `text,category\n${Array.from({ length: n }, (_, i) => `"Question number ${i}, about something",${labels[i % 4]}`).join('\n')}\n`

describe('import', () => {
  test('a dataset with its columns, problems, hash, suggestion and default split', async () => {
    const text = labelled(100) + 'only one cell\n'
    const dataset = await load(text, 'support.csv')
    expect(dataset).toMatchObject({
      name: 'support.csv',
      bytes: text.length,
      sha256: createHash('sha256').update(text).digest('hex'),
      rows: 101,
      delimiter: ',',
      columns: [
        { name: 'text', type: 'text', missing: 0, distinct: 101 },
        { name: 'category', type: 'category', missing: 1, distinct: 4 },
      ],
      problems: [{ kind: 'ragged', line: 102 }],
      problemCount: 1,
      suggestion: { task: 'classify', columns: { text: 'text', label: 'category' } },
      config: null,
      labels: null,
      split: { train: 0.8, validation: 0.1, test: 0.1, seed: 42, stratify: 'category' },
    })
    expect(Object.values(dataset.split!.rows).reduce((a, b) => a + b)).toBe(101)
    expect(events).toEqual([{ type: 'dataset', dataset }])
    expect(await calls.listDatasets({}, context())).toEqual([dataset])
    expect(await calls.getDataset({ id: dataset.id }, context())).toEqual(dataset)
  })

  test('options: name, header, delimiter', async () => {
    const dataset = await calls.importFile(
      { file: file('a|b,c\nd|e\n'), options: { name: 'N', header: false, delimiter: '|' } },
      context(),
    )
    expect(dataset).toMatchObject({
      name: 'N',
      rows: 2,
      columns: [{ name: 'column 1' }, { name: 'column 2' }],
    })
  })

  test('only so many problems are kept, all are counted', async () => {
    const dataset = await load('a,b\n' + '1\n'.repeat(300))
    expect([dataset.problems.length, dataset.problemCount]).toEqual([100, 300])
  })

  test.each([
    ['an empty file', '', 'E_NOT_A_TABLE'],
    ['a header alone', 'a,b\n', 'E_NOT_A_TABLE'],
    ['a picture', '\x89PNG\r\n\x1a\n', 'E_NOT_A_TABLE'],
    ['too many columns', 'a,'.repeat(2000), 'E_LIMIT'],
  ])('%s: nothing stays, nothing is said', async (_name, text, code) => {
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0))
    await expect(calls.importFile({ file: file(bytes), options: {} }, context())).rejects.toMatchObject({
      code,
    })
    expect(await left()).toEqual([0, 0, 0])
    expect(events).toEqual([])
  })

  test('cancelled half-way: nothing stays', async () => {
    const at = context()
    const put = store.main.rows.bulkPut.bind(store.main.rows)
    vi.spyOn(store.main.rows, 'bulkPut').mockImplementation((batches) => {
      if ((batches as RowBatch[])[0]!.batch > 3) at.abort.abort()
      return put(batches as RowBatch[]) as never
    })
    await expect(calls.importFile({ file: file(labelled(20_000)), options: {} }, at)).rejects.toMatchObject({
      code: 'E_ABORTED',
    })
    expect(await left()).toEqual([0, 0, 0])
  })

  test.each([
    ['a round number', 1e10, /^test\.csv needs 0\.9 MB, .* although it speaks of 10000 MB free: the disk/],
    ['the room that there is', 2e5, /^test\.csv needs 0\.9 MB, .*: 0\.2 MB free\. Remove a dataset/],
  ])(
    'no room half-way, where the browser tells %s: the whole need is named',
    async (_name, quota, message) => {
      let asked = 0
      // Enough before the import, so that it begins.
      const estimate = () => Promise.resolve({ usage: 0, quota: asked++ === 0 ? 1e10 : quota })
      vi.stubGlobal('navigator', { storage: { estimate } })
      vi.spyOn(store.main.rows, 'bulkPut').mockImplementation(
        () => Promise.reject(new DOMException('full', 'QuotaExceededError')) as never,
      )
      const text = labelled(20_000)
      await expect(calls.importFile({ file: file(text), options: {} }, context())).rejects.toMatchObject({
        code: 'E_STORAGE',
        message: expect.stringMatching(message) as string,
        details: { reason: 'quota', neededBytes: text.length, freeBytes: quota },
      })
      expect(await left()).toEqual([0, 0, 0])
    },
  )

  test('no room half-way: E_STORAGE, nothing stays', async () => {
    const put = store.main.rows.bulkPut.bind(store.main.rows)
    vi.spyOn(store.main.rows, 'bulkPut').mockImplementation((batches) =>
      (batches as RowBatch[])[0]!.batch < 3
        ? (put(batches as RowBatch[]) as never)
        : (Promise.reject(new DOMException('full', 'QuotaExceededError')) as never),
    )
    const importing = calls.importFile({ file: file(labelled(20_000)), options: {} }, context())
    await expect(importing).rejects.toMatchObject({
      code: 'E_STORAGE',
      details: { reason: 'quota', neededBytes: expect.any(Number) as number },
    })
    expect(await left()).toEqual([0, 0, 0])
  })

  test('100,000 rows in seconds, and any page at once', async () => {
    const text = labelled(100_000)
    const at = context()
    const start = performance.now()
    const dataset = await calls.importFile({ file: file(text), options: {} }, at)
    expect(performance.now() - start).toBeLessThan(15_000)
    expect(dataset).toMatchObject({
      rows: 100_000,
      split: { rows: { train: 80_000, validation: 10_000, test: 10_000 } },
    })
    expect(at.reports.at(-1)).toMatchObject({
      label: 'Reading test.csv',
      done: text.length,
      total: text.length,
      unit: 'bytes',
    })
    const paging = performance.now()
    const found = await rows(dataset.id, 99_990, 50)
    expect(found.map((row) => row.cells.text)).toEqual(
      Array.from({ length: 10 }, (_, i) => `Question number ${99_990 + i}, about something`),
    )
    expect((await rows(dataset.id, 9_980, 50, 'test')).length).toBe(20)
    expect(performance.now() - paging).toBeLessThan(500)
  }, 30_000)
})

describe('JSON', () => {
  test('columns that join late: every row of every batch has all of them', async () => {
    const records = Array.from({ length: 2500 }, (_, i) => ({
      text: `Message number ${i}, about something`,
      ...(i >= 1500 ? { late: `value ${i}` } : {}),
      ...(i === 2499 ? { last: { nested: [i] } } : {}),
    }))
    const text = JSON.stringify(records)
    const dataset = await load(text, 'records.json')
    expect(dataset).toMatchObject({
      rows: 2500,
      format: 'json',
      delimiter: '',
      bytes: text.length,
      problems: [],
      columns: [
        { name: 'text', missing: 0, distinct: 2500 },
        { name: 'late', missing: 1500, distinct: 1000 },
        { name: 'last', missing: 2499, distinct: 1 },
      ],
    })
    for await (const { rows } of eachBatch(store, dataset.id))
      expect(new Set(rows.map((row) => row.length))).toEqual(new Set([3]))
    expect((await rows(dataset.id, 1499, 2)).map((row) => row.cells.late)).toEqual(['', 'value 1500'])
    expect((await rows(dataset.id, 2499, 1))[0]!.cells.last).toBe('{"nested":[2499]}')
  })
  test('bad lines are problems; a file of nothing else leaves nothing behind', async () => {
    const dataset = await load('{"text":"a"}\n{"text":\n{"text":"b"}\n', 'x.csv')
    expect(dataset).toMatchObject({ format: 'jsonl', rows: 2, problems: [{ kind: 'json', line: 2 }] })
    await calls.removeDataset({ id: dataset.id }, context())
    await expect(load('{"text":\n{"text"\n', 'x.jsonl')).rejects.toMatchObject({
      code: 'E_NOT_A_TABLE',
      message: expect.stringContaining('line 1') as string,
    })
    expect(await left()).toEqual([0, 0, 0])
  })
  test('UTF-16 with a byte order mark', async () => {
    const text = '\uFEFF{"text":"é"}\r\n{"text":"漢"}\r\n'
    const bytes = new Uint8Array(2 * text.length)
    for (let i = 0; i < text.length; i++)
      new DataView(bytes.buffer).setUint16(2 * i, text.charCodeAt(i), true)
    const { id } = await calls.importFile({ file: file(bytes, 'x.jsonl'), options: {} }, context())
    expect((await rows(id, 0, 2)).map((row) => row.cells.text)).toEqual(['é', '漢'])
  })
  test('100,000 rows in seconds', async () => {
    const text = Array.from({ length: 100_000 }, (_, i) =>
      JSON.stringify({
        messages: [
          { role: 'user', content: `Question ${i}` },
          { role: 'assistant', content: 'Yes.' },
        ],
      }),
    ).join('\n')
    const start = performance.now()
    const dataset = await load(text, 'x.jsonl')
    expect(performance.now() - start).toBeLessThan(15_000)
    expect(dataset).toMatchObject({
      rows: 100_000,
      suggestion: { task: 'chat', columns: { messages: 'messages' } },
    })
  }, 30_000)
})

describe('rows', () => {
  test('pages, parts, and the cells of odd columns', async () => {
    const { id, split: made } = await load(
      `__proto__,b\n${Array.from({ length: 2500 }, (_, i) => `p${i},${i}`).join('\n')}`,
    )
    const page = await rows(id, 995, 10)
    expect(page.map((row) => [row.index, row.cells.b])).toEqual(
      Array.from({ length: 10 }, (_, i) => [995 + i, String(995 + i)]),
    )
    expect(Object.entries(page[0]!.cells)).toEqual([
      ['__proto__', 'p995'],
      ['b', '995'],
    ])
    const test = await rows(id, 0, 5000, 'test')
    expect(test.length).toBe(made!.rows.test)
    expect(test.every((row) => row.split === 'test')).toBe(true)
    expect(await rows(id, 3, 4, 'test')).toEqual(test.slice(3, 7))
    expect(await rows(id, 5000, 10)).toEqual([])
    expect(await rows(id, 0, 0)).toEqual([])
    await expect(rows(id, -1, 10)).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    await expect(rows('x', 0, 10)).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
  })
})

describe('configure and split', () => {
  const configure = (id: string, config: Parameters<typeof calls.configure>[0]['config']) =>
    calls.configure({ id, config }, context())

  test('classify: labels sorted by code point, the split follows the label', async () => {
    const { id } = await load(
      `t,l,k\n${Array.from({ length: 100 }, (_, i) => `This is text ${i} of some length,${['z', 'A', '\u{1F600}', '\uE000'][i % 4]},${i % 2 ? 'x' : 'y'}`).join('\n')}`,
    )
    const first = await configure(id, { task: 'classify', columns: { text: 't', label: 'l' } })
    expect(first).toMatchObject({
      labels: ['A', 'z', '\uE000', '\u{1F600}'],
      config: { task: 'classify', columns: { text: 't', label: 'l' } },
      split: { stratify: 'l' },
    })
    const second = await configure(id, {
      task: 'classify',
      columns: { text: 't', label: 'k', prompt: 'nonsense' },
    })
    expect(second).toMatchObject({
      labels: ['x', 'y'],
      split: { stratify: 'k', rows: { train: 80, validation: 10, test: 10 } },
    })
    expect(second.config!.columns).toEqual({ text: 't', label: 'k' })
    expect(events.length).toBe(3)
    const third = await configure(id, { task: 'complete', columns: { text: 't' } })
    expect(third).toMatchObject({ labels: null, config: { task: 'complete' } })
    expect(third.split!.stratify).toBeUndefined()
  })

  test('a split that was chosen stays through configure', async () => {
    const { id } = await load(labelled(100))
    const chosen = await split(id, { train: 0.5, validation: 0.2, test: 0.3, seed: 7 })
    expect(chosen.split).toEqual({
      train: 0.5,
      validation: 0.2,
      test: 0.3,
      seed: 7,
      rows: { train: 50, validation: 20, test: 30 },
    })
    const before = (await rows(id, 0, 100)).map((row) => row.split)
    const after = await configure(id, { task: 'classify', columns: { text: 'text', label: 'category' } })
    expect(after.split).toEqual(chosen.split)
    expect((await rows(id, 0, 100)).map((row) => row.split)).toEqual(before)
    const again = await split(id, { seed: 8 })
    expect(again.split).toMatchObject({ train: 0.8, seed: 8, stratify: 'category' })
    expect((await split(id, { stratify: '' })).split).not.toHaveProperty('stratify')
    await expect(split(id, { stratify: 'nothing' })).rejects.toMatchObject({ code: 'E_DATASET' })
    await expect(split(id, { train: 0.9 })).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })

  test('roles that may be left out are kept where given, turns are checked', async () => {
    const { id } = await load('{"q":"a","i":"b","a":"c","s":"d","m":"[]"}\n{"q":"e"}', 'x.jsonl')
    const columns = { prompt: 'q', completion: 'a', input: 'i', system: 's' }
    const found = await configure(id, { task: 'instruct', columns: { ...columns, messages: 'm' } })
    expect(found.config).toEqual({ task: 'instruct', columns })
    const chat = await configure(id, { task: 'chat', columns: { messages: 'm', system: 's' }, turns: 'last' })
    expect(chat.config).toEqual({ task: 'chat', columns: { messages: 'm', system: 's' }, turns: 'last' })
    await expect(
      configure(id, { task: 'instruct', columns: { ...columns, input: 'q' } }),
    ).rejects.toMatchObject({ code: 'E_DATASET', message: expect.stringContaining('chosen twice') as string })
    await expect(
      configure(id, { task: 'instruct', columns: { ...columns, input: 'x' } }),
    ).rejects.toMatchObject({
      code: 'E_DATASET',
      message: expect.stringContaining('no column "x"') as string,
    })
    await expect(
      configure(id, { task: 'chat', columns: { messages: 'm' }, turns: 'first' as 'last' }),
    ).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })

  test('prompt and completion keep their separator', async () => {
    const { id } = await load(
      `mr,ref\n${Array.from({ length: 20 }, (_, i) => `"name[place ${i}], area[centre], food[any]",A place ${i} in the centre that serves any food`).join('\n')}`,
    )
    const found = await configure(id, {
      task: 'complete',
      columns: { prompt: 'mr', completion: 'ref' },
      separator: '\n',
    })
    expect(found.config).toEqual({
      task: 'complete',
      columns: { prompt: 'mr', completion: 'ref' },
      separator: '\n',
    })
  })

  test('what does not serve is refused', async () => {
    const { id } = await load(
      `t,one,many\n${Array.from({ length: 1001 }, (_, i) => `text ${i},same,${i}`).join('\n')}`,
    )
    const bad = async (config: unknown, code: string, message: RegExp) =>
      expect(configure(id, config as Parameters<typeof configure>[1])).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message) as string,
      })
    await bad({ task: 'classify', columns: { text: 't', label: 'one' } }, 'E_DATASET', /a single label/)
    await bad(
      { task: 'classify', columns: { text: 't', label: 'many' } },
      'E_DATASET',
      /1001 different labels/,
    )
    await bad(
      { task: 'classify', columns: { text: 't' } },
      'E_DATASET',
      /Choose the column that holds the label/,
    )
    await bad({ task: 'classify', columns: { text: 't', label: 't' } }, 'E_DATASET', /chosen twice/)
    await bad({ task: 'instruct', columns: { prompt: 't', completion: 'x' } }, 'E_DATASET', /no column "x"/)
    await bad({ task: 'fly', columns: {} }, 'E_ARGUMENT', /classify, instruct/)
    await bad({ task: 'chat' }, 'E_ARGUMENT', /needs its columns/)
    expect((await calls.getDataset({ id }, context())).config).toBeNull()
  })

  test('removal is said', async () => {
    const { id } = await load(labelled(10))
    await calls.removeDataset({ id }, context())
    expect(events.at(-1)).toEqual({ type: 'datasetRemoved', id })
    expect(await left()).toEqual([0, 0, 0])
    await expect(configure(id, { task: 'complete', columns: { text: 'text' } })).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
    })
  })
})
