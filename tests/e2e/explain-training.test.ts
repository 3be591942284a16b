// The tab of training rows in the built site on wasm: the map of a short run, a row pinned on it, the rows behind an answer,
// the way to the data view, and what is said of a run that is too short.
import AxeBuilder from '@axe-core/playwright'
import { afterEach, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import { SUPPORT } from './support/explain.ts'
import type { Site } from './support/site.ts'

/** Enough to learn a little from, few enough for a test. */
const CSV = SUPPORT.split('\n').slice(0, 41).join('\n')

let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

it('the map of training rows, the rows behind an answer, and the way to them', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  page.setDefaultTimeout(30_000)
  const { short, dataset } = await page.evaluate(async (csv) => {
    const { graft } = window
    const { id: dataset, suggestion } = await graft.datasets.import(new File([csv], 'support.csv'))
    await graft.datasets.configure(dataset, suggestion!)
    await graft.datasets.split(dataset, { train: 0.8, validation: 0, test: 0.2, seed: 1 })
    await graft.models.load({ builtin: 'graft-7m' })
    const run = async (epochs: number) => {
      const training = { epochs, batchSize: 8, maxLength: 24 }
      const id = await graft.runs.start({ dataset, model: 'graft-7m', adapter: { r: 4 }, training })
      await graft.runs.wait(id)
      return id
    }
    return { dataset, short: await run(1), long: await run(3) }
  }, CSV)

  await page.goto(`${new URL(page.url()).origin}/#/explain/rows`)
  const map = page.getByRole('img', { name: /^Training rows by confidence/ })
  await map.waitFor()
  await map.focus()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('+')
  const times = page.getByRole('group', { name: /^Zoom of Training rows/ }).locator('.num')
  await expect.poll(() => times.innerText()).toBe('1.6×')
  // Where arrow keys go is in sight, however much is enlarged.
  for (let i = 0; i < 5; i++) await page.keyboard.press('+')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('ArrowUp')
  await map.locator('circle.hover').waitFor()
  await page.keyboard.press('0')
  await expect.poll(() => times.innerText()).toBe('1.0×')
  await page.keyboard.press('Enter')
  const row = page.getByRole('region', { name: 'The row' })
  const link = row.getByRole('link', { name: /^Row \d+$/ })
  await link.waitFor()
  const address = await page.evaluate(() => location.hash)
  expect(address).toMatch(/^#\/explain\/rows\?.*row=\d+/)
  await page.getByRole('radio', { name: 'Hard' }).check()
  await expect.poll(() => page.evaluate(() => location.hash)).toContain('region=hard')

  await page.getByLabel('Text', { exact: true }).fill('I was charged twice')
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  await page.getByLabel('Rows to look at').fill('12')
  await page.getByRole('button', { name: 'Trace the answer' }).click()
  const traced = page.getByRole('list', { name: 'Bent the model most' })
  await traced.getByRole('link').first().waitFor()
  expect(await traced.getByRole('listitem').count()).toBe(6)
  for (const theme of ['light', 'dark']) {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme)
    await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)))
    const { violations } = await new AxeBuilder({ page }).analyze()
    expect(violations.map(({ id, nodes }) => `${theme} ${id} ${nodes[0]?.html}`)).toEqual([])
  }

  const number = Number(/\d+/.exec((await link.textContent())!)![0])
  await link.click()
  await expect
    .poll(() => page.evaluate(() => location.hash))
    .toBe(`#/data/${encodeURIComponent(dataset)}/${number - 1}`)

  const told = await page.evaluate(async (id) => {
    try {
      await window.graft.explain.cartography({ run: id }, {})
      return null
    } catch (thrown) {
      const { code, message } = thrown as { code: string; message: string }
      return { code, message }
    }
  }, short)
  expect(told).toMatchObject({ code: 'E_ARGUMENT', message: expect.stringContaining('needs 3 epochs') })
  expect(errors).toEqual([])
})
