// What `npm run bench -- ...` understands.
import { parseArgs } from 'node:util'

export interface BenchOptions {
  /** WebGPU in Chromium in place of Node with Dawn. */
  chromium: boolean
  /** Counts only, also on a real GPU. */
  quick: boolean
  /** Measure WebGPU, and WASM. */
  gpu: boolean
  wasm: boolean
  /** Write docs/performance.md. */
  write: boolean
  /** Where the JSON goes. */
  out: string | null
  /** JSON of an earlier run, for the parts that this one leaves out. */
  with: string | null
  /** A Python with PyTorch and peft. */
  python: string
}

export const USAGE = `npm run bench -- [--quick] [--chromium] [--no-gpu] [--no-wasm] [--python PATH] [--out PATH] [--with PATH] [--write]
  --quick      count dispatches, bytes and memory without executing anything; so it is on an adapter made of software
  --chromium   WebGPU in Chromium in place of Node with Dawn
  --no-gpu     leave WebGPU out
  --no-wasm    leave WASM out (it needs Chromium)
  --python     a Python with torch, transformers and peft; default: PYTHON of the environment, or python3
  --out        where the JSON goes; default: bench/results/<date>.json
  --with       JSON of an earlier run: what this run leaves out is taken from there
  --write      write docs/performance.md`

/** Throws TypeError for a word that it does not know. */
export function readOptions(words: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...words],
    allowNegative: true,
    options: {
      chromium: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      gpu: { type: 'boolean', default: true },
      wasm: { type: 'boolean', default: true },
      write: { type: 'boolean', default: false },
      out: { type: 'string' },
      with: { type: 'string' },
      python: { type: 'string', default: process.env.PYTHON ?? 'python3' },
    },
  })
  return { ...values, out: values.out ?? null, with: values.with ?? null }
}
