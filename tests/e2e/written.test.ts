// Rows that Graft-7M writes on wasm, as a person asks for them and as a script does: seen first, added as one step, taken back.
import { readFileSync } from 'node:fs'
import AxeBuilder from '@axe-core/playwright'
import { afterEach, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import type { Site } from './support/site.ts'

const SUPPORT = readFileSync(new URL('../../public/samples/support.csv', import.meta.url), 'utf8')

let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

it('a model writes rows: shown, chosen from, added to training, undone; a script gets the same', async () => {
  site = await openSite({ gpu: false })
  const { page, errors } = site
  const id = await page.evaluate(async (csv) => {
    const { graft } = window
    const { id } = await graft.datasets.import(new File([csv], 'support.csv'))
    await graft.datasets.configure(id, { task: 'classify', columns: { text: 'text', label: 'intent' } })
    await graft.models.load({ builtin: 'graft-7m' })
    location.hash = `#/data/${id}`
    return id
  }, SUPPORT)
  await page.getByRole('tab', { name: /^Recipe/ }).click()
  await page.getByRole('button', { name: 'Add the first step' }).click()
  await page.getByRole('button', { name: /^Let a model write rows/ }).click()
  const form = page.getByRole('region', { name: 'Let a model write rows' })
  await form.getByLabel('refund_request').check()
  await form.getByLabel('Rows of each label').fill('3')
  // So small a model writes of hotels, which is none of these labels.
  await form.getByLabel('Only what reads like its label').uncheck()
  await form.getByRole('button', { name: 'Write rows' }).click()
  const found = form.getByRole('group', { name: 'Rows that were written' })
  await found.waitFor()
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html}`)).toEqual([])
  const boxes = found.getByRole('checkbox')
  const passed = await boxes.count()
  expect(passed).toBeGreaterThan(1)
  await boxes.first().uncheck()
  await found.getByRole('button', { name: /^Add \d/ }).click()
  await page.getByText(`${passed - 1} of them synthetic`).waitFor()

  const script = await page.evaluate(async (id) => {
    const { datasets } = window.graft
    const before = await datasets.get(id)
    const { recipe } = await datasets.recipe(id)
    const model = { target: { model: 'graft-7m' }, labels: ['refund_request'], count: 3, checkLabels: false }
    await datasets.undo(id)
    const again = await datasets.generate(id, { ...model, apply: false })
    const test = { offset: 0, limit: 1000, split: 'test' as const }
    const tests = await datasets.rows(id, test)
    const { dataset, step } = await datasets.generate(id, model)
    const last = await datasets.rows(id, { offset: dataset!.rows - 1, limit: 1 })
    const same = JSON.stringify(await datasets.rows(id, test)) === JSON.stringify(tests)
    await datasets.undo(id)
    const after = await datasets.get(id)
    const abort = new AbortController()
    const cancelled = await datasets
      .generate(id, { ...model, count: 50 }, { signal: abort.signal, onProgress: () => abort.abort() })
      .catch((thrown: { code: string }) => thrown.code)
    const { rows } = await datasets.get(id)
    return { before, steps: recipe.steps, again, dataset, step, last, same, after, cancelled, rows }
  }, id)
  const [added] = script.steps
  expect(added).toMatchObject({ kind: 'addRows', columns: ['text', 'intent'] })
  expect(added).toMatchObject({ rows: script.again.rows.slice(1), origin: script.step!.origin })
  expect(script.before).toMatchObject({ rows: 600 + passed - 1, version: { synthetic: passed - 1 } })
  expect(script.dataset).toMatchObject({ rows: 600 + passed, version: { synthetic: passed } })
  expect(script.step!.rows).toEqual(script.again.rows)
  expect(script.last).toMatchObject([{ split: 'train', cells: { intent: 'refund_request' } }])
  expect(script.same).toBe(true)
  expect([script.after.rows, script.after.version]).toEqual([600, undefined])
  expect([script.cancelled, script.rows]).toEqual(['E_ABORTED', 600])
  expect(errors).toEqual([])
}, 120_000)
