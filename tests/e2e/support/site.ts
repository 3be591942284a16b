// The site as a person uses it: by roles and labels, and by window.graft as a script does.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Page } from 'playwright'
import { openSite } from '../../../tools/browser.mjs'
import type { GraftApi } from '../../../src/protocol/api.ts'
import type { Run } from '../../../src/protocol/run.ts'

declare global {
  interface Window {
    graft: GraftApi
  }
}

export type Site = Awaited<ReturnType<typeof openSite>>

/** A golden tiny model, as files to drop. */
export function tinyModelFiles(name = 'tiny-llama'): string[] {
  const folder = join(import.meta.dirname, '../../golden', name)
  return readdirSync(folder).map((file) => join(folder, file))
}

/** The same as base64, to build Files inside the page. */
export function tinyModelContents(name = 'tiny-llama'): { name: string; base64: string }[] {
  return tinyModelFiles(name).map((path) => ({
    name: path.split('/').pop()!,
    base64: readFileSync(path).toString('base64'),
  }))
}

/** Loads a tiny model through the API; its id. */
export function loadTiny(page: Page, name = 'tiny-llama'): Promise<string> {
  return page.evaluate(async (files) => {
    const model = await window.graft.models.load({
      files: files.map(
        ({ name, base64 }) => new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name),
      ),
    })
    return model.id
  }, tinyModelContents(name))
}

export async function go(page: Page, view: string): Promise<void> {
  await page.getByRole('navigation').getByRole('link', { name: view, exact: true }).click()
}

/** Drops a file on the page, as dragging one from a folder does. */
export async function dropFile(page: Page, name: string, content: string, type = 'text/csv'): Promise<void> {
  const transfer = await page.evaluateHandle(
    ([name, content, type]) => {
      const data = new DataTransfer()
      data.items.add(new File([content!], name!, { type: type! }))
      return data
    },
    [name, content, type],
  )
  for (const event of ['dragenter', 'dragover', 'drop'])
    await page.dispatchEvent('main', event, { dataTransfer: transfer })
}

/** Takes a setting of the Train view by its label; opens Advanced where it is not at hand. */
export async function set(page: Page, label: string, value: number): Promise<void> {
  const field = page
    .getByRole('complementary', { name: 'Settings' })
    .getByLabel(label, { exact: true })
    .first()
  if (!(await field.isVisible())) await page.getByRole('button', { name: 'Advanced' }).click()
  await field.fill(String(value))
  await field.blur()
}

/** The newest run, by the API. */
export async function newestRun(page: Page): Promise<Run> {
  const runs = await page.evaluate(() => window.graft.runs.list())
  return runs.toSorted((a, b) => a.createdAt - b.createdAt).at(-1)!
}

/** Waits until the newest run has ended, and returns it. */
export async function finishedRun(page: Page): Promise<Run> {
  const { id } = await newestRun(page)
  return page.evaluate((run) => window.graft.runs.wait(run), id)
}

export function meanLoss(run: Run, from: number, to: number): number {
  const part = run.history.slice(from, to)
  expect(part.length).toBeGreaterThan(0)
  return part.reduce((sum, entry) => sum + entry.loss, 0) / part.length
}
