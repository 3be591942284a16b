// npm run bench: measures Graft's training step and decoding on this machine's WebGPU adapter, beside stock tfjs, a peer and
// PyTorch, and the WASM fallback beside PyTorch on the processor. Prints tables and writes JSON. Weights are random and made
// in memory, so that it needs no network; WebGPU comes from Dawn, so that it needs no browser.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from '../tools/install.mjs'
import { browser, dawn, type Place } from './channels.ts'
import { failure, measureGpu } from './measureGpu.ts'
import { measureWasm } from './measureWasm.ts'
import { readOptions, USAGE, type BenchOptions } from './options.ts'
import { writePerformance } from './performance.ts'
import { report } from './report.ts'
import type { BenchResults } from './results.ts'

export async function main(words: readonly string[]): Promise<void> {
  let options: BenchOptions
  try {
    options = readOptions(words)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exitCode = 1
    return
  }
  const say = (text: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`)
  const date = new Date().toISOString()
  const results: BenchResults = {
    date,
    // Where Python is says nothing about the figures.
    command: `npm run bench${words.length ? ` -- ${words.filter((word, i) => !isPath(words, i) && word).join(' ')}` : ''}`,
    from: [],
    machine: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown processor'}`,
    gpu: null,
    wasm: { failed: 'it was left out of this run' },
  }
  if (options.with !== null) {
    const earlier = JSON.parse(readFileSync(options.with, 'utf8')) as BenchResults
    const { command, date } = earlier
    const from = [...(earlier.from ?? []), { command, date }]
    Object.assign(results, { gpu: earlier.gpu, wasm: earlier.wasm, from })
  }
  // What the machine's other work disturbs most comes first.
  if (options.wasm)
    results.wasm = await withPlace(
      () => browser('software'),
      (place) => measureWasm(place, options.python, say),
    )
  if (options.gpu) {
    const gpu = await withPlace(
      () => (options.chromium ? chromium() : dawn()),
      (place) => measureGpu(place, { quick: options.quick, python: options.python, say }),
    )
    if ('failed' in gpu) throw new Error(`WebGPU could not be measured: ${gpu.failed}.`)
    results.gpu = gpu
  }

  const out = options.out ?? join(root, `bench/results/${date.replaceAll(':', '-').slice(0, 19)}.json`)
  mkdirSync(dirname(out), { recursive: true })
  writeFileSync(out, JSON.stringify(results, null, 1))
  console.log(report(results))
  say(`Written: ${out}`)
  if (options.write) {
    writePerformance(join(root, 'docs/performance.md'), results)
    say('Written: docs/performance.md')
  }
}

/** The machine's own GPU where Chromium can use it, else one made of software. */
async function chromium(): Promise<Place> {
  const place = await browser('hardware')
  const channel = await place.open()
  try {
    await channel.run({ kind: 'start', backend: 'webgpu' })
    return place
  } catch {
    await place.close()
    return await browser('software')
  } finally {
    await channel.close().catch(() => undefined)
  }
}

async function withPlace<T>(
  open: () => Promise<Place>,
  work: (place: Place) => Promise<T>,
): Promise<T | { failed: string }> {
  let place: Place | null = null
  try {
    place = await open()
    return await work(place)
  } catch (error) {
    return failure(error)
  } finally {
    await place?.close()
  }
}

/** Whether a word is a path that belongs to the option before it, or that option. */
function isPath(words: readonly string[], at: number): boolean {
  const takes = (word: string | undefined) => ['--python', '--out', '--with'].includes(word ?? '')
  return takes(words[at]) || takes(words[at - 1])
}
