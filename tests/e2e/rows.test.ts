// The rows of a large dataset as a person goes through them: by keys to the last row, by search, filter and sort, one by one
// with an edit that is taken back, and by columns; and the page stays free meanwhile.
import { afterEach, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import type { Site } from './support/site.ts'

/** Enough for the box of rows to be taller than a browser can scroll one to one. */
const ROWS = 300_000

let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

it('a table of 300,000 rows: keys, search, sort, a row with an edit, columns', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  await page.evaluate(async (rows) => {
    const lines = ['number,text,kind\n']
    for (let i = 0; i < rows; i++)
      lines.push(`${(i * 7919) % rows},"Message ${i} about a ${i % 3 ? 'card' : 'refund'}",kind ${i % 5}\n`)
    const { id } = await window.graft.datasets.import(new File(lines, 'many.csv'))
    location.hash = `#/data/${id}`
  }, ROWS)
  const grid = page.getByRole('grid')
  const active = grid.locator('[role=row][aria-selected=true]')
  await grid.getByText('Message 0 about a refund').waitFor()
  expect(await grid.getAttribute('aria-rowcount')).toBe(String(ROWS + 1))

  // Keys: to the last row, a page up, and back to the first; a wheel moves by what it turns.
  await grid.focus()
  await page.keyboard.press('Control+End')
  await grid.getByText(`Message ${ROWS - 1} about`).waitFor()
  expect(await active.getAttribute('aria-rowindex')).toBe(String(ROWS + 1))
  await page.keyboard.press('PageUp')
  expect(Number(await active.getAttribute('aria-rowindex'))).toBeGreaterThan(ROWS - 40)
  await page.keyboard.press('Control+Home')
  await grid.getByText('Message 0 about a refund').waitFor()
  const at = (await grid.boundingBox())!
  await page.mouse.move(at.x + 200, at.y + 200)
  await page.mouse.wheel(0, 320)
  await expect.poll(() => grid.evaluate((box) => Math.round(box.scrollTop) > 0)).toBe(true)
  await grid.getByText('Message 20 about').waitFor()
  expect(await grid.getByText('Message 2000 about').count()).toBe(0)

  // Search, sort by a key on the header, filter by an expression.
  await page.getByLabel('Search all rows').fill('refund -12')
  await page.locator('.total b').waitFor()
  expect(await grid.locator('mark').first().textContent()).toBe('refund')
  await grid.focus()
  await page.keyboard.press('Control+Home')
  for (const key of ['ArrowUp', 'ArrowRight', 'ArrowRight', 'Enter', 'Enter']) await page.keyboard.press(key)
  await expect
    .poll(() => grid.getByRole('columnheader', { name: /number/ }).getAttribute('aria-sort'))
    .toBe('descending')
  await page.getByRole('button', { name: 'Filter', exact: true }).click()
  await page.getByLabel('Column', { exact: true }).selectOption({ label: 'An expression …' })
  await page.getByLabel('Expression', { exact: true }).fill("number < 1000 and kind = 'kind 2'")
  await page.getByRole('button', { name: 'Add filter' }).click()
  const expected = Array.from({ length: ROWS }, (_, i) => i).filter((i) => {
    const number = (i * 7919) % ROWS
    // No word of any column may begin with 12.
    const without = ![i, number].some((each) => String(each).startsWith('12'))
    return i % 3 === 0 && i % 5 === 2 && number < 1000 && without
  })
  await expect
    .poll(() => page.locator('.total').innerText())
    .toBe(`${expected.length} of ${ROWS.toLocaleString('en')} rows`)

  // A row, an edit, and its undoing.
  await grid.focus()
  await page.keyboard.press('Control+Home')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: /^Row / }).waitFor()
  await page.getByText(`1 of ${expected.length} in this view`).waitFor()
  await page.getByRole('button', { name: 'Next row' }).click()
  await page.getByText(`2 of ${expected.length} in this view`).waitFor()
  const text = page.locator('dd .text').nth(1)
  const before = await text.innerText()
  await page.getByRole('button', { name: 'Edit text' }).click()
  await page.getByLabel('New value of text').fill('A refund, written by hand')
  await page.keyboard.press('Control+Enter')
  await page.getByText('edited', { exact: true }).waitFor()
  await expect.poll(() => text.innerText(), { timeout: 20_000 }).toBe('A refund, written by hand')
  await page.getByRole('button', { name: 'Undo the last edit' }).click()
  await expect.poll(() => text.innerText(), { timeout: 20_000 }).toBe(before)

  // Columns.
  await page.keyboard.press('Escape')
  await page.getByRole('tab', { name: /Columns/ }).click()
  await page.getByRole('heading', { name: 'number', exact: true }).waitFor()
  await page.getByRole('button', { name: /kind 3/ }).click()
  await expect.poll(() => page.locator('.total').innerText()).toBe('60,000 of 300,000 rows')
  expect(errors).toEqual([])
})
