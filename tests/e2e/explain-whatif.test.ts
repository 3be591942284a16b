// What if, in the built site on wasm: a change typed and followed, an edit that was found put into the field, the rule that
// holds the answer, and what the address keeps of it.
import AxeBuilder from '@axe-core/playwright'
import { afterEach, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import { TEXT, trainSupport } from './support/explain.ts'
import type { Site } from './support/site.ts'

let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

it('a change, the smallest change, and what holds the answer', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  await trainSupport(page, { steps: 12, batchSize: 4, maxLength: 32 })
  await page.getByRole('tab', { name: 'What if' }).click()
  await page.getByLabel('Text', { exact: true }).fill(TEXT)
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  const answers = page.getByRole('list', { name: 'Answers before and after' })
  await answers.waitFor()

  // Typed: the last of many keys is what is shown.
  const field = page.getByLabel('Changed text')
  expect(await field.inputValue()).toBe(TEXT)
  const changed = 'I was charged once. Where is my parcel'
  await field.fill('')
  await field.pressSequentially(changed, { delay: 5 })
  const words = page.getByRole('group', { name: 'The text with its changes' })
  await words.getByText('parcel').waitFor()
  const text = async (kind: 'ins' | 'del') =>
    (await words.locator(kind).allInnerTexts()).map((word) => word.trim())
  expect(await text('ins')).toEqual(['once', 'Where', 'is', 'my', 'parcel'])
  expect(await text('del')).toEqual(['twice', 'Please', 'help', '!'])
  // What the page says of it is what the model says.
  const shown = await answers.getByRole('listitem').allInnerTexts()
  const scores = await page.evaluate(async (text) => {
    const [run] = await window.graft.runs.list()
    return (await window.graft.predict({ run: run!.id }, text))[0]!.scores
  }, changed)
  expect(shown).toHaveLength(Object.keys(scores).length)
  for (const [label, share] of Object.entries(scores))
    expect(shown.find((line) => line.startsWith(label))).toContain(`→ ${(100 * share).toFixed(1)}%`)
  expect(await page.evaluate(() => location.hash)).toContain('change=I+was+charged+once')

  await page.getByRole('button', { name: 'Find the smallest change' }).click()
  const edits = page.getByRole('list', { name: 'Edits that turn the answer' })
  await edits.or(page.getByText('Nothing flips the answer')).waitFor()
  if (await edits.isVisible()) {
    await edits.getByRole('button').first().click()
    await page.getByText(/^\w+ became \w+$/).waitFor()
    expect(await field.inputValue()).not.toBe(changed)
  }
  await page.getByRole('button', { name: 'Find the rule' }).click()
  await page.getByText(/it is answered \w+ in [\d.]+% of the variants/).waitFor()
  for (const theme of ['light', 'dark']) {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme)
    await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)))
    const { violations } = await new AxeBuilder({ page }).analyze()
    expect(violations.map(({ id, nodes }) => `${theme} ${id} ${nodes[0]?.html}`)).toEqual([])
  }
  await page.getByRole('button', { name: 'Back to the original' }).click()
  expect(await field.inputValue()).toBe(TEXT)
  expect(await page.evaluate(() => location.hash)).not.toContain('change=')
  expect(errors).toEqual([])
})
