// The datasets' part of window.graft as a script calls it: page's side, worker's side and store, the messages between them
// cloned as a browser does.
import 'fake-indexeddb/auto'
import { beforeEach, describe, expect, it } from 'vitest'
import { createGraft } from '../../src/client/api.ts'
import type { GraftApi } from '../../src/protocol/api.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import { openStore } from '../../src/store/database.ts'
import { dataCalls } from '../../workers/dataCalls.ts'
import { serve, type Port } from '../../workers/serve.ts'

let count = 0
let datasets: GraftApi['datasets']
let id: string

/** A worker within this thread. What cannot be cloned is refused at once, as by a browser. */
function worker(): Worker {
  let hear: ((event: MessageEvent) => void) | null = null
  const page = {
    onmessage: null as ((event: { data: unknown }) => void) | null,
    postMessage(data: { args?: { files?: unknown } }) {
      if (typeof data.args !== 'object') return queueMicrotask(() => hear?.({ data } as MessageEvent))
      // Files of Node are not cloned as files.
      const { files, ...args } = data.args
      const cloned = structuredClone({ ...data, args })
      if (files !== undefined) Object.assign(cloned.args, { files })
      queueMicrotask(() => hear?.({ data: cloned } as MessageEvent))
    },
    terminate() {},
  }
  const port = {
    postMessage: (data: unknown) => page.onmessage?.({ data }),
    addEventListener: (_type: string, listener: typeof hear) => (hear = listener),
  }
  const name = `data-api-${count++}`
  serve(
    dataCalls(
      () => undefined,
      () => openStore({ name }),
    ) as never,
    port as unknown as Port,
  )
  return page as unknown as Worker
}

const TABLE = `text,label,n,when,who\n${Array.from(
  { length: 60 },
  (_, i) =>
    `some words number ${i} here,${'abc'[i % 3]},${i},2024-01-${String(1 + (i % 28)).padStart(2, '0')},c${i % 7}`,
).join('\n')}\n`
const file = (text: string, name = 'table.csv'): File => new File([text], name)

beforeEach(async () => {
  const silent = { postMessage() {}, terminate() {} } as unknown as Worker
  ;({ datasets } = createGraft({ engine: () => silent, data: worker }))
  ;({ id } = await datasets.import(file(TABLE)))
})

const small = file('a,b\n1,2\n')
type Api = Record<string, (...args: unknown[]) => Promise<unknown>>

