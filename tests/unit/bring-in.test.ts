// Files of every kind into datasets: what is guessed and shown before, what is corrected, several files, appended rows.
import 'fake-indexeddb/auto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { loadTokenizer } from '../../src/data/tokenizer.ts'
import { writeCsv } from '../../src/formats/csvWrite.ts'
import { writeParquet } from '../../src/formats/parquetWrite.ts'
import { blobOf, type ByteChunks, type TableSource } from '../../src/formats/tableSource.ts'
import { writeZip } from '../../src/formats/zip.ts'
import type { ImportOptions, PreviewOptions } from '../../src/protocol/bringIn.ts'
import type { Dataset } from '../../src/protocol/data.ts'
import type { ModelInfo } from '../../src/protocol/model.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import { openStore, type RowBatch, type Store } from '../../src/store/database.ts'
import { eachBatch, readRows, readRowsAt } from '../../src/store/datasets.ts'
import { putModel, writeModelFile } from '../../src/store/models.ts'
import { dataCalls } from '../../workers/dataCalls.ts'

let store: Store
let calls: ReturnType<typeof dataCalls>
let count = 0
beforeEach(async () => {
  store = await openStore({ name: `bring-in-test-${count++}` })
  calls = dataCalls(
    () => undefined,
    () => Promise.resolve(store),
  )
})
afterEach(() => {
  vi.restoreAllMocks()
  store.close()
})

const context = (signal = new AbortController().signal): CallContext => ({
  signal,
  progress: () => undefined,
})
const file = (content: string | Uint8Array | ArrayBuffer, name = 'test.csv'): File =>
  new File([content as BlobPart], name)
const preview = (files: File | File[], options: ImportOptions = {}) =>
  calls.previewFiles({ files: [files].flat(), options }, context())
const load = (files: File | File[], options: ImportOptions = {}): Promise<Dataset> =>
  calls.importFiles({ files: [files].flat(), options }, context()) as Promise<Dataset>
const append = (id: string, files: File | File[], options: ImportOptions = {}): Promise<Dataset> =>
  calls.appendFiles({ id, files: [files].flat(), options }, context()) as Promise<Dataset>
const cellsOf = async ({ id }: Dataset): Promise<string[][]> => {
  const rows: string[][] = []
  for await (const batch of eachBatch(store, id)) rows.push(...batch.rows)
  return rows
}
const names = ({ columns }: { columns: { name: string }[] }): string[] => columns.map(({ name }) => name)
const left = async () => [
  await store.main.datasets.count(),
  await store.main.rows.count(),
  await store.main.parts.count(),
]
const table = (columns: string[], rows: string[][]): TableSource => ({
  columns,
  async *batches() {
    yield { rows }
  },
})
const bytesOf = async (chunks: ByteChunks): Promise<ArrayBuffer> => (await blobOf(chunks, '')).arrayBuffer()
const utf16 = (text: string, bigEndian = false, bom = true): Uint8Array => {
  const bytes = Buffer.from((bom ? '\uFEFF' : '') + text, 'utf16le')
  return new Uint8Array(bigEndian ? bytes.swap16() : bytes)
}

