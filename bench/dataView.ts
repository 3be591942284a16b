// How long views of a large dataset take, on rows generated on the spot: reading them in, the search index, searches, sorts,
// filters, a sample, pages in the order of a sort, and the profiles of all columns. Pure code: it runs in Node and in a worker.
import { Profiler } from '../src/data/profile/profiler.ts'
import { words } from '../src/data/rng.ts'
import { DatasetView } from '../src/data/view/datasetView.ts'
import type { ViewQuery } from '../src/protocol/table.ts'

const NOUNS = [
  'card',
  'cash',
  'loan',
  'account',
  'transfer',
  'fee',
  'refund',
  'pin',
  'limit',
  'branch',
  'phone',
  'letter',
]
const VERBS = [
  'lost',
  'cannot use',
  'would like to change',
  'was charged for',
  'am waiting for',
  'do not recognise',
  'need',
]
const COLUMNS = [
  { name: 'id', type: 'text' },
  { name: 'text', type: 'text' },
  { name: 'intent', type: 'category' },
  { name: 'amount', type: 'number' },
  { name: 'day', type: 'date' },
] as const

/** Row `index` of the generated table: a few words out of a vocabulary of about 30,000, and typed columns. */
export function generatedRow(index: number, random: Uint32Array, at: number): string[] {
  const word = (i: number) => `w${(random[at + i]! % 30_000).toString(36)}`
  const [a, b] = [random[at]!, random[at + 1]!]
  return [
    `order-${(index * 7919) % 1_000_003}`,
    `I ${VERBS[a % VERBS.length]} my ${NOUNS[b % NOUNS.length]} ${word(2)} ${word(3)} since ${word(4)}, please help me with ${word(5)}`,
    NOUNS[b % NOUNS.length]!,
    ((a % 1_000_000) / 100).toFixed(2),
    new Date(1_600_000_000_000 + (b % 150_000_000) * 1000).toISOString().slice(0, 10),
  ]
}

const BATCH_ROWS = 1000

export interface ViewFigures {
  rows: number
  /** Characters of all cells. */
  characters: number
  seconds: Record<string, number>
  bytes: { rows: number; index: number }
  found: Record<string, number>
}

/** Seconds of everything that a person does with a table of `rows` rows. */
export async function measureView(rows: number): Promise<ViewFigures> {
  const context = { signal: new AbortController().signal, progress: () => undefined }
  let characters = 0
  const view = new DatasetView({
    rows,
    columns: COLUMNS,
    batchRows: BATCH_ROWS,
    readBatch: (batch) => {
      const random = words({ seed: 1, purpose: 'noise', step: batch }, BATCH_ROWS * 6)
      const count = Math.min(BATCH_ROWS, rows - batch * BATCH_ROWS)
      const made = Array.from({ length: count }, (_, i) =>
        generatedRow(batch * BATCH_ROWS + i, random, i * 6),
      )
      for (const row of made) for (const cell of row) characters += cell.length
      return Promise.resolve(made)
    },
    parts: () => Promise.resolve(new Uint8Array(rows)),
    expression: () => () => true,
  })
  const seconds: Record<string, number> = {}
  const found: Record<string, number> = {}
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const start = performance.now()
    const result = await work()
    seconds[name] = (performance.now() - start) / 1000
    return result
  }
  const page = async (name: string, query: ViewQuery, offset = 0) => {
    found[name] = (await timed(name, () => view.page(query, offset, 100, context))).total
  }
  await timed('first pass over the rows', () => view.scan('', context, (cell) => void cell(0)))
  const index = await timed('search index', () => view.index(context))
  await page('search: one word', { query: 'refund' })
  await page('search: beginning of words', { query: 'w1' })
  await page('search: three words, one not', { query: 'lost card -w1' })
  await page('search: phrase', { query: '"my refund"' })
  await page('sort: text', { sort: { column: 'text' } })
  await page('sort: category', { sort: { column: 'intent', descending: true } })
  await page('sort: number', { sort: { column: 'amount' } })
  await page('sort: date', { sort: { column: 'day' } })
  await page('page in the middle of a sort', { sort: { column: 'text' } }, Math.floor(rows / 2))
  await page('filter: contains', { filter: { column: 'text', is: 'contains', text: 'waiting' } })
  await page('filter: between', { filter: { column: 'amount', is: 'between', from: 10, to: 500 } })
  await page('sample of 1,000', { sample: { rows: 1000, seed: 3 } })
  await timed('profile of all columns', async () => {
    const profiler = new Profiler(COLUMNS)
    await view.scan('', context, (cell) => profiler.add(cell))
    profiler.finish(20)
  })
  return { rows, characters, seconds, bytes: { rows: view.bytes, index: index.bytes }, found }
}
