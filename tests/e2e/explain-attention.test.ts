// The attention tab in the built site on wasm: from the grid of heads to one head and one row, compared with the base and
// with a second text, rollout, heads switched off, all of it in the address; and a long text within the limits of the page.
import AxeBuilder from '@axe-core/playwright'
import { afterEach, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import { TEXT, trainSupport } from './support/explain.ts'
import type { Site } from './support/site.ts'

const LONG = 'The quick brown fox jumps over the lazy dog and runs away. '.repeat(32)

let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

it('grid, head, row, comparisons, rollout, heads off; state in the address; a long text', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  await trainSupport(page, { steps: 1, batchSize: 4, maxLength: 32 })
  await page.getByRole('tab', { name: 'Attention' }).click()
  await page.getByLabel('Text', { exact: true }).fill(TEXT)
  await page.getByRole('button', { name: 'Explain', exact: true }).click()

  // One head by click, its neighbour by key; a row by key, held by Enter.
  const grid = page.getByRole('group', { name: 'Layers and heads' })
  await grid.getByRole('button', { name: 'Layer 3, head 2', exact: true }).click()
  await page.keyboard.press('ArrowRight')
  await page.getByRole('heading', { name: 'Layer 3, head 3', exact: true }).waitFor()
  const map = page.getByRole('img', { name: /^Layer 3, head 3\. Arrow keys/ })
  await map.focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Release' }).waitFor()
  expect(await page.evaluate(() => location.hash)).toMatch(/head=2\.2/)
  expect(await page.evaluate(() => location.hash)).toMatch(/at=1-2/)
  // Its numbers as a table: a row of a head adds up to 1.
  await page.getByRole('button', { name: 'Layer 3, head 3 as a table' }).click()
  const cells = await page
    .getByRole('region', { name: 'Layer 3, head 3, numbers' })
    .locator('tr')
    .allInnerTexts()
  const weights = cells.map((row) => row.split('\t')).filter(([from]) => from === '3')
  expect(weights.reduce((sum, row) => sum + Number(row[4]), 0)).toBeCloseTo(1, 3)
  await page.getByRole('button', { name: 'Layer 3, head 3 as a table' }).click()

  // The base beside the tuned model, then their difference.
  const choose = (name: string) => page.getByRole('radio', { name, exact: true }).check({ force: true })
  await choose('The base')
  await page.getByRole('heading', { name: 'Layer 3, head 3: base' }).waitFor()
  await choose('Difference')
  await page.getByRole('heading', { name: 'Layer 3, head 3: tuned less base' }).waitFor()
  await page.getByRole('columnheader', { name: /^Moved/ }).waitFor()

  // Each head off in turn, then two of them together.
  await page.getByRole('button', { name: 'Switch off each head in turn' }).click()
  await page.getByRole('columnheader', { name: /^Switched off/ }).waitFor()
  await page.getByRole('button', { name: 'Switch this head off' }).click()
  await page
    .getByRole('checkbox', { name: /^Switch off Layer/ })
    .first()
    .check()
  await page.getByRole('heading', { name: 'The answer without 2 heads' }).waitFor()
  for (const theme of ['light', 'dark']) {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme)
    await page.evaluate(() => Promise.allSettled(document.getAnimations().map(({ finished }) => finished)))
    const { violations } = await new AxeBuilder({ page }).include('main').analyze()
    expect(violations.map(({ id, nodes }) => `${theme} ${id} ${nodes[0]?.html}`)).toEqual([])
  }

  // A second text of other tokens has no difference; rollout without special tokens.
  await choose('A second text')
  await page.getByRole('textbox', { name: 'Second text' }).fill('I was charged once.')
  await page.getByRole('button', { name: 'Compare' }).click()
  await page.getByText('there is no difference cell by cell').waitFor()
  await choose('Rollout')
  await page.getByRole('heading', { name: 'Rollout through 8 layers' }).waitFor()
  await page.getByRole('checkbox', { name: 'Hide special tokens' }).check()

  const address = await page.evaluate(() => location.hash)
  expect(address).toMatch(/compare=text/)
  expect(address).toMatch(/off=2\.2%2C\d\.\d/)
  await page.reload()
  await page.getByRole('tab', { name: 'Attention', selected: true }).waitFor()
  expect(await page.evaluate(() => location.hash)).toBe(address)
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  await page.getByRole('heading', { name: 'Rollout through 8 layers' }).waitFor()
  await page.getByRole('heading', { name: 'The answer without 2 heads' }).waitFor()

  // A long text to the base: zoom by wheel and keys, few elements.
  await choose('Heads')
  await page
    .getByRole('group', { name: 'Compare with' })
    .getByRole('radio', { name: 'Nothing' })
    .check({ force: true })
  await page.getByLabel('Model to ask').selectOption({ label: 'Graft-7M (base)' })
  await page.getByLabel('Text', { exact: true }).fill(LONG)
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  await page.getByText(/8 layers × 4 heads, [3-9]\d\d tokens/).waitFor()
  await page.getByRole('heading', { name: 'Layer 3, head 3', exact: true }).waitFor()
  await map.scrollIntoViewIfNeeded()
  const box = (await map.boundingBox())!
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  await page.mouse.wheel(0, -400)
  const zoom = page.getByRole('group', { name: /^Zoom of/ })
  await expect
    .poll(async () => Number.parseFloat(await zoom.locator('.num').innerText()))
    .toBeGreaterThan(1.2)
  await map.focus()
  await page.keyboard.press('0')
  await expect.poll(() => zoom.locator('.num').innerText()).toBe('1.0×')
  expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(2000)
  expect(errors).toEqual([])
})
