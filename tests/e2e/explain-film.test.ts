// A film in the built site on wasm: pinned before training with its cost said, watched frame by frame, over strength, the
// frame in the address, axe in both themes.
import AxeBuilder from '@axe-core/playwright'
import { afterEach, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import { TEXT, prepareSupport } from './support/explain.ts'
import type { Site } from './support/site.ts'

let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

it('is pinned, paid for, recorded and watched', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  await prepareSupport(page)
  const nav = page.getByRole('navigation')
  await nav.getByRole('link', { name: 'Train', exact: true }).click()
  const panel = page.getByRole('region', { name: 'Record a film' })
  await panel.getByRole('button', { name: 'Pin a row of the validation part' }).click()
  await panel.getByText('Right answer:').waitFor()
  await page.getByText(/The film of a text \(\d+ frames, one every \d+ steps\) adds about .* MB\./).waitFor()
  await panel.getByRole('button', { name: 'Type a text' }).click()
  await panel.getByRole('textbox', { name: 'Text 2' }).fill(TEXT)
  await page.getByText(/The film of 2 texts/).waitFor()

  const id = await page.evaluate(async (text) => {
    const { graft } = window
    const [dataset] = await graft.datasets.list()
    const training = { steps: 6, batchSize: 4, maxLength: 32 }
    const film = { texts: [text], every: 2 }
    const run = await graft.runs.start({ dataset: dataset!.id, model: 'graft-7m', training, film })
    await graft.runs.wait(run)
    const { frames } = await graft.explain.film({ run }, {})
    if (frames.map(({ at }) => at).join() !== '0,2,4,6') throw new Error(JSON.stringify(frames))
    return run
  }, TEXT)

  await nav.getByRole('link', { name: 'Explain', exact: true }).click()
  await page.getByRole('tab', { name: 'Training film' }).click()
  const slider = page.getByRole('slider', { name: 'Training step' })
  await slider.waitFor()
  expect(await slider.getAttribute('aria-valuetext')).toBe('step 6')
  await slider.focus()
  await page.keyboard.press('ArrowLeft')
  expect(await slider.getAttribute('aria-valuetext')).toBe('step 4')
  await page.getByRole('button', { name: 'Layer 3, head 2' }).click()
  await page.getByRole('heading', { name: 'Layer 3, head 2, step 4' }).waitFor()
  await page.getByLabel('Difference from the first frame').check()
  await page.getByLabel('Change of attention: ').waitFor()
  await page.getByRole('button', { name: 'Play' }).click()
  await page.getByRole('heading', { name: 'Layer 3, head 2, step 6' }).waitFor()
  await page.keyboard.press('Tab')
  const address = await page.evaluate(() => location.hash)
  expect(address).toMatch(/^#\/explain\/film\?.*frame=6.*head=2.1.*since=1/)
  for (const theme of ['light', 'dark']) {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme)
    await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)))
    const { violations } = await new AxeBuilder({ page }).analyze()
    expect(violations.map(({ id: rule, nodes }) => `${theme} ${rule} ${nodes[0]?.html}`)).toEqual([])
  }
  await page.reload()
  await page.getByRole('heading', { name: 'Layer 3, head 2, step 6' }).waitFor()
  expect(await page.evaluate(() => location.hash)).toBe(address)

  await page.getByLabel('Adapter strength 0 to 1').check()
  await page.getByText('its maps are then made at eleven strengths').waitFor()
  await page.getByLabel('Text', { exact: true }).fill(TEXT)
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  const strength = page.getByRole('slider', { name: 'Adapter strength' })
  await strength.waitFor()
  expect(await strength.getAttribute('aria-valuetext')).toBe('strength 1')
  await strength.focus()
  await page.keyboard.press('Home')
  expect(await strength.getAttribute('aria-valuetext')).toBe('strength 0')

  await page.evaluate((run) => window.graft.runs.remove(run), id)
  await expect(page.evaluate((run) => window.graft.explain.film({ run }, {}), id)).rejects.toThrow(
    /There is no run/,
  )
  expect(errors).toEqual([])
})