describe('what is guessed, and corrected before the import', () => {
  test('a clean table leaves no doubt', async () => {
    const text = 'text,label\n"Where is it, please?",parcel\nI want my money back,refund\nLate again,parcel\n'
    const found = await preview(file(text))
    expect(found).toMatchObject({
      name: 'test.csv',
      bytes: text.length,
      files: 1,
      format: 'csv',
      encoding: 'utf-8',
      delimiter: ',',
      quote: '"',
      header: true,
      complete: true,
      problems: [],
      suggestion: { task: 'classify', columns: { text: 'text', label: 'label' } },
      shape: { name: 'textLabel', trains: true },
      confidence: { encoding: 1, delimiter: 1 },
    })
    expect(found.rows[0]).toEqual(['Where is it, please?', 'parcel'])
    const dataset = await load(file(text), found.options)
    expect(await cellsOf(dataset)).toEqual(found.rows)
    expect(await left()).toEqual([1, 1, 1])
  })
  test.each<[string, string, string, string[]]>([
    [
      'around cells that hold the delimiter',
      "id,text\n1,'Hello, world'\n2,'It''s late, really'\n3,'Bye, all'\n",
      "'",
      ['1', 'Hello, world'],
    ],
    ['around every cell', "text,label\n'Hello','a'\n'Bye','b'\n", "'", ['Hello', 'a']],
    ['apostrophes of the text', "text,label\n'Tis late,a\nthe boys',b\nit's,a\n", '"', ["'Tis late", 'a']],
    ['guards of an export', "text,label\n'=1+1,a\n'@x',b\n", '"', ["'=1+1", 'a']],
  ])('quote: %s', async (_name, text, quote, first) => {
    const found = await preview(file(text), { guarded: false })
    expect([found.quote, found.rows[0]]).toEqual([quote, first])
    expect((await cellsOf(await load(file(text), found.options)))[0]).toEqual(first)
  })
  test('a first row that is longer than the beginning is looked for further on', async () => {
    const long = 'a long text '.repeat(50_000)
    const found = await preview(file(`text;label\n${long};x\nshort;y\n`))
    expect(found).toMatchObject({
      delimiter: ';',
      complete: true,
      columns: [{ name: 'text' }, { name: 'label' }],
    })
    expect(found.rows.map(([, label]) => label)).toEqual(['x', 'y'])
  })
  test('a header without rows says so', async () => {
    await expect(preview(file('text,label\n'))).rejects.toMatchObject({
      code: 'E_NOT_A_TABLE',
      message: expect.stringMatching(/first row and nothing below it/) as string,
    })
  })
  test('a stray zero byte is a fault of the text, not of the file', async () => {
    const dataset = await load(file('text,label\nhel\0lo there,a\nworld,b\n'))
    expect(await cellsOf(dataset)).toEqual([
      ['hel\0lo there', 'a'],
      ['world', 'b'],
    ])
  })
  test('a preview of a large file reads its beginning, and stores nothing', async () => {
    const large = file('a,b\n' + 'some text,more text\n'.repeat(100_000))
    const slice = vi.spyOn(large, 'slice')
    const found = await preview(large)
    expect(found.rows).toHaveLength(50)
    expect(found.complete).toBe(false)
    expect(Math.max(...slice.mock.calls.map(([, end]) => end!))).toBeLessThanOrEqual(256 * 1024)
    expect(await left()).toEqual([0, 0, 0])
  })
  test.each<[string, string, boolean]>([
    ['numbers above numbers', '5,Great product\n1,Not good\n4,All right\n', false],
    ['a label that comes again', 'Great product,good\nAwful,bad\nNice,good\nNo,bad\n', false],
    ['names above numbers', 'stars,review\n5,Great\n1,Bad\n', true],
    ['years are names', 'country,2019,2020\nA,1,2\nB,3,4\n', true],
  ])('header: %s', async (_name, text, header) => {
    const found = await preview(file(text))
    expect(found.header).toBe(header)
    if (!header) expect(found.confidence.header).toBeLessThan(0.7)
    expect((await load(file(text), found.options)).rows).toBe(
      text.trim().split('\n').length - (header ? 1 : 0),
    )
  })
  test('delimiter, quote, header and types as the user says', async () => {
    const text = "'a;b';2\n'c';3\n"
    const options = { delimiter: ';', quote: "'", header: false, types: { 'column 2': 'category' } } as const
    const found = await preview(file(text), options)
    expect(found.rows).toEqual([
      ['a;b', '2'],
      ['c', '3'],
    ])
    expect(found.columns[1]!.type).toBe('category')
    const dataset = await load(file(text), found.options)
    expect(dataset.columns.map(({ type }) => type)).toEqual(['text', 'category'])
    expect(await cellsOf(dataset)).toEqual(found.rows)
  })
  test('options that cannot be are refused', async () => {
    for (const options of [
      { encoding: 'latin-9' },
      { format: 'xlsx' },
      { unit: 'line' },
      { quote: '""' },
      { types: { a: 'colour' } },
      { unit: 'window', overlap: 300 },
    ])
      await expect((async () => load(file('a,b\n1,2\n'), options as ImportOptions))()).rejects.toMatchObject({
        code: 'E_ARGUMENT',
      })
  })
})

