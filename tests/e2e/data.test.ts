// A messy file through the whole workbench, as a person takes it: the health report, three of its remedies, parts, out again
// and back in; and every screen on the way as axe sees it, in both themes.
import { readFileSync } from 'node:fs'
import AxeBuilder from '@axe-core/playwright'
import { afterEach, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import { loadTiny, type Site } from './support/site.ts'

const SUPPORT = readFileSync(new URL('../../public/samples/support.csv', import.meta.url), 'utf8').trim()
const [HEADER, ...ROWS] = SUPPORT.split('\n')
/** Planted: copies, a text without words, an address, mark-up, and a text that was read in the wrong encoding. */
const MESSY = [
  HEADER,
  ...ROWS,
  ...ROWS.slice(0, 3),
  ',refund_request',
  'Write to anna.berg@example.com please,refund_request',
  '"<p>Where&nbsp;is <b>it</b> now?</p>",delivery_status',
  'Why isnâ€™t it here yet,delivery_status',
].join('\n')

let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

it('a messy file: health, three remedies, parts, out and in again; axe finds nothing', async () => {
  site = await openSite({ gpu: false })
  const { page, errors, context } = site
  const tab = (name: RegExp) => page.getByRole('tab', { name }).click()
  const accessible = async (screen: string) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      // Colours on their way from one theme to the other have the contrast of neither.
      await page.evaluate(() =>
        Promise.race([
          Promise.allSettled(document.getAnimations().map((animation) => animation.finished)),
          new Promise((resolve) => setTimeout(resolve, 1000)),
        ]),
      )
      const { violations } = await new AxeBuilder({ page }).analyze()
      expect(violations.map(({ id, nodes }) => `${screen}, ${colorScheme}: ${id} ${nodes[0]?.html}`)).toEqual(
        [],
      )
    }
  }
  await page.evaluate(async (csv) => {
    const { id } = await window.graft.datasets.import(new File([csv], 'messy.csv'))
    location.hash = `#/data/${id}`
  }, MESSY)
  const id = await page.evaluate(async () => (await window.graft.datasets.list())[0]!.id)
  await page.getByRole('grid').waitFor()
  await accessible('Rows')
  await tab(/^Columns/)
  await page.getByRole('heading', { name: 'Length in characters' }).waitFor()
  await accessible('Columns')

  await tab(/^Health/)
  await page.getByRole('button', { name: 'Check the data' }).click()
  await page.getByRole('button', { name: 'Check again' }).waitFor()
  await accessible('Health')
  for (const finding of [/exact copies/, /broken encoding/, /with HTML/]) {
    const line = page.getByRole('button', { name: finding })
    await line.click()
    await page.getByRole('group', { name: 'Remedies' }).getByRole('button').first().click()
    // Mended, and looked at again: the finding is gone.
    await line.waitFor({ state: 'detached' })
  }
  const kinds = await page.evaluate(
    async (id) => (await window.graft.datasets.recipe(id)).recipe.steps.map(({ kind }) => kind),
    id,
  )
  expect(kinds).toEqual(['dedupeExact', 'fixMojibake', 'stripHtml'])

  await tab(/^Recipe/)
  await page.getByText('Mend broken encodings').first().waitFor()
  await accessible('Recipe')

  await tab(/^Parts/)
  await page.getByRole('button', { name: 'Divide the rows' }).waitFor()
  await accessible('Parts')
  await page.getByRole('button', { name: 'Divide the rows' }).click()

  await tab(/^Take out/)
  await page.getByLabel('Guard against formulas').waitFor()
  await page.getByLabel('Guard against formulas').uncheck()
  await page.getByText('Raw: cells are written as they are').waitFor()
  await page.getByRole('button', { name: 'Add what the health report finds' }).click()
  // The rows were divided since the report: it is made again.
  await expect
    .poll(() => page.getByLabel('Known problems').inputValue(), { timeout: 30_000 })
    .toMatch(/without a value in “text”\n/)
  await accessible('Take out')
  const outcome = await page.evaluate(async (id) => {
    const { datasets } = window.graft
    const { rows, split } = await datasets.get(id)
    const { raw } = await datasets.recipe(id)
    const all = (of: string) => datasets.rows(of, { offset: 0, limit: 10_000 })
    const blob = await datasets.export(id, { format: 'csv', guard: true, bundle: false })
    const again = await datasets.import(new File([blob], 'again.csv'), { guarded: true })
    const cells = async (of: string) => (await all(of)).map((row) => row.cells)
    return { rows, raw: raw.rows, split: split!.rows, before: await cells(id), after: await cells(again.id) }
  }, id)
  expect(outcome.rows).toBe(outcome.raw - 3) // all but the copies
  expect(Object.values(outcome.split).reduce((sum, rows) => sum + rows)).toBe(outcome.rows)
  expect(outcome.after).toEqual(outcome.before)
  const texts = outcome.after.map(({ text }) => text)
  expect(texts).toContain('Why isn’t it here yet')
  expect(texts.some((text) => text?.includes('<b>'))).toBe(false)
  expect(context.pages()).toHaveLength(1)
  expect(errors).toEqual([])
})

