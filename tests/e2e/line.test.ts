// The whole line through the visible page: each sample is taken, trained and used, on WebGPU with a tiny model and on
// wasm with Graft-7M; a reload in the middle finds everything still there.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import {
  dropFile,
  finishedRun,
  go,
  meanLoss,
  newestRun,
  set,
  tinyModelFiles,
  type Site,
} from './support/site.ts'

const SAMPLES = [
  { file: 'support.csv', task: 'classify', question: 'Where is my parcel? It should have come on Monday.' },
  { file: 'instructions.csv', task: 'instruct', question: 'What are your opening hours?' },
  { file: 'products.csv', task: 'complete', question: 'name: Alder desk lamp; colour: red; material: oak' },
] as const

/** How much is trained: enough for the loss to fall, little enough for a machine without a GPU. */
const EFFORT = {
  webgpu: { 'Batch size': 2, 'Longest example': 96, Steps: 6, 'Learning rate': 0.02 },
  wasm: { 'Batch size': 8, 'Longest example': 64, Steps: 12 },
}

let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

for (const backend of ['webgpu', 'wasm'] as const) {
  describe(`the first complete run on ${backend}`, () => {
    it.each(SAMPLES)('$file', async ({ file, task, question }) => {
      site = await openSite({ gpu: backend === 'webgpu' })
      const { page, errors } = site
      expect((await page.evaluate(() => window.graft.engine.info())).backend).toBe(backend)

      // Data: dropped anywhere on the page, guessed, confirmed.
      await dropFile(
        page,
        file,
        readFileSync(join(import.meta.dirname, '../../public/samples', file), 'utf8'),
      )
      await page.getByRole('button', { name: 'Use this data', exact: true }).click()
      await page.getByText(/This data is ready/).waitFor()
      const [dataset] = await page.evaluate(() => window.graft.datasets.list())
      expect(dataset!.config?.task).toBe(task)

      // Model: files of one's own, or the one that comes with Graft.
      await go(page, 'Model')
      if (backend === 'webgpu') await page.getByLabel('Choose model files').setInputFiles(tinyModelFiles())
      else await page.getByRole('button', { name: 'Load', exact: true }).click()
      await page.getByText(/is loaded\./).waitFor()

      // Train.
      await go(page, 'Train')
      for (const [label, value] of Object.entries(EFFORT[backend])) await set(page, label, value)
      await page.getByRole('status').filter({ hasText: /rows/ }).waitFor({ timeout: 120_000 })
      await page.getByRole('button', { name: 'Train', exact: true }).click()
      await page
        .getByRole('heading', { name: /Training|Run|on / })
        .first()
        .waitFor()
      const run = await finishedRun(page)
      expect(run.error).toBeNull()
      expect(run.status).toBe('done')
      expect(run.history).toHaveLength(run.steps)
      // Eight steps on two rows each teach a random tiny base no intents; text it learns from the first step.
      if (task !== 'classify' || backend === 'wasm') {
        const half = Math.floor(run.history.length / 2)
        expect(meanLoss(run, half, run.history.length)).toBeLessThan(meanLoss(run, 0, half))
      }

      // Reload: everything is still there, and the run can be used at once.
      await page.reload()
      await page.evaluate(() => window.graft.ready)
      await go(page, 'Train')
      await page.getByText(run.config.name).first().waitFor()

      await go(page, 'Generate')
      await page.getByLabel('Text', { exact: true }).fill(question)
      if (task === 'classify') {
        await page.getByRole('button', { name: 'Predict', exact: true }).click()
        await page.getByText(run.labels![0]!).first().waitFor()
      } else {
        await page.getByLabel('Max tokens', { exact: true }).fill('8')
        await page.getByRole('button', { name: 'Generate', exact: true }).click()
        await expect.poll(() => page.getByText(/tokens a second/).count(), { timeout: 120_000 }).toBe(2)
      }

      await go(page, 'Explain')
      await page.getByLabel('Text', { exact: true }).fill(question)
      await page.getByRole('button', { name: 'Explain', exact: true }).click()
      await page.getByRole('heading', { name: 'Where the model looks' }).first().waitFor({ timeout: 120_000 })

      await go(page, 'Export')
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: /Download adapter/ }).click(),
      ])
      expect(download.suggestedFilename()).toMatch(/\.zip$/)
      expect(errors).toEqual([])
    })
  })
}

it('a run that a reload cut short is listed as interrupted and goes on from its checkpoint', async () => {
  site = await openSite({ gpu: false })
  const { page } = site
  const csv = readFileSync(join(import.meta.dirname, '../../public/samples/support.csv'), 'utf8')
  await page.evaluate(async (content) => {
    const { graft } = window
    const dataset = await graft.datasets.import(new File([content], 'support.csv'))
    await graft.datasets.configure(dataset.id, dataset.suggestion!)
    await graft.models.load({ builtin: 'graft-7m' })
    const id = await graft.runs.start({
      dataset: dataset.id,
      model: 'graft-7m',
      training: { steps: 40, batchSize: 4, maxLength: 32, checkpointEvery: 2 },
    })
    await new Promise<void>((resolve) =>
      graft.runs.subscribe(id, ({ run }) => run.checkpoints.length > 1 && resolve()),
    )
  }, csv)
  await page.reload()
  await page.evaluate(() => window.graft.ready)
  const cut = await newestRun(page)
  expect(cut.status).toBe('interrupted')
  expect(cut.step).toBeGreaterThan(0)
  expect(cut.history.every((entry) => entry.step <= cut.step)).toBe(true)

  await go(page, 'Train')
  await page
    .getByRole('link', { name: new RegExp(cut.config.name) })
    .first()
    .click()
  await page.getByRole('button', { name: 'Resume', exact: true }).click()
  const done = await finishedRun(page)
  expect(done.status).toBe('done')
  expect(done.history.map((entry) => entry.step)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
})

it('opens and answers without a network after the first visit', async () => {
  site = await openSite({ gpu: false })
  const { page } = site
  const ask = () =>
    page.evaluate(async () => {
      await window.graft.ready
      const model = await window.graft.models.load({ builtin: 'graft-7m' })
      const { logits } = await window.graft.logits({ model: model.id }, { text: 'Once upon a time' })
      return Array.from(logits.slice(0, 8))
    })
  const before = await ask()
  await page.evaluate(() => navigator.serviceWorker.ready)
  await site.stopServer()
  await page.reload()
  expect(await ask()).toEqual(before)
})
