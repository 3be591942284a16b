// Every base through the visible page: the list of bases without a network, a dropped adapter with its strength, DoRA from
// the settings, the merged model taken away and dropped in again.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unzipSync, zipSync } from 'fflate'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Page } from 'playwright'
import { parseSafetensors } from '../../src/formats/safetensors.ts'
import { decode, familyGolden, relativeError } from '../golden/load.ts'
import { contents, logitsOf, openBases, peftBytes } from './support/bases.ts'
import { finishedRun, go, set, tinyModelFiles, type Site } from './support/site.ts'

let site: Site
let page: Page
beforeAll(async () => {
  site = await openBases()
  page = site.page
  page.setDefaultTimeout(15_000)
})
afterAll(async () => {
  await site?.close()
})

/** Drops a file of any bytes anywhere on the page. */
async function drop(name: string, bytes: Uint8Array): Promise<void> {
  const transfer = await page.evaluateHandle(
    (files) => {
      const data = new DataTransfer()
      for (const file of window.asFiles(files)) data.items.add(file)
      return data
    },
    contents(new Map([[name, bytes]])),
  )
  for (const event of ['dragenter', 'dragover', 'drop'])
    await page.dispatchEvent('main', event, { dataTransfer: transfer })
}

it('lists known bases without a network, each with whether it fits', async () => {
  await go(page, 'Model')
  const rows = page.getByRole('row').filter({ has: page.getByRole('button', { name: /memory for/ }) })
  await rows.first().waitFor()
  const listed = await page.evaluate(() => window.graft.models.search())
  expect(listed.length).toBeGreaterThan(5)
  await page.getByRole('button', { name: /^Show \d+ more$/ }).click()
  expect(await rows.count()).toBe(listed.length)
  const [first] = listed
  const badge = page.getByRole('button', { name: new RegExp(`memory for ${first!.name},`) })
  expect(await badge.getAttribute('aria-label')).toMatch(
    /^(Fits|Tight|Too large|Does not fit): memory for .*about .*B$/,
  )
  await badge.click()
  await page.getByText(first!.estimate!.sentence).waitFor()
  await page.keyboard.press('Escape')
})

it('takes a dropped adapter in, and asks it at any strength', async () => {
  await page.getByLabel('Choose model files').setInputFiles(tinyModelFiles())
  await page.getByText(/is loaded\./).waitFor()
  const files = await peftBytes('tiny-llama', 'causal')
  await drop('poems.zip', zipSync(Object.fromEntries(files)))
  await page.getByText('poems is an adapter.').waitFor()
  await page.getByRole('button', { name: /^Add as adapter to/ }).click()
  await page.getByRole('button', { name: 'Try poems', exact: true }).click()

  await page
    .getByLabel('Model to ask')
    .locator('option', { hasText: /^poems \(on / })
    .waitFor({ state: 'attached' })
  expect(await page.getByLabel('Model to ask').locator('option:checked').textContent()).toMatch(/^poems/)
  await page.getByLabel('Text', { exact: true }).fill('Where is')
  await page.getByLabel('Max tokens', { exact: true }).fill('12')
  await page.getByLabel('Temperature', { exact: true }).fill('0')
  const answers = page.locator('.answer')
  async function generated(strength: string): Promise<string[]> {
    await page.getByLabel('Strength, number').fill(strength)
    await page.getByRole('button', { name: 'Generate', exact: true }).click()
    await expect.poll(() => page.getByText(/tokens a second/).count(), { timeout: 60_000 }).toBe(2)
    return answers.allTextContents()
  }
  const [none, base] = await generated('0')
  expect(none).toBe(base)
  const [whole, again] = await generated('1')
  expect(again).toBe(base)
  expect(whole).not.toBe(base)
})

it('trains with DoRA from the settings, and hands out the merged model, which can be dropped in again', async () => {
  const csv = readFileSync(join(import.meta.dirname, '../../public/samples/instructions.csv'))
  await drop('instructions.csv', csv)
  await page.getByRole('button', { name: 'Use this data', exact: true }).click()
  await page.getByText(/This data is ready/).waitFor()
  await go(page, 'Train')
  for (const [label, value] of Object.entries({
    'Batch size': 2,
    'Longest example': 96,
    Steps: 3,
    'Learning rate': 0.02,
  }))
    await set(page, label, value)
  await page.getByLabel('DoRA', { exact: true }).check()
  await page.getByRole('status').filter({ hasText: /rows/ }).waitFor()
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  await page
    .getByRole('heading', { name: /Training|Run|on / })
    .first()
    .waitFor()
  const run = await finishedRun(page)
  expect(run.error).toBeNull()
  expect(run.config.adapter).toMatchObject({ method: 'lora', useDora: true })
  expect(run.history).toHaveLength(3)

  await go(page, 'Export')
  await page.getByRole('radio', { name: /^Merged model/ }).check()
  await page.getByRole('radio', { name: /^bf16/ }).check()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: /Download merged model/ }).click(),
  ])
  expect(download.suggestedFilename()).toMatch(/merged.*\.zip$/)
  const zip = readFileSync(await download.path())
  const files = unzipSync(zip)
  const { tensors } = parseSafetensors(files['model.safetensors']!)
  expect(new Set([...tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(['BF16']))
  expect([...tensors.keys()].some((name) => name.includes('lora'))).toBe(false)

  const before = await page.evaluate(() => window.graft.models.list())
  await go(page, 'Model')
  await drop(download.suggestedFilename(), zip)
  await expect
    .poll(() => page.evaluate(async () => (await window.graft.models.list()).length))
    .toBe(before.length + 1)
  const merged = (await page.evaluate(() => window.graft.models.list())).find(
    ({ id }) => !before.some((known) => known.id === id),
  )!
  const { ids } = familyGolden('tiny-llama').causal!.sequence
  const ours = await logitsOf(page, { run: run.id }, ids)
  expect(relativeError(await logitsOf(page, { model: merged.id }, ids), ours)).toBeLessThan(0.05)
  expect(relativeError(ours, decode(familyGolden('tiny-llama').causal!.sequence.logits))).toBeGreaterThan(
    0.05,
  )
})

it('reported no error and no policy violation', () => {
  expect(site.errors).toEqual([])
})