describe('encodings', () => {
  const text = 'name,city\nJürgen,Köln\nZoë,Besançon\n'
  const rows = [
    ['Jürgen', 'Köln'],
    ['Zoë', 'Besançon'],
  ]
  test.each<[string, Uint8Array, string, number]>([
    ['UTF-8', new TextEncoder().encode(text), 'utf-8', 1],
    ['UTF-8 with a mark', new TextEncoder().encode('\uFEFF' + text), 'utf-8', 1],
    ['UTF-16 little-endian', utf16(text), 'utf-16le', 1],
    ['UTF-16 big-endian', utf16(text, true), 'utf-16be', 1],
    ['UTF-16 without a mark', utf16(text, false, false), 'utf-16le', 0.9],
    ['UTF-16 big-endian without a mark', utf16(text, true, false), 'utf-16be', 0.9],
    ['windows-1252', new Uint8Array(Buffer.from(text, 'latin1')), 'windows-1252', 0.5],
  ])('%s', async (_name, bytes, encoding, confidence) => {
    const found = await preview(file(bytes))
    expect(found).toMatchObject({ encoding, rows, columns: [{ name: 'name' }, { name: 'city' }] })
    expect(found.confidence.encoding).toBe(confidence)
    const dataset = await load(file(bytes))
    expect(dataset.encoding).toBe(encoding)
    expect(await cellsOf(dataset)).toEqual(rows)
  })
  test('the picker wins', async () => {
    const bytes = new TextEncoder().encode(text)
    const found = await preview(file(bytes), { encoding: 'windows-1252' })
    expect(found.rows[0]).toEqual(['JÃ¼rgen', 'KÃ¶ln'])
    expect((await cellsOf(await load(file(bytes), found.options)))[0]).toEqual(['JÃ¼rgen', 'KÃ¶ln'])
  })
})

describe('Parquet', () => {
  test('a table, with types', async () => {
    const source = table(
      ['text', 'stars', 'good'],
      [
        ['Nice', '5', 'true'],
        ['', '1', 'false'],
      ],
    )
    const parquet = file(
      await bytesOf(writeParquet(source, { stars: 'INT64', good: 'BOOLEAN' })),
      'x.parquet',
    )
    expect(await preview(parquet)).toMatchObject({ format: 'parquet', encoding: null, complete: true })
    const dataset = await load(parquet)
    expect(dataset).toMatchObject({ format: 'parquet', rows: 2, delimiter: '' })
    expect(await cellsOf(dataset)).toEqual([
      ['Nice', '5', 'true'],
      ['', '1', 'false'],
    ])
  })
  test('times of day read as a clock shows them', async () => {
    // By pyarrow: 01:02:03, null and 23:59:00.250 as time32[ms] and as time64[us].
    const bytes = Buffer.from(
      'UEFSMRUAFRwVHCwVBhUAFQYVBhwAAAACAAAAAwX4zjgAmnIlBRUAFSwVLCwVBhUAFQYVBhwAAAACAAAAAwXAeOjdAAAAAJCpRxoUAAAAFQQZPDUAGAZzY2hlbWEVBAAVAiUCGAJtc2x8EhwcAAAAAAAVBCUCGAJ1c2x8EhwsAAAAAAAWBhkcGSwmABwVAhklBgAZGAJtcxUAFgYWQhZCJghJHBUAFQAVAgA8KQYZJgIEAAAAJgAcFQQZJQYAGRgCdXMVABYGFlIWUiZKSRwVABUAFQIAPCkGGSYCBAAAABaUARYGJggWlAEAKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uIDI2LjAuMRksHAAAHAAAAMcAAABQQVIx',
      'base64',
    )
    expect(await cellsOf(await load(file(new Uint8Array(bytes), 'x.parquet')))).toEqual([
      ['01:02:03', '01:02:03'],
      ['23:59:00.25', '23:59:00.25'],
    ])
  })
  test('cut, overwritten or made up: E_FORMAT, and nothing stays', async () => {
    const whole = new Uint8Array(await bytesOf(writeParquet(table(['a'], [['x'.repeat(100)], ['y']]))))
    const huge = whole.slice()
    new DataView(huge.buffer).setUint32(huge.length - 8, 0x7fffffff, true)
    const noise = whole.slice()
    noise.fill(0xff, 4, 40)
    for (const bytes of [
      whole.slice(0, 60),
      huge,
      noise,
      new TextEncoder().encode('PAR1'),
      whole.slice(0, -5),
    ])
      await expect(load(file(bytes, 'x.parquet'))).rejects.toMatchObject({ code: 'E_FORMAT' })
    expect(await left()).toEqual([0, 0, 0])
  })
})

