// Files on their way in as a person brings them: what leaves no doubt is one drop, the rest is asked; nothing hostile runs.
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Page } from 'playwright'
import { openSite } from '../../tools/browser.mjs'
import { go, type Site } from './support/site.ts'

let site: Site
let page: Page
beforeEach(async () => {
  site = await openSite({ gpu: false })
  page = site.page
  await go(page, 'Data')
})
afterEach(async () => {
  expect(site.errors).toEqual([])
  await site.close()
})

/** Drops files on the page, as dragging them from a folder does. */
async function drop(...files: { name: string; content: string | Buffer }[]): Promise<void> {
  const transfer = await page.evaluateHandle(
    (files) => {
      const data = new DataTransfer()
      for (const { name, base64 } of files)
        data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name))
      return data
    },
    files.map(({ name, content }) => ({ name, base64: Buffer.from(content).toString('base64') })),
  )
  for (const event of ['dragenter', 'dragover', 'drop'])
    await page.dispatchEvent('main', event, { dataTransfer: transfer })
}
const press = (name: string) => page.getByRole('button', { name, exact: true }).click()
const heading = (name: string) => page.getByRole('heading', { name, exact: true }).waitFor()
const datasets = () => page.evaluate(() => window.graft.datasets.list())
const rowsOf = (id: string) =>
  page.evaluate((id) => window.graft.datasets.rows(id, { offset: 0, limit: 100 }), id)

it('a clean table is one drop, and can be read differently afterwards', async () => {
  await drop({ name: 'clean.csv', content: 'text,label\nWhere is it now,parcel\nMoney back please,refund\n' })
  await heading('clean.csv')
  await press('Read it differently')
  await heading('Import')
  await page.getByLabel('The first row names the columns').uncheck()
  await page.getByText('All 3 rows').waitFor()
  await press('Import')
  await heading('clean.csv')
  const [dataset, ...others] = await datasets()
  expect(others).toEqual([])
  expect([dataset!.rows, dataset!.columns.map(({ name }) => name)]).toEqual([3, ['column 1', 'column 2']])
})

it('an encoding that is in doubt is asked, with a preview that follows the choice', async () => {
  const content = Buffer.from('name;city\nJ\xfcrgen;K\xf6ln\n', 'latin1')
  await drop({ name: 'old.csv', content })
  await heading('Import')
  await page.getByText('The file does not say how its characters are stored').waitFor()
  await page.getByRole('cell', { name: 'Jürgen' }).waitFor()
  expect(await datasets()).toEqual([])
  await page.getByLabel('Encoding', { exact: true }).selectOption('utf-8')
  await page.getByRole('cell', { name: 'J\uFFFDrgen' }).waitFor()
  await page.getByLabel('Encoding', { exact: true }).selectOption('windows-1252')
  await page.getByRole('cell', { name: 'Jürgen' }).waitFor()
  await page.getByLabel('Type of city').selectOption('category')
  await page.getByText('The only row').waitFor()
  await press('Import')
  await heading('old.csv')
  const [dataset] = await datasets()
  expect(dataset).toMatchObject({
    encoding: 'windows-1252',
    columns: [{}, { name: 'city', type: 'category' }],
  })
})

it('cells pasted from a spreadsheet are shown and named for what they are', async () => {
  await page.evaluate(() => {
    const clipboardData = new DataTransfer()
    clipboardData.setData(
      'text/plain',
      'prompt\tchosen\trejected\nSay hello\tHello and welcome\tYo\nSay goodbye\tThank you, goodbye\tBye\n',
    )
    window.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }))
  })
  await heading('Import')
  await page.getByText('Preference pairs').waitFor()
  await page.getByText('Not trained on yet').waitFor()
  await press('Import')
  await heading('Pasted cells')
  expect((await datasets())[0]!.rows).toBe(2)
})

it('a copied range keeps the line breaks in its cells; the button says what to do where it may not read', async () => {
  await press('Paste')
  await page.getByRole('alert').getByText('press Ctrl V').waitFor()
  const html =
    '<table><tr><td>text</td><td>label</td></tr><tr><td>Broken<br style="mso-data-placement:same-cell;">again</td><td>defect</td></tr><tr><td>Where is it</td><td>parcel</td></tr></table>'
  const text = 'text\tlabel\nBroken\nagain\tdefect\nWhere is it\tparcel\n'
  await site.context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.evaluate(
    ([html, text]) =>
      navigator.clipboard.write([
        new ClipboardItem({
          'text/html': new Blob([html!], { type: 'text/html' }),
          'text/plain': new Blob([text!], { type: 'text/plain' }),
        }),
      ]),
    [html, text],
  )
  await press('Paste')
  await heading('Import')
  await page.getByText('All 2 rows').waitFor()
  await press('Import')
  await heading('Pasted cells')
  const [dataset] = await datasets()
  expect(dataset).toMatchObject({ origin: 'clipboard', shape: { name: 'textLabel' } })
  expect((await rowsOf(dataset!.id)).map(({ cells }) => cells)).toEqual([
    { text: 'Broken\nagain', label: 'defect' },
    { text: 'Where is it', label: 'parcel' },
  ])
  // On its page the same keys add rows to it.
  await page.evaluate(
    ([html, text]) => {
      const clipboardData = new DataTransfer()
      clipboardData.setData('text/html', html!.replace('Broken', 'Torn'))
      clipboardData.setData('text/plain', text!)
      window.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }))
    },
    [html, text],
  )
  await heading('Add rows to Pasted cells')
  await press('Add rows')
  await heading('Pasted cells')
  expect((await datasets())[0]!.rows).toBe(4)
})

