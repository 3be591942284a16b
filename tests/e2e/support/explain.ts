// A site with a short run of the support sample on Graft-7M: what tests of Explain begin with.
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright'
import type { RunRequest } from '../../../src/protocol/run.ts'
import { go } from './site.ts'

export const SUPPORT = readFileSync(new URL('../../../public/samples/support.csv', import.meta.url), 'utf8')
export const TEXT = 'I was charged twice. Please help!'

/** Imports the sample and loads the base; the dataset's id. */
export function prepareSupport(page: Page): Promise<string> {
  return page.evaluate(async (csv) => {
    const { graft } = window
    const dataset = await graft.datasets.import(new File([csv], 'support.csv'))
    await graft.datasets.configure(dataset.id, dataset.suggestion!)
    await graft.models.load({ builtin: 'graft-7m' })
    return dataset.id
  }, SUPPORT)
}

/** Trains on it, waits for the end and opens Explain; ids of the run and the dataset. */
export async function trainSupport(
  page: Page,
  training: NonNullable<RunRequest['training']>,
): Promise<{ id: string; dataset: string }> {
  const dataset = await prepareSupport(page)
  const id = await page.evaluate(
    async ([dataset, training]) => {
      const id = await window.graft.runs.start({ dataset, model: 'graft-7m', training })
      await window.graft.runs.wait(id)
      return id
    },
    [dataset, training] as const,
  )
  await go(page, 'Explain')
  return { id, dataset }
}