describe('texts without columns', () => {
  const markdown =
    '# Title\n\nFirst paragraph,\nsecond line.\n\n```\ncode\n\nmore code\n```\n\n## Part\n\nLast one.\n'
  test('by paragraph: headings stay with what follows, fences stay whole', async () => {
    const dataset = await load(file(markdown, 'x.md'))
    expect(dataset).toMatchObject({ format: 'text', columns: [{ name: 'text' }] })
    expect((await cellsOf(dataset)).flat()).toEqual([
      '# Title\n\nFirst paragraph,\nsecond line.',
      '```\ncode\n\nmore code\n```',
      '## Part\n\nLast one.',
    ])
  })
  test('by document', async () => {
    const dataset = await load(file(markdown, 'x.md'), { unit: 'document' })
    expect((await cellsOf(dataset)).flat()).toEqual([markdown.trim()])
  })
  test('by windows of words, with an overlap; and of characters where there are no spaces', async () => {
    const words = Array.from({ length: 25 }, (_, i) => `w${i}`)
    const dataset = await load(file(words.join(' '), 'x.txt'), { unit: 'window', windowSize: 10, overlap: 2 })
    expect((await cellsOf(dataset)).flat().map((text) => text.split(' '))).toEqual([
      words.slice(0, 10),
      words.slice(8, 18),
      words.slice(16, 25),
    ])
    const han = await load(file('漢字'.repeat(6), 'y.txt'), { unit: 'window', windowSize: 5 })
    expect((await cellsOf(han)).flat()).toEqual(['漢字漢字漢', '字漢字漢字', '漢字'])
  })
  test('windows of tokens of a stored base', async () => {
    const folder = join(import.meta.dirname, '../golden/tiny-llama')
    const read = (name: string): Buffer => readFileSync(join(folder, name))
    const names = ['tokenizer.json', 'tokenizer_config.json']
    const files = await Promise.all(names.map((name) => writeModelFile(store, 'tiny', name, [read(name)])))
    await putModel(store, { id: 'tiny', createdAt: 1, info: {} as ModelInfo, files })
    const tokenizer = loadTokenizer(
      JSON.parse(read('tokenizer.json').toString()) as unknown,
      JSON.parse(read('tokenizer_config.json').toString()) as unknown,
    )
    const words = Array.from({ length: 60 }, (_, i) => ['Where', 'is', 'unbelievable', `x${i}`][i % 4]!)
    const options = { unit: 'window', windowSize: 24, model: 'tiny' } as const
    const dataset = await load(file(words.join(' '), 'x.txt'), options)
    const windows = (await cellsOf(dataset)).flat()
    expect(windows.join(' ')).toBe(words.join(' '))
    const sizes = windows.map((window) => tokenizer.encode(window, { special: false }).length)
    // The space before a window's first word is part of its count.
    for (const size of sizes) expect(size).toBeLessThanOrEqual(25)
    for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThan(10)
  })
  test('windows of tokens need a stored base', async () => {
    await expect(load(file('a b c', 'x.txt'), { unit: 'window', model: 'nothing' })).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
    })
  })
  test('a table in a .txt file is a table', async () => {
    expect(await preview(file('text\tlabel\nHello there\tgood\nGo away\tbad\n', 'x.txt'))).toMatchObject({
      format: 'csv',
      delimiter: '\t',
    })
  })
})

