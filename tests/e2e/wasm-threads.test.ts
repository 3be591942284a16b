// The WASM backend's threads in a page with the site's own headers: no blob: workers, no eval, Trusted Types on.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser } from 'playwright'
import { build } from 'vite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findChromium } from '../../tools/chromium.mjs'
import { serve } from '../../tools/serve.mjs'
import type { WasmReport } from './support/wasmWorker.ts'

const folder = mkdtempSync(join(tmpdir(), 'graft-wasm-'))
let browser: Browser
const sites: Awaited<ReturnType<typeof serve>>[] = []

beforeAll(async () => {
  await build({
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2022',
      assetsInlineLimit: 0,
      rollupOptions: {
        input: join(import.meta.dirname, 'support/wasmWorker.ts'),
        output: { entryFileNames: 'worker.js' },
      },
    },
  })
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>WASM threads</title>')
  writeFileSync(
    join(folder, 'no-isolation'),
    "/*\n  Content-Security-Policy: script-src 'self' 'wasm-unsafe-eval'\n",
  )
  browser = await chromium.launch({
    executablePath: findChromium(),
    args: ['--no-sandbox', '--no-first-run'],
  })
})

afterAll(async () => {
  await browser?.close()
  for (const site of sites) await site.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Opens the page with the given headers and asks for a report for each number of threads, a new worker each. */
async function report(
  headersFile: string,
  counts: number[],
): Promise<{ reports: WasmReport[]; problems: string[] }> {
  const site = await serve({ root: folder, port: 0, headersFile })
  sites.push(site)
  const page = await browser.newPage()
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico'))
      problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(error.message))
  await page.goto(site.url)
  const reports: WasmReport[] = []
  for (const threads of counts) {
    reports.push(
      await page.evaluate(async (wanted) => {
        interface Policy {
          createScriptURL(url: string): string
        }
        const global = globalThis as unknown as {
          trustedTypes: { createPolicy(name: string, rules: Policy): Policy }
          policy?: Policy
        }
        global.policy ??= global.trustedTypes.createPolicy('app-worker', { createScriptURL: (url) => url })
        const worker = new Worker(global.policy.createScriptURL('/worker.js'), { type: 'module' })
        const answer = new Promise<WasmReport>((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data)
          worker.onerror = ({ message }) => reject(new Error(message))
        })
        worker.postMessage(wanted)
        return answer.finally(() => worker.terminate())
      }, threads),
    )
  }
  await page.close()
  return { reports, problems }
}

it('has real threads under the content security policy, with the same result to the bit', async () => {
  const { reports, problems } = await report('public/_headers', [1, 2, 3])
  const [one, two, three] = reports as [WasmReport, WasmReport, WasmReport]
  console.log(
    `product of 1024: 1 thread ${one.gigaflops.toFixed(1)}, 2 threads ${two.gigaflops.toFixed(1)} GFLOP/s`,
  )
  expect(one).toMatchObject({ isolated: true, simd: true, threads: 1, sharing: 1 })
  expect(two).toMatchObject({ isolated: true, simd: true, threads: 2, sharing: 2, reason: '' })
  expect(three).toMatchObject({ threads: 3, sharing: 3 })
  expect(two.hash).toBe(one.hash)
  expect(three.hash).toBe(one.hash)
  expect(problems).toEqual([])
})

it('falls back to one thread where the page is not isolated', async () => {
  const { reports } = await report(join(folder, 'no-isolation'), [2])
  expect(reports[0]).toMatchObject({ isolated: false, simd: true, threads: 1, sharing: 1 })
  expect(reports[0]!.reason).toContain('not cross-origin isolated')
})
