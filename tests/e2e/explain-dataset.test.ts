// The Dataset tab of Explain in the built site on wasm: run, what is shown, the way to a row, the address, axe in both themes;
// and the numbers of the same methods recounted by a script.
import AxeBuilder from '@axe-core/playwright'
import { afterEach, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import { trainSupport } from './support/explain.ts'
import type { Site } from './support/site.ts'

let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

it('words, rules and mistakes over a dataset', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  const run = await trainSupport(page, { steps: 6, batchSize: 8, maxLength: 32 })

  await page.getByRole('tab', { name: 'Dataset' }).click()
  await page.getByLabel('Rows', { exact: true }).fill('60')
  await page.getByRole('button', { name: 'Run', exact: true }).click()
  await page.getByRole('img', { name: /^The model as a tree/ }).waitFor()
  await page.getByText('The model has learnt from these rows').waitFor()
  await page
    .getByRole('list', { name: /^Words of / })
    .first()
    .waitFor()
  await page.getByRole('list', { name: 'Confused pairs' }).getByRole('button').first().click()
  for (const theme of ['light', 'dark']) {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme)
    await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)))
    const { violations } = await new AxeBuilder({ page }).analyze()
    expect(violations.map(({ id, nodes }) => `${theme} ${id} ${nodes[0]?.html}`)).toEqual([])
  }
  const tree = page.getByRole('img', { name: /^The model as a tree/ })
  await tree.focus()
  await tree.press('ArrowRight')
  await tree.press('ArrowRight')
  await page
    .getByRole('status')
    .filter({ hasText: /^If the text has .*: \d+ of \d+ rows? are / })
    .waitFor()
  await page.getByLabel('Label to look at').selectOption({ index: 1 })
  await expect
    .poll(() => page.evaluate(() => location.hash))
    .toMatch(/^#\/explain\/dataset\?.*rows=60.*label=/)
  await page.getByLabel('Label to look at').selectOption({ index: 0 })

  // The least fitting label first; its link leads to the row.
  const suspects = page.getByRole('group', { name: /^Rows to read/ })
  const first = suspects.getByRole('link', { name: /^Row / }).first()
  const name = await first.textContent()
  await first.click()
  await page.getByRole('heading', { name: name! }).waitFor()

  const found = await page.evaluate(async ({ id, dataset }) => {
    const { graft } = window
    const target = { run: id }
    const rules = await graft.explain.rules(target, { dataset, split: 'train', rows: 60 })
    const rows = await graft.datasets.rowsAt(dataset, Array.from(rules.rows))
    const mistakes = await graft.explain.mistakes(target, { dataset, split: 'train', rows: 60 })
    const importance = await graft.explain.importance(target, { dataset, rows: 8, least: 2 })
    const refused = await graft.explain
      .rules({ model: 'graft-7m' }, { dataset })
      .catch(({ code, message }: { code: string; message: string }) => `${code} ${message}`)
    return {
      rules,
      texts: rows.map(({ cells }) => cells.text!),
      mistakes,
      explained: importance.labels.reduce((sum, { rows }) => sum + rows, 0),
      refused,
    }
  }, run)
  const { rules, texts, mistakes } = found
  expect(name).toBe(`Row ${mistakes.suspects[0]!.row + 1}`)
  expect(found.explained).toBe(8)
  expect(found.refused).toMatch(/^E_ARGUMENT .*Choose a classification run/)
  expect(mistakes).toMatchObject({ rows: 60, seen: true })
  expect(mistakes.confusion.flat().reduce((sum, count) => sum + count, 0)).toBe(60)
  const words = (text: string) => ` ${text.toLowerCase().replace(/[^\p{L}\p{N}'’_-]+/gu, ' ')} `
  let recounted = 0
  for (const { label, conditions, fit } of rules.rules) {
    const fits = texts.filter(
      (text, i) =>
        !rules.held[i] &&
        conditions.every(
          ({ feature, holds }) =>
            feature.kind === 'ngram' && words(text).includes(` ${feature.text} `) === holds,
        ),
    )
    const hits = fits.filter((text) => rules.predicted[texts.indexOf(text)] === label)
    expect([fits.length, hits.length]).toEqual([fit.rows, fit.hits])
    expect(fit.precision).toBe(fit.hits / fit.rows)
    recounted++
  }
  expect(recounted).toBeGreaterThan(0)
  const { agreement, interval } = rules.fidelity.tree
  expect(agreement).toBeGreaterThanOrEqual(interval[0])
  expect(agreement).toBeLessThanOrEqual(interval[1])
  expect(errors).toEqual([])
})