describe('a zip archive', () => {
  test('of texts: a document each, labelled by its folder', async () => {
    const archive = file(
      writeZip({ 'set/pos/1.txt': 'Good', 'set/pos/2.txt': 'Fine', 'set/neg/1.txt': 'Bad', 'note.pdf': 'x' }),
      'reviews.zip',
    )
    const found = await preview(archive)
    expect(found).toMatchObject({ format: 'zip', unit: 'document', problems: [{ kind: 'file' }] })
    const dataset = await load(archive, found.options)
    expect(names(dataset)).toEqual(['text', 'label', 'file'])
    expect(await cellsOf(dataset)).toEqual([
      ['Bad', 'neg', 'set/neg/1.txt'],
      ['Good', 'pos', 'set/pos/1.txt'],
      ['Fine', 'pos', 'set/pos/2.txt'],
    ])
  })
  test('of tables: their rows together', async () => {
    const archive = file(writeZip({ 'a.csv': 'x,y\n1,2\n', 'b.jsonl': '{"y":"3","z":"4"}\n' }), 'x.zip')
    const dataset = await load(archive)
    expect([names(dataset), await cellsOf(dataset)]).toEqual([
      ['x', 'y', 'z'],
      [
        ['1', '2', ''],
        ['', '3', '4'],
      ],
    ])
  })
  test('a spreadsheet is named as such; a bomb is stopped by its limit; nothing stays', async () => {
    const sheet = file(writeZip({ '[Content_Types].xml': '<x/>', 'xl/a.xml': '' }), 'x.xlsx')
    await expect(load(sheet)).rejects.toMatchObject({
      code: 'E_NOT_A_TABLE',
      message: expect.stringMatching(/spreadsheet/) as string,
    })
    const bomb = file(writeZip({ 'a/b.txt': '0'.repeat(20_000_000) }), 'bomb.zip')
    await expect(load(bomb)).rejects.toMatchObject({ code: 'E_LIMIT', details: { limit: 200 } })
    expect(await left()).toEqual([0, 0, 0])
  })
})

