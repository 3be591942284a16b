// Explain in the built site on wasm: words by SHAP with a test of faithfulness, the state in the address, axe in both
// themes; and every method as a script asks it, held to what must be true of its numbers.
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

it('words, trust and the address; all methods for scripts', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  const run = await trainSupport(page, { steps: 4, batchSize: 4, maxLength: 32 })

  await page.getByRole('tab', { name: 'Words' }).click()
  await page.getByLabel('Text', { exact: true }).fill(TEXT)
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  const bars = page.getByRole('list', { name: 'Pieces by what they do' })
  await bars.getByRole('button', { name: /^charged / }).waitFor()
  await page.getByRole('button', { name: 'Test it' }).click()
  await page.getByRole('region', { name: 'Stability' }).waitFor()
  await page.getByRole('heading', { name: 'Can it be trusted?' }).waitFor()
  for (const theme of ['light', 'dark']) {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme)
    await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)))
    const { violations } = await new AxeBuilder({ page }).analyze()
    expect(violations.map(({ id, nodes }) => `${theme} ${id} ${nodes[0]?.html}`)).toEqual([])
  }
  await bars.getByRole('button', { name: /^twice / }).click()
  await page.getByRole('tab', { name: 'Layers' }).click()
  await page.getByRole('list', { name: 'Parts by what they add' }).waitFor()
  await page.getByRole('radio', { name: 'Rank' }).check()
  await page.getByRole('group', { name: /^Rank of / }).waitFor()
  await page.getByRole('spinbutton', { name: 'Rows' }).fill('40')
  await page.getByRole('button', { name: 'Where can a label be read?' }).click()
  await page.getByText(/^Read best after/).waitFor()
  await page.getByRole('button', { name: 'Where did tuning change the model?' }).click()
  await page.getByText(/^Changed the most: layer/).waitFor()
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html}`)).toEqual([])
  await page.getByRole('tab', { name: 'Words' }).click()
  await bars.waitFor()

  // A weaker model, another method, fewer points: all of it is in the address.
  const strength = page.getByRole('slider', { name: 'Strength' })
  await strength.press('ArrowLeft')
  const weaker = await strength.inputValue()
  expect(Number(weaker)).toBeLessThan(1)
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  const method = page.getByRole('combobox', { name: 'Method' })
  await method.selectOption('integratedGradients')
  await page.getByText('Settings of Integrated gradients').click()
  await page.getByRole('spinbutton', { name: 'Points of the way' }).fill('3')
  await page.getByRole('button', { name: 'Measure again' }).click()
  await expect.poll(() => page.getByRole('progressbar').count(), { timeout: 60_000 }).toBe(0)
  const left = page.getByText(/^left unexplained /)
  const unexplained = await left.textContent()
  const address = await page.evaluate(() => location.hash)
  expect(address).toMatch(/^#\/explain\/words\?.*text=I\+was\+charged.*at=\d+-\d+.*rows=40/)
  await page.reload()
  await page.getByRole('tab', { name: 'Words', selected: true }).waitFor()
  // A tab that the address opens is in sight where the tabs are wider than the page.
  await page.setViewportSize({ width: 390, height: 844 })
  await page.evaluate(() => (location.hash = location.hash.replace('/words', '/film')))
  const film = page.getByRole('tab', { name: 'Training film', selected: true })
  await film.waitFor()
  await expect
    .poll(() => film.evaluate((tab) => tab.getBoundingClientRect().right - innerWidth))
    .toBeLessThanOrEqual(0)
  await page.evaluate((hash) => (location.hash = hash), address)
  await page.getByRole('tab', { name: 'Words', selected: true }).waitFor()
  await page.setViewportSize({ width: 1440, height: 900 })
  expect(await page.getByLabel('Text', { exact: true }).inputValue()).toBe(TEXT)
  // And nobody pressed Explain.
  await bars.getByRole('button', { name: /^twice /, pressed: true }).waitFor()
  expect([await strength.inputValue(), await method.inputValue()]).toEqual([weaker, 'integratedGradients'])
  expect(await left.textContent()).toBe(unexplained)
  expect(await page.evaluate(() => location.hash)).toBe(address)

  // A link into the open page is opened as well; what is stopped says so and can be asked again.
  // Of eleven words LIME asks a few thousand different texts: long enough to be stopped.
  const words = 'Where is my parcel with the blue lamp and the desk'
  const link = `#/explain/words?${new URLSearchParams({ text: words, method: 'gradientXInput', asked: '1' })}`
  await page.evaluate((hash) => (location.hash = hash), link)
  await bars.getByRole('button', { name: /^parcel / }).waitFor()
  expect(await method.inputValue()).toBe('gradientXInput')
  await method.selectOption('lime')
  await page.getByRole('button', { name: 'Cancel', exact: true }).first().click()
  await page.getByText('This question has no answer yet. What is shown is older.').waitFor()
  await page.getByRole('button', { name: 'Ask again' }).click()
  await page.getByText(/^fit \(R²\)/).waitFor()
  expect(await page.getByRole('button', { name: 'Ask again' }).count()).toBe(0)

  const found = await page.evaluate(
    async ([id, dataset, text]) => {
      const { explain } = window.graft
      const target = { run: id }
      const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0)
      const attention = await explain.attention(target, { text })
      const tokens = attention.tokens.length
      const shap = await explain.shap(target, { text })
      const saliency = await explain.saliency(target, { text, method: 'integratedGradients' })
      const lens = await explain.logitLens(target, { text })
      const rollout = await explain.rollout(target, { text })
      const anchors = await explain.anchors(target, { text })
      return {
        attention: sum(attention.weights) / (attention.layers * attention.heads * tokens),
        rollout: sum(rollout.weights) / tokens,
        shap: sum(shap.values) - (shap.value - shap.base),
        saliency: [sum(saliency.unitScores) - sum(saliency.scores), saliency.residual!],
        path: Math.max(1, Math.abs(saliency.output.value - saliency.base!)),
        lens: lens.layers,
        heads: (await explain.heads(target, { text })).rows.length,
        ablation: (await explain.ablation(target, { text, heads: [[0, 0]] })).off !== undefined,
        lime: (await explain.lime(target, { text, samples: 100 })).selected.length,
        layers: (await explain.layers(target, { text })).residual.length / tokens,
        similarity: (await explain.similarity(target, { dataset, rows: 12 })).self.length,
        probe: (await explain.probe(target, { dataset, rows: 60 })).accuracy.length,
        anchors: anchors.precision,
        counterfactual: (await explain.counterfactual(target, { text })).pieces.length > 0,
        faithfulness: (await explain.faithfulness(target, { text, scores: shap.values })).counts.length,
        stability: (await explain.stability(target, { text, method: 'smoothGrad', seeds: 2 })).seeds.length,
        agreement: (await explain.agreement(target, { text, methods: ['gradientXInput', 'partition'] }))
          .kendall[0]!,
      }
    },
    [run.id, run.dataset, TEXT] as const,
  )
  expect(found.attention).toBeCloseTo(1, 4)
  expect(found.rollout).toBeCloseTo(1, 4)
  expect(Math.abs(found.shap)).toBeLessThan(1e-5)
  expect(found.saliency[0]).toBeCloseTo(0, 4)
  expect(Math.abs(found.saliency[1]!)).toBeLessThan(1e-3 * found.path)
  expect(found).toMatchObject({
    heads: 32,
    ablation: true,
    layers: 9,
    similarity: 81,
    probe: 9,
    counterfactual: true,
    faithfulness: 5,
    stability: 2,
    agreement: 1,
  })
  expect(found.lime).toBeGreaterThan(0)
  expect(found.anchors).toBeGreaterThan(0)
  expect(errors).toEqual([])
})