/** Calls with arguments that cannot be, by what is wrong with them. */
const HOSTILE: Record<string, (D: Api) => Promise<unknown>> = {
  'import: no file': (D) => D.import!(),
  'import: a text': (D) => D.import!('table.csv'),
  'import: null for options': (D) => D.import!(small, null),
  'import: a text for options': (D) => D.import!(small, ';'),
  'import: a number for the delimiter': (D) => D.import!(small, { delimiter: 5 }),
  'import: a number for the quote': (D) => D.import!(small, { quote: 5 }),
  'import: a text for the header': (D) => D.import!(small, { header: 'yes' }),
  'import: a text for the types': (D) => D.import!(small, { types: 'number' }),
  'import: a number for the name': (D) => D.import!(small, { name: 5 }),
  'import: an empty name': (D) => D.import!(small, { name: ' ' }),
  'import: a misspelt option': (D) => D.import!(small, { seperator: ';' }),
  'preview: null for options': (D) => D.preview!(small, null),
  'preview: a misspelt option': (D) => D.preview!(small, { headers: true }),
  'append: a misspelt option': (D) => D.append!(id, small, { unoin: true }),
  'pasted: nothing': (D) => D.pasted!(),
  'pasted: a text': (D) => D.pasted!('a\tb'),
  'pasted: a number for the text': (D) => D.pasted!({ text: 5 }),
  'get: nothing': (D) => D.get!(),
  'get: an object': (D) => D.get!({ id }),
  'remove: nothing': (D) => D.remove!(),
  'rows: a text': (D) => D.rows!(id, 'label'),
  'rows: null': (D) => D.rows!(id, null),
  'rowsAt: texts': (D) => D.rowsAt!(id, ['0']),
  'search: a text': (D) => D.search!(id, 'words'),
  'search: a number for the query': (D) => D.search!(id, { query: 5 }),
  'search: null for the filter': (D) => D.search!(id, { filter: null }),
  'search: an empty condition': (D) => D.search!(id, { filter: {} }),
  'search: a condition without its text': (D) =>
    D.search!(id, { filter: { column: 'text', is: 'contains' } }),
  'search: a condition without its values': (D) =>
    D.search!(id, { filter: [{ column: 'text', is: 'oneOf' }] }),
  'search: a text for the sort': (D) => D.search!(id, { sort: 'n' }),
  'search: a number for the sample': (D) => D.search!(id, { sample: 5 }),
  'search: a misspelt member': (D) => D.search!(id, { search: 'words' }),
  'place: a row beyond the end': (D) => D.place!(id, 60),
  'edit: nothing': (D) => D.edit!(id),
  'edit: one change': (D) => D.edit!(id, { row: 0, column: 'text', value: 'x' }),
  'edit: null for a change': (D) => D.edit!(id, [null]),
  'profile: null': (D) => D.profile!(id, null),
  'profile: a text for the columns': (D) => D.profile!(id, { columns: 'text' }),
  'profile: a misspelt option': (D) => D.profile!(id, { colums: ['text'] }),
  'configure: nothing': (D) => D.configure!(id),
  'configure: null': (D) => D.configure!(id, null),
  'health: nothing': (D) => D.health!(),
  'health: null': (D) => D.health!(id, null),
  'health: a text for the columns': (D) => D.health!(id, { columns: 'text' }),
  'health: a text for the threshold': (D) => D.health!(id, { threshold: '0.8' }),
  'health: a text for the groups': (D) => D.health!(id, { groups: 'women' }),
  'health: a group without words': (D) => D.health!(id, { groups: [{ theme: 'a', name: 'b' }] }),
  'health: a list for the target': (D) => D.health!(id, { target: [1, 2] }),
  'health: a number for the config': (D) => D.health!(id, { config: 5 }),
  'health: a config without columns': (D) => D.health!(id, { config: { task: 'classify' } }),
  'health: a misspelt option': (D) => D.health!(id, { treshold: 0.9 }),
  'split: null': (D) => D.split!(id, null),
  'split: a text': (D) => D.split!(id, 'label'),
  'split: a list for the group': (D) => D.split!(id, { group: ['who'] }),
  'split: an object for the time': (D) => D.split!(id, { time: {} }),
  'split: a misspelt member': (D) => D.split!(id, { ratio: 0.5 }),
  'split: a number of rows': (D) => D.split!(id, { rows: 50 }),
  'apply: a column kept twice': (D) =>
    D.apply!(id, [{ kind: 'columns', columns: ['text', 'text'], how: 'keep' }]),
  'undo: nothing to take back': (D) => D.undo!(id),
  'generate: nothing': (D) => D.generate!(id),
  'export: nothing': (D) => D.export!(id),
  'export: a misspelt member': (D) => D.export!(id, { format: 'csv', raw: true }),
}

describe('arguments that cannot be', () => {
  it.each(Object.entries(HOSTILE))('%s', async (_name, call) => {
    const before = await datasets.list()
    let answer: unknown
    // Nothing is thrown but by the promise, and never a fault of Graft's own.
    const promise = call(datasets as unknown as Api)
    expect(promise).toBeInstanceOf(Promise)
    try {
      answer = await promise
    } catch (thrown) {
      answer = thrown
    }
    expect(answer).toBeInstanceOf(GraftError)
    expect(answer).toMatchObject({ code: 'E_ARGUMENT' })
    expect((answer as GraftError).message).toMatch(/.{20,}[.]$/s)
    expect(await datasets.list()).toEqual(before)
  })
})

describe('arguments that may be left out, or stand elsewhere', () => {
  it('a page is the first hundred rows', async () => {
    const more = await datasets.append(id, file(TABLE))
    expect(more.rows).toBe(120)
    expect((await datasets.rows(id)).map(({ index }) => index)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    )
    const { total, rows } = await datasets.search(id, { query: 'words' })
    expect([total, rows.length]).toEqual([120, 100])
    expect(await datasets.place(id, 7)).toEqual({ index: 7, position: 7 })
  })

  it('a split without settings is the default one; a split that a dataset has can be given again', async () => {
    const first = await datasets.split(id)
    expect(first.split).toMatchObject({ train: 0.8, seed: 42, rows: { train: 48 } })
    const again = await datasets.split(id, { ...first.split, seed: 7 })
    expect(again.split).toEqual({ ...first.split, seed: 7 })
  })

  it('a signal is heard beside the settings and after them', async () => {
    const stopped = AbortSignal.abort()
    const ways: Promise<unknown>[] = [
      datasets.health(id, { signal: stopped } as never),
      datasets.health(id, {}, { signal: stopped }),
      datasets.split(id, { by: 'label', signal: stopped } as never),
      datasets.search(id, { query: 'words', signal: stopped } as never),
      datasets.profile(id, { signal: stopped }),
    ]
    for (const way of ways) await expect(way).rejects.toMatchObject({ code: 'E_ABORTED' })
  })
})