describe('several files, and rows that are added', () => {
  const first = file('text,label\nOne,a\nTwo,b\n', 'first.csv')
  const second = file('label,text\nc,Three\n', 'second.csv')
  const third = file('text,label,source\nFour,a,web\n', 'third.csv')
  test('the same columns in any order', async () => {
    const dataset = await load([first, second])
    expect(dataset).toMatchObject({ name: 'first.csv and 1 more', rows: 3, bytes: first.size + second.size })
    expect(await cellsOf(dataset)).toEqual([
      ['One', 'a'],
      ['Two', 'b'],
      ['Three', 'c'],
    ])
  })
  test('other columns are refused, or joined', async () => {
    await expect(load([first, third])).rejects.toMatchObject({
      code: 'E_DATASET',
      message: expect.stringMatching(/third.csv.*"source"/) as string,
    })
    await expect(load([third, first])).rejects.toMatchObject({
      code: 'E_DATASET',
      message: expect.stringMatching(/first.csv.*"source"/) as string,
    })
    expect(await left()).toEqual([0, 0, 0])
    const found = await preview([first, third], { union: true })
    expect(found).toMatchObject({ header: true, files: 2, complete: true, name: 'first.csv and 1 more' })
    const dataset = await load([first, third], found.options)
    expect(await cellsOf(dataset)).toEqual([
      ['One', 'a', ''],
      ['Two', 'b', ''],
      ['Four', 'a', 'web'],
    ])
  })
  test('appended rows come last; what was there keeps its index and its part', async () => {
    const rows = Array.from({ length: 1500 }, (_, i) => `Text ${i},${i % 3}`)
    const before = await load(file(`text,label\n${rows.slice(0, 1200).join('\n')}\n`))
    const parts = (await store.main.parts.get(before.id))!.parts
    const after = await append(before.id, file(`text,label\n${rows.slice(1200).join('\n')}\n`))
    expect(after).toMatchObject({ id: before.id, rows: 1500, columns: [{ distinct: 1500 }, { distinct: 3 }] })
    expect((await cellsOf(after)).map((cells) => cells.join(','))).toEqual(rows)
    const grown = (await store.main.parts.get(before.id))!.parts
    expect(grown.slice(0, 1200)).toEqual(parts)
    expect(grown).toHaveLength(1500)
    const sizes = [0, 1, 2].map((part) => grown.filter((each) => each === part).length)
    expect(Object.values(after.split!.rows)).toEqual(sizes)
    // A page across the seam, and rows at random.
    expect((await readRows(store, after.id, 1195, 10)).map(([text]) => text)).toEqual(
      Array.from({ length: 10 }, (_, i) => `Text ${1195 + i}`),
    )
    expect((await readRowsAt(store, after.id, [1499, 0, 1200, 1199])).map(([text]) => text)).toEqual([
      'Text 1499',
      'Text 0',
      'Text 1200',
      'Text 1199',
    ])
  })
  test('an append keeps the task, says which labels are new, and is previewed as it will be made', async () => {
    const { id } = await load(file('text,label\nOne here,a\nTwo here,b\nThree here,a\n'))
    const config = { task: 'classify', columns: { text: 'text', label: 'label' } } as const
    await calls.configure({ id, config }, context())
    // The recipe has other columns; rows join below it.
    const recipe = [{ kind: 'derive', column: 'note', template: '{label}!' } as const]
    await calls.applyRecipe({ id, recipe }, context())
    const more = file('label,text\nc,Four here\nb,Five here\n')
    const look = (options: PreviewOptions, of = more) =>
      calls.previewFiles({ files: [of], options: { target: id, ...options } }, context())
    expect(await look({})).toMatchObject({
      columns: [{ name: 'text' }, { name: 'label' }],
      rows: [
        ['Four here', 'c'],
        ['Five here', 'b'],
      ],
    })
    await expect(look({}, file('text,other\nx,y\n'))).rejects.toMatchObject({ code: 'E_DATASET' })
    const wide = await look({ union: true }, file('text,other\nx,y\n'))
    expect(wide.columns.map(({ name }) => name)).toEqual(['text', 'label', 'other'])
    const after = await append(id, more)
    expect(after).toMatchObject({
      rows: 5,
      config,
      labels: ['a', 'b', 'c'],
      added: { rows: 2, labels: ['c'] },
    })
    expect(await calls.getDataset({ id }, context())).not.toHaveProperty('added')
    // Rows without names join a dataset without names.
    const bare = await load(file('One thing here,1\nTwo things here,2\n'), { header: false })
    const named = await calls.previewFiles(
      { files: [file('Three things here,3\nFour things here,4\n')], options: { target: bare.id } },
      context(),
    )
    expect([named.header, named.rows.length]).toEqual([false, 2])
  })
  test('an append that fails or is cancelled leaves the dataset as it was', async () => {
    const before = await load(first)
    await expect(append(before.id, third)).rejects.toMatchObject({ code: 'E_DATASET' })
    await expect(append(before.id, file('\x89PNG\r\n', 'x.png'))).rejects.toMatchObject({
      code: 'E_NOT_A_TABLE',
    })
    const abort = new AbortController()
    const put = store.main.rows.bulkPut.bind(store.main.rows)
    vi.spyOn(store.main.rows, 'bulkPut').mockImplementation((batches) => {
      abort.abort()
      return put(batches as RowBatch[]) as never
    })
    const many = file('text,label\n' + 'x,y\n'.repeat(20_000))
    await expect(
      calls.appendFiles({ id: before.id, files: [many], options: {} }, context(abort.signal)),
    ).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(await calls.getDataset({ id: before.id }, context())).toEqual(before)
    expect(await cellsOf(before)).toEqual([
      ['One', 'a'],
      ['Two', 'b'],
    ])
  })
  test('new columns give the old rows empty cells', async () => {
    const before = await load(first)
    const after = await append(before.id, third, { union: true })
    expect(names(after)).toEqual(['text', 'label', 'source'])
    expect(await cellsOf(after)).toEqual([
      ['One', 'a', ''],
      ['Two', 'b', ''],
      ['Four', 'a', 'web'],
    ])
  })
})