it('class weights that are chosen in the recipe reach a training run', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  const model = await loadTiny(page)
  const moods = Array.from({ length: 24 }, (_, i) =>
    i % 4 ? `a bad night, number ${i},bad` : `a good day, number ${i},good`,
  ).map((line) => line.replace(/^(.*),(\w+)$/, '"$1",$2'))
  const id = await page.evaluate(
    async (csv) => {
      const { datasets } = window.graft
      const { id } = await datasets.import(new File([csv], 'moods.csv'))
      await datasets.configure(id, { task: 'classify', columns: { text: 'text', label: 'label' } })
      location.hash = `#/data/${id}`
      return id
    },
    `text,label\n${moods.join('\n')}\n`,
  )
  /** The loss of the first step, before anything is learnt, over all training rows. */
  const firstLoss = () =>
    page.evaluate(
      async ([dataset, model]) => {
        const { runs } = window.graft
        const run = await runs.wait(
          await runs.start({
            dataset: dataset!,
            model: model!,
            task: 'classify',
            adapter: { method: 'lora', r: 2, alpha: 4 },
            training: { steps: 1, batchSize: 24, maxLength: 16, seed: 3 },
          }),
        )
        return { loss: run.history[0]!.loss, weights: run.weights ?? null }
      },
      [id, model],
    )
  const plain = await firstLoss()

  await page.getByRole('tab', { name: /^Recipe/ }).click()
  await page.getByRole('button', { name: 'Add the first step' }).click()
  await page.getByRole('button', { name: /^Weigh labels/ }).click()
  await page.getByLabel('Weight of a row').selectOption({ label: 'By label, as listed' })
  await page.getByLabel('Weights').fill('good = 4\nbad = 0.5')
  await page.getByRole('button', { name: 'Add step' }).click()
  await page.getByRole('button', { name: 'Add a step' }).waitFor()
  const weighed = await firstLoss()
  expect([plain.weights, weighed.weights]).toEqual([null, { least: 0.5, most: 4 }])

  // What the good rows alone say, and from it what the bad ones do: the weighted mean of both is what the run must report.
  const { good, bad } = await page.evaluate(async (id) => {
    const { datasets } = window.graft
    await datasets.apply(id, [{ kind: 'weigh', column: 'label', by: 'value', weights: [['good', 1e6]] }])
    const rows = await datasets.rows(id, { split: 'train' })
    const good = rows.filter(({ cells }) => cells.label === 'good').length
    return { good, bad: rows.length - good }
  }, id)
  const { loss: ofGood } = await firstLoss()
  const ofBad = ((good + bad) * plain.loss - good * ofGood) / bad
  expect(Math.abs(ofGood - ofBad)).toBeGreaterThan(0.01)
  const expected = (4 * good * ofGood + 0.5 * bad * ofBad) / (4 * good + 0.5 * bad)
  expect(weighed.loss).toBeCloseTo(expected, 4)
  expect(errors).toEqual([])
})
