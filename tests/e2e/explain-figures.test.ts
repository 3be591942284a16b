// Figures as files, marks that follow from drawing to drawing, and attribution at each key, in the built site on wasm.
import { readFileSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import type { Page } from 'playwright'
import { afterEach, expect, it } from 'vitest'
import type { FigureFile } from '../../src/charts/figure/about.ts'
import { textsOf } from '../../src/charts/figure/png.ts'
import { openSite } from '../../tools/browser.mjs'
import { TEXT, trainSupport } from './support/explain.ts'
import type { Site } from './support/site.ts'

let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

const TRAINING = { steps: 4, batchSize: 4, maxLength: 32 }

/** Takes a figure by its menu. */
async function file(page: Page, title: RegExp, format: string) {
  await page.getByRole('button', { name: title }).click()
  const download = page.waitForEvent('download')
  await page.getByRole('menuitem', { name: format }).click()
  const taken = await download
  return { name: taken.suggestedFilename(), bytes: readFileSync(await taken.path()) }
}

/** What a browser makes of an SVG file when it is opened. */
async function parsed(site: Site, svg: string) {
  const page = await site.context.newPage()
  try {
    const path = join(await mkdtemp(join(tmpdir(), 'figure-')), 'figure.svg')
    await writeFile(path, svg)
    await page.goto(`file://${path}`)
    return await page.evaluate(() => {
      const all = (name: string) => [...document.querySelectorAll(name)]
      return {
        root: document.documentElement.tagName,
        error: document.querySelector('parsererror')?.textContent ?? null,
        foreign: all('foreignObject, style, script').length,
        texts: all('text').map((node) => node.textContent ?? ''),
        fills: all('[fill]').map((node) => node.getAttribute('fill') ?? ''),
        images: all('image').map((node) => (node.getAttribute('xlink:href') ?? '').slice(0, 22)),
        metadata: JSON.parse(
          document.querySelector('metadata > figure')?.textContent ?? 'null',
        ) as FigureFile,
        title: document.querySelector('svg > title')?.textContent,
        height: Number(document.documentElement.getAttribute('height')),
        width: Number(document.documentElement.getAttribute('width')),
      }
    })
  } finally {
    await page.close()
  }
}

it('figures become files that say what made them', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  await trainSupport(page, TRAINING)
  await page.evaluate(() => (document.documentElement.dataset.theme = 'dark'))
  await page.getByRole('tab', { name: 'Words' }).click()
  await page.getByLabel('Text', { exact: true }).fill(TEXT)
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  const bars = page.getByRole('list', { name: 'Pieces by what they do' })
  await bars.getByRole('button', { name: /^charged / }).waitFor()

  const shap = /^Download SHAP/
  await page.getByRole('button', { name: shap }).click()
  await page.getByRole('menu').waitFor()
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html}`)).toEqual([])
  await page.keyboard.press('Escape')

  const svg = await file(page, shap, 'SVG')
  expect(svg.name).toMatch(/^SHAP-partition-for-.*\.svg$/)
  const read = await parsed(site, svg.bytes.toString())
  expect([read.root, read.error]).toEqual(['svg', null])
  expect(read.foreign).toBe(0)
  expect(read.title).toMatch(/^SHAP \(partition\) for /)
  // The title, each bar's name and number, the legend; and nothing that only answers a pointer.
  expect(read.texts).toEqual(expect.arrayContaining(['charged', 'twice', expect.stringMatching(/^raises /)]))
  expect(read.texts.join(' ')).not.toContain('Point at')
  // Light, whatever the page is, and no colour that other programs do not know.
  expect(read.fills[0]).toBe('#ffffff')
  expect(read.fills.every((fill) => /^(none|#[\da-f]{6}|url\(#\w+\))$/.test(fill))).toBe(true)

  const json = JSON.parse((await file(page, shap, 'JSON')).bytes.toString()) as FigureFile
  const { columns, rows, ...head } = json
  expect(read.metadata).toEqual({ ...head, made: read.metadata.made })
  expect(json).toMatchObject({
    method: 'SHAP (partition)',
    seed: 0,
    text: TEXT,
    strength: 1,
    model: { id: 'graft-7m', name: 'Graft-7M', source: { builtin: 'graft-7m' } },
    run: { step: 4 },
    adapter: { method: 'lora' },
    settings: { granularity: 'word' },
  })
  expect(columns).toEqual(['piece', 'text', 'first token', 'last token', 'score', 'standard error'])
  const csv = (await file(page, shap, 'CSV')).bytes.toString().trim().split('\r\n')
  expect(csv[0]!.startsWith(`${columns.join(',')},made with method,made with seed,`)).toBe(true)
  for (const part of ['SHAP (partition)', 'graft-7m', '""run"":', TEXT]) expect(csv[1]).toContain(part)
  expect(csv.slice(1).map((line) => line.split(',')[4])).toEqual(rows.map((row) => String(row[4])))

  const png = (await file(page, shap, 'PNG')).bytes
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([read.width * 2, Math.round(read.height * 2)])
  const texts = textsOf(png)
  expect(JSON.parse(texts['graft-figure']!)).toMatchObject({ method: 'SHAP (partition)', text: TEXT })
  const inks = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
    const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
    const canvas = new OffscreenCanvas(picture.width, picture.height)
    const context = canvas.getContext('2d')!
    context.drawImage(picture, 0, 0)
    const { data } = context.getImageData(0, 0, picture.width, picture.height)
    return [new Set(new Uint32Array(data.buffer)).size, data[0], data[1], data[2]]
  }, png.toString('base64'))
  expect(inks[0]).toBeGreaterThan(50)
  expect(inks.slice(1)).toEqual([255, 255, 255])

  // Cells are a picture inside; a figure that is shown as a table is drawn for its file.
  await page.getByRole('tab', { name: 'Layers' }).click()
  await page.getByRole('button', { name: /^Probability of .* as a table$/ }).click()
  const map = await parsed(site, (await file(page, /^Download Probability of /, 'SVG')).bytes.toString())
  expect(map.error).toBeNull()
  expect(map.images).toEqual(['data:image/png;base64,'])
  expect(map.texts).toEqual(expect.arrayContaining(['input', 'layer 8', '·twice']))
  expect(map.metadata).toMatchObject({ method: 'Logit lens', text: TEXT })
  await page.getByRole('region', { name: /numbers$/ }).waitFor()

  // Figures of other views say what they are of, too.
  await page.getByRole('navigation').getByRole('link', { name: 'Train', exact: true }).click()
  await page
    .getByRole('link', { name: /support/ })
    .first()
    .click()
  const loss = await parsed(site, (await file(page, /^Download Loss$/, 'SVG')).bytes.toString())
  expect(loss.error).toBeNull()
  expect(loss.texts).toContain('step')
  expect(loss.metadata).toMatchObject({ title: 'Loss', model: { id: 'graft-7m' }, training: { steps: 4 } })
  expect(errors).toEqual([])
})

it('marks follow from tab to tab, and attribution follows the keys', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  await trainSupport(page, TRAINING)
  const field = page.getByLabel('Text', { exact: true })
  await field.fill(TEXT)

  // While typing: no job, nothing moves, the newest text wins.
  await page.getByRole('checkbox', { name: 'Follow while I type' }).check()
  const live = page.getByRole('group', { name: 'While you type' })
  const line = live.getByRole('group', { name: /^What you type/ })
  await line.getByText('·twice').waitFor()
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  const overview = page.getByRole('group', { name: 'Tokens and their scores' })
  await overview.getByText('·twice').waitFor()
  await page.getByRole('img', { name: /^Attention/ }).waitFor()
  await page.getByRole('progressbar').waitFor({ state: 'detached' })
  const below = page.getByRole('tablist')
  const top = (await below.boundingBox())!.y
  await field.press('End')
  await field.pressSequentially(' I want my money back today', { delay: 15 })
  await line.getByText('·today').waitFor()
  await live.and(page.locator('[aria-busy=false]')).waitFor()
  expect((await below.boundingBox())!.y).toBe(top)
  expect(await line.locator('.token').allTextContents()).toEqual(
    expect.arrayContaining(['·money', '·back', '·today']),
  )
  expect(await live.getByRole('listitem').first().textContent()).toMatch(/\d%$/)
  expect(await page.getByRole('progressbar').count()).toBe(0)
  expect(await page.evaluate(() => location.hash)).toContain('live=1')
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html}`)).toEqual([])
  await page.getByRole('checkbox', { name: 'Follow while I type' }).uncheck()
  expect(await page.evaluate(() => location.hash)).not.toContain('live')

  // A token that is pinned in one tab is marked in all.
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  await overview.getByText('·today').waitFor()
  await overview.getByText('·twice').click()
  const hash = () => page.evaluate(() => location.hash)
  expect(await hash()).toMatch(/at=\d+-\d+/)
  await page.getByRole('tab', { name: 'Words' }).click()
  const bar = page
    .getByRole('list', { name: 'Pieces by what they do' })
    .getByRole('button', { name: /^twice / })
  await bar.and(page.locator('[aria-pressed=true]')).waitFor()
  await page.getByRole('tab', { name: 'Layers' }).click()
  const map = page.getByRole('img', { name: /^Logit lens/ })
  await map.waitFor()
  const reading = page.getByText(/^After/)
  expect(await reading.textContent()).toContain('·twice')
  // From the cell back: arrow keys move the mark, Enter pins it, Escape releases it.
  await map.focus()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('ArrowUp')
  expect(await reading.textContent()).toContain('layer 7')
  const before = await hash()
  await page.keyboard.press('Enter')
  expect(await hash()).not.toBe(before)
  await page.getByRole('tab', { name: 'Words' }).click()
  expect(await bar.getAttribute('aria-pressed')).toBe('false')
  await page.keyboard.press('Escape')
  expect(await hash()).not.toContain('at=')
  expect(errors).toEqual([])
})
