// Where jobs run: a Node process on Dawn, or a worker in Chromium. Each channel is one fresh process or worker.
import { fork } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { tmpdir } from 'node:os'
import { chromium, type Browser } from 'playwright'
import { build } from 'vite'
import { findChromium } from '../tools/chromium.mjs'
import { root } from '../tools/install.mjs'
import { serve } from '../tools/serve.mjs'
import type { Job, PeerJob, Results } from './jobs.ts'

export interface Channel {
  run<J extends Job | PeerJob>(job: J): Promise<Results[J['kind']]>
  close(): Promise<void>
}

/** Opens channels of one kind. */
export interface Place {
  title: string
  open(kind?: 'graft' | 'peer'): Promise<Channel>
  close(): Promise<void>
}

type Answer = { result: unknown } | { error: string }

function resultOf(answer: Answer): never {
  if ('error' in answer) throw new Error(answer.error)
  return answer.result as never
}

/** Chromium's software driver, for machines without one of their own; undefined where Chromium is not installed. */
function softwareDriver(): Record<string, string> | undefined {
  const folders = [findChromium(), '/usr/lib/chromium/chromium', '/opt/google/chrome/chrome'].flatMap(
    (path) => (path ? [dirname(path)] : []),
  )
  const folder = folders.find((each) => existsSync(join(each, 'vk_swiftshader_icd.json')))
  if (!folder) return undefined
  return {
    VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json'),
    LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, folder].filter(Boolean).join(':'),
  }
}

function openNode(entry: string, environment: Record<string, string>): Promise<Channel> {
  const child = fork(join(root, 'bench/node.mjs'), [entry], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)))
  const next = () =>
    new Promise<Answer>((resolve, reject) => {
      const ended = () => reject(new Error(`the process ended: ${errors.trim().split('\n').at(-1) ?? ''}`))
      child.once('exit', ended)
      child.once('message', (message) => {
        child.off('exit', ended)
        resolve(message as Answer)
      })
    })
  const channel: Channel = {
    async run(job) {
      const answer = next()
      child.send(job)
      return resultOf(await answer)
    },
    close: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve()
        child.once('exit', () => resolve())
        child.disconnect()
      }),
  }
  return next().then(() => channel)
}

/** Node with Dawn on the machine's own Vulkan driver, or else on Chromium's software driver. */
export async function dawn(): Promise<Place> {
  let environment: Record<string, string> = {}
  const works = async () => {
    const channel = await openNode('/bench/jobs.ts', environment)
    try {
      await channel.run({ kind: 'start', backend: 'webgpu' })
      return true
    } catch {
      return false
    } finally {
      await channel.close()
    }
  }
  if (!(await works())) {
    environment = softwareDriver() ?? {}
    if (!(await works()))
      throw new Error('There is no Vulkan driver, and no Chromium with one made of software.')
  }
  return {
    title: `Node ${process.versions.node} with Dawn`,
    open: (kind) => openNode(kind === 'peer' ? '/bench/nanogpt.ts' : '/bench/jobs.ts', environment),
    close: () => Promise.resolve(),
  }
}

const FLAGS = [
  '--no-sandbox',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--enable-unsafe-webgpu',
]
/** A GPU of the machine in a browser without a window, and one made of software. */
const GPU = {
  hardware: ['--enable-features=Vulkan', '--use-angle=vulkan', '--ignore-gpu-blocklist'],
  software: ['--use-webgpu-adapter=swiftshader'],
}

/** Chromium with a page that serves the bench under the site's own headers, so that WASM has its threads. */
export async function browser(gpu: keyof typeof GPU): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'graft-bench-'))
  await build({
    configFile: false,
    root,
    publicDir: false,
    logLevel: 'error',
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2022',
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 10_000,
      // Preloading is done by a document, which a worker has not.
      modulePreload: false,
      rollupOptions: {
        input: { graft: join(root, 'bench/worker.ts'), peer: join(root, 'bench/peerWorker.ts') },
        output: { entryFileNames: '[name].js' },
      },
    },
  })
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Graft bench</title>')
  const site = await serve({ root: folder, port: 0, headersFile: join(root, 'public/_headers') })
  const executablePath = findChromium()
  if (!executablePath) throw new Error('No Chromium was found; CHROMIUM_PATH may name one.')
  const chrome: Browser = await chromium.launch({ executablePath, args: [...FLAGS, ...GPU[gpu]] })
  return {
    title: `Chromium ${chrome.version()}`,
    async open(kind = 'graft') {
      const page = await chrome.newPage()
      page.setDefaultTimeout(0)
      await page.goto(site.url)
      await page.evaluate((script) => {
        interface Policy {
          createScriptURL(url: string): string
        }
        const scope = globalThis as unknown as {
          trustedTypes: { createPolicy(name: string, rules: Policy): Policy }
          bench: Worker
        }
        const policy = scope.trustedTypes.createPolicy('app-worker', { createScriptURL: (url) => url })
        scope.bench = new Worker(policy.createScriptURL(script), { type: 'module' })
      }, `/${kind}.js`)
      return {
        async run(job) {
          const answer = await page.evaluate(
            (sent) =>
              new Promise<Answer>((resolve) => {
                const { bench } = globalThis as unknown as { bench: Worker }
                bench.onmessage = ({ data }: MessageEvent<Answer>) => resolve(data)
                bench.onerror = ({ message }) => resolve({ error: message })
                bench.postMessage(sent)
              }),
            job as Job,
          )
          return resultOf(answer)
        },
        close: () => page.close(),
      }
    },
    async close() {
      await chrome.close()
      await site.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
