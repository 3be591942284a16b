// The built site in a real Chromium: what end-to-end tests, results and screenshots share.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright'
import { ensureChromium } from './chromium.mjs'
import { root } from './install.mjs'
import { serve } from './serve.mjs'

/** Quiet, and as root. `--use-webgpu-adapter=swiftshader` gives WebGPU on a machine without a GPU. */
const FLAGS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
]
const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader']

/**
 * Serves dist/ and opens it in a browser with storage of its own that survives reloads.
 * @param {{ gpu?: boolean, site?: string, flags?: string[], viewport?: { width: number, height: number } }} [options]
 *   gpu: whether WebGPU is there (in software); site: the folder to serve; flags: more of Chromium's
 */
export async function openSite({
  gpu = true,
  site = join(root, 'dist'),
  flags = [],
  viewport = { width: 1440, height: 900 },
} = {}) {
  const server = await serve({ root: site, port: 0 })
  const profile = await mkdtemp(join(tmpdir(), 'graft-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: ensureChromium(),
    args: [...FLAGS, ...(gpu ? SOFTWARE_GPU : []), ...flags],
    viewport,
    acceptDownloads: true,
  })
  // SwiftShader takes its time.
  context.setDefaultTimeout(120_000)
  const page = context.pages()[0] ?? (await context.newPage())
  /** @type {string[]} */
  const errors = []
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  const { url } = server
  await page.goto(url)
  await page.evaluate(() => window.graft.ready)
  return {
    page,
    context,
    url,
    /** The folder of the browser's profile, which its processes name. */
    profile,
    /** Everything that the page reported as an error, policy violations included. */
    errors,
    /** As if the network were cut. */
    stopServer: () => server.close(),
    async close() {
      await context.close()
      await server.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}