describe('what the store keeps', () => {
  test('datasets of the first version are read as they stand', async () => {
    const { id } = await load(file('a,b\nx,y\n'))
    await store.main.rows.clear()
    await store.main.rows.bulkAdd([
      { dataset: id, batch: 0, rows: Array.from({ length: 1000 }, (_, i) => [`${i}`, 'old']) },
      { dataset: id, batch: 1, rows: [['1000', 'old']] },
    ])
    expect((await readRows(store, id, 998, 5)).map(([a]) => a)).toEqual(['998', '999', '1000'])
    const starts = []
    for await (const { start } of eachBatch(store, id)) starts.push(start)
    expect(starts).toEqual([0, 1000])
  })
  test('rows that are long take batches of fewer rows', async () => {
    const long = 'long '.repeat(180_000)
    const dataset = await load(
      file(`a,b\n${Array.from({ length: 40 }, (_, i) => `${i},${long}`).join('\n')}\n`),
    )
    expect(await store.main.rows.count()).toBeGreaterThan(2)
    expect((await readRows(store, dataset.id, 5, 30)).map(([a]) => a)).toEqual(
      Array.from({ length: 30 }, (_, i) => String(i + 5)),
    )
    expect((await readRowsAt(store, dataset.id, [39, 12]))[0]![0]).toBe('39')
  }, 30_000)
})

describe('hostile input', () => {
  test('too little room is told before anything is written, with what is needed and free', async () => {
    vi.stubGlobal('navigator', { storage: { estimate: () => Promise.resolve({ usage: 900, quota: 1000 }) } })
    try {
      await expect(load(file('a,b\n' + 'x,y\n'.repeat(100)))).rejects.toMatchObject({
        code: 'E_STORAGE',
        details: { reason: 'quota', neededBytes: 404, freeBytes: 100 },
      })
    } finally {
      vi.unstubAllGlobals()
    }
    expect(await left()).toEqual([0, 0, 0])
  })
  test('a cell of 200 MB is stopped at the limit, and the limit is named', async () => {
    const cell = 'x'.repeat(1 << 20)
    for (const open of ['', '"']) {
      const parts = ['a,b\n1,', open, ...Array.from({ length: 200 }, () => cell), open, '\n2,3\n']
      const dataset = await load(new File(parts, 'huge.csv'))
      expect(dataset.rows).toBe(2)
      expect(dataset.problems.map(({ kind }) => kind)).toContain('limit')
      expect(dataset.problems.find(({ kind }) => kind === 'limit')!.message).toMatch(/4,000,000|1000000/)
      expect((await cellsOf(dataset))[1]).toEqual(['2', '3'])
    }
  }, 60_000)
  test('markup and formulas stay text', async () => {
    const cell = '<img src=x onerror=alert(1)>'
    const dataset = await load(file(`${cell},=1+1\n${cell},=2+2\n`, `${cell}.csv`))
    expect(dataset.name).toBe(`${cell}.csv`)
    expect(await cellsOf(dataset)).toEqual([[cell, '=2+2']])
  })
  test('any bytes are refused or imported, and never half', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('x.csv', 'x.txt', 'x.json'),
        async (bytes, name) => {
          const before = await store.main.datasets.count()
          const dataset = await load(file(bytes, name)).catch((error: unknown) => {
            expect((error as { code?: string }).code).toMatch(/^E_(NOT_A_TABLE|FORMAT|LIMIT)$/)
            return null
          })
          expect(await store.main.datasets.count()).toBe(before + (dataset ? 1 : 0))
          if (!dataset) return
          expect(await cellsOf(dataset)).toHaveLength(dataset.rows)
        },
      ),
      { numRuns: 60 },
    )
  })
})

test('a guarded export comes back as it was', async () => {
  const rows = [
    ['=cmd', 'plain'],
    ["'=quoted", '-5'],
  ]
  const csv = file(await bytesOf(writeCsv(table(['a', 'b'], rows))))
  const found = await preview(csv)
  expect(found.guarded).toBe(true)
  expect(await cellsOf(await load(csv, found.options))).toEqual(rows)
  expect((await cellsOf(await load(csv)))[0]![0]).toBe("'=cmd")
})