it('several files become one dataset or one each; more rows are added', async () => {
  const files = [
    { name: 'a.csv', content: 'text,label\nOne thing,x\n' },
    { name: 'b.csv', content: 'text,label,source\nAnother thing,y,web\n' },
  ]
  await drop(...files)
  await heading('Import')
  await page.getByRole('alert').getByText('source').waitFor()
  await page.getByLabel('Take columns that only some have').check()
  await page.getByText('All 2 rows').waitFor()
  await press('Import')
  await heading('a.csv and 1 more')
  await page.getByLabel('Add rows').setInputFiles({
    name: 'c.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from('source,text,label\nmail,Third,z\n'),
  })
  await heading('Add rows to a.csv and 1 more')
  await press('Add rows')
  await heading('a.csv and 1 more')
  const [dataset] = await datasets()
  expect((await rowsOf(dataset!.id)).map(({ cells }) => Object.values(cells))).toEqual([
    ['One thing', 'x', ''],
    ['Another thing', 'y', 'web'],
    ['Third', 'z', 'mail'],
  ])
})

it('a file that was saved anew while the page asked about it is chosen again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'graft-'))
  const path = join(folder, 'notes.csv')
  try {
    await writeFile(path, Buffer.from('name;city\nJ\xfcrgen;K\xf6ln\n', 'latin1'))
    await page.getByLabel('Choose file').setInputFiles(path)
    await heading('Import')
    await page.getByRole('cell', { name: 'Jürgen' }).waitFor()
    await writeFile(path, 'name;city\nAnna;Bonn\nJürgen;Köln\n')
    await press('Import')
    await page
      .getByRole('alert')
      .getByText('notes.csv can no longer be read: it was changed, moved or removed')
      .waitFor()
    expect(await datasets()).toEqual([])
    // What went wrong is in the console, too.
    expect(site.errors.splice(0)).toEqual([expect.stringContaining('notes.csv can no longer be read')])
  } finally {
    await rm(folder, { recursive: true })
  }
})

it('the hash of a large source, made by a worker beside, is that of the hashes of its pieces', async () => {
  const row = `${'x'.repeat(1000)},label\n`
  const rows = [52_345, 23_456]
  const tables = rows.map((count) => Buffer.from(`text,label\n${row.repeat(count)}`))
  const found = await page.evaluate(
    async ([row, ...rows]) => {
      const files = rows.map((count) => new File([`text,label\n${row.repeat(count)}`], `${count}.csv`))
      const { bytes, sha256 } = await window.graft.datasets.import(files)
      return { bytes, sha256 }
    },
    [row, ...rows] as [string, ...number[]],
  )
  const source = Buffer.concat(tables)
  const sha = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
  const hashes: Buffer[] = []
  for (let at = 0; at < source.length; at += 2 ** 19) hashes.push(sha(source.subarray(at, at + 2 ** 19)))
  expect(found).toEqual({ bytes: source.length, sha256: sha(Buffer.concat(hashes)).toString('hex') })
})

it('markup in cells, headers and file names stays text', async () => {
  let dialogs = 0
  page.on('dialog', (dialog) => (dialogs++, void dialog.dismiss()))
  const markup = '<img src=x onerror="alert(1)">'
  await drop({
    name: `${markup.replaceAll('"', '')}.txt`,
    content: `${markup}\n\n<script>alert(2)</script>\n`,
  })
  await heading('Import')
  await page.getByRole('cell', { name: '<script>alert(2)</script>' }).waitFor()
  await press('Import')
  await heading(`${markup.replaceAll('"', '')}.txt`)
  // As labels and names of columns too, wherever they are shown.
  await go(page, 'Data')
  const cell = `"${markup.replaceAll('"', '""')}"`
  const rows = Array.from(
    { length: 30 },
    (_, i) => `"${markup.replaceAll('"', '""')} and words number ${i}",${i % 2 ? cell : 'plain'}`,
  )
  await drop({ name: 'marked.csv', content: `text,"<b>label</b>"\n${rows.join('\n')}\n` })
  await heading('marked.csv')
  await page.evaluate(async () => {
    const { id } = (await window.graft.datasets.list()).find(({ name }) => name === 'marked.csv')!
    await window.graft.datasets.configure(id, {
      task: 'classify',
      columns: { text: 'text', label: '<b>label</b>' },
    })
  })
  await page.getByRole('tab', { name: /^Columns/ }).click()
  await page.getByRole('heading', { name: '<b>label</b>' }).waitFor()
  await page.getByRole('tab', { name: 'Health' }).click()
  await press('Check the data')
  await page.getByText('with HTML in them').click()
  await page.getByRole('tab', { name: 'Recipe' }).click()
  await press('Add the first step')
  await page.getByRole('button', { name: /^Let a model write rows/ }).click()
  await page.getByLabel(markup).waitFor()
  expect(dialogs).toBe(0)
  expect(await page.locator('img[src="x"]').count()).toBe(0)
})

it('an import that is cancelled leaves nothing, and the page stays awake', async () => {
  const result = await page.evaluate(async () => {
    const row = `${'some words '.repeat(30)},label\n`
    const file = new File(
      ['text,label\n', ...Array.from({ length: 60 }, () => row.repeat(2000))],
      'large.csv',
    )
    let longest = 0
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
    })
    observer.observe({ type: 'longtask' })
    const abort = new AbortController()
    const error = await window.graft.datasets
      .import(file, { signal: abort.signal, onProgress: ({ done }) => done > 1e7 && abort.abort() })
      .catch((thrown: { code: string }) => thrown.code)
    observer.disconnect()
    return { error, longest, datasets: await window.graft.datasets.list() }
  })
  expect(result).toMatchObject({ error: 'E_ABORTED', datasets: [] })
  expect(result.longest).toBeLessThan(100)
})
