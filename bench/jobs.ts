// One piece of a run of the bench: the same code in Node on Dawn and in a worker of Chromium. Jobs and their results are
// plain data, because they travel between processes.
import { memory } from '@tensorflow/tfjs-core'
import type { BackendName } from '../src/protocol/engine.ts'
import type { Precision } from '../src/protocol/model.ts'
import type { AdapterConfig, Checkpointing } from '../src/protocol/run.ts'
import { releaseFreeBuffers } from '../src/core/backend/memory.ts'
import { startBackend } from '../src/core/backend/register.ts'
import type { Outcome } from '../src/core/ops/webgpu/tuning/fastest.ts'
import { DEFAULT } from '../src/core/ops/webgpu/tuning/settings.ts'
import { currentTuner } from '../src/core/ops/webgpu/tuning/tuner.ts'
import { measureCeiling, type Ceiling } from './ceiling.ts'
import { between, bufferBytes, install, resetPeak, runDry, snapshot, type Counts } from './counters.ts'
import { measureDecode, type DecodeFigures } from './decode.ts'
import { measureFlat, type FlatFigures } from './flat.ts'
import { loadShape, measureStep, unload, type Effort, type LoadedShape, type StepFigures } from './graft.ts'
import type { NanogptFigures, NanogptRequest } from './nanogpt.ts'
import { watchBlocks } from './phases.ts'
import { SHAPES, type ShapeName } from './shapes.ts'
import { median } from './statistics.ts'

/** What this module does. */
export type Job =
  | { kind: 'start'; backend: BackendName; threads?: number }
  | { kind: 'ceiling'; sizes: number[] }
  | { kind: 'tuning' }
  | {
      kind: 'steps'
      shape: ShapeName
      precision: Precision
      tokens: number[]
      effort: Effort
      dry: boolean
      method?: AdapterConfig['method']
      checkpointing?: Checkpointing
    }
  | { kind: 'flat'; shape: ShapeName; passes: number; dry: boolean }
  | { kind: 'decode'; shape: ShapeName; precision: Precision; tokens: number; dry: boolean }
  | { kind: 'stock'; shape: ShapeName; tokens: number; effort: Effort; dry: boolean }

/** What nanogpt.ts does, in a process of its own. */
export type PeerJob = { kind: 'nanogpt' } & NanogptRequest

export interface Adapter {
  backend: BackendName
  description: string
  features: string[]
  /** A processor that plays a GPU: its counts hold, its speed says nothing. */
  software: boolean
}

export interface StockFigures {
  tokens: number
  secondsPerStep: number | null
  losses: number[]
  counts: Counts
  peakBytes: number
}

/** A class of shapes that kernels were tried out for: milliseconds of each setting, null where it was refused. */
export interface TunedClass extends Outcome {
  key: string
}

export interface Results {
  start: Adapter
  ceiling: Ceiling
  tuning: TunedClass[]
  steps: StepFigures[]
  flat: FlatFigures
  decode: DecodeFigures
  stock: StockFigures
  nanogpt: NanogptFigures
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render/i
let backend: BackendName = 'webgpu'

export async function runJob<K extends Job['kind']>(job: Extract<Job, { kind: K }>): Promise<Results[K]>
export async function runJob(job: Job): Promise<Results[Job['kind']]> {
  switch (job.kind) {
    case 'start':
      return start(job.backend, job.threads)
    case 'ceiling':
      return measureCeiling(job.sizes)
    case 'tuning':
      return [...(currentTuner()?.outcomes ?? [])].map(([key, outcome]) => ({ key, ...outcome }))
    case 'steps':
      return withShape(job.shape, job.precision, job.dry, async (loaded) => {
        const figures: StepFigures[] = []
        for (const tokens of job.tokens)
          figures.push(
            await measureStep(loaded, tokens, job.effort, {
              dry: job.dry,
              ...(job.method && { method: job.method }),
              ...(job.checkpointing && { checkpointing: job.checkpointing }),
            }),
          )
        return figures
      })
    case 'flat':
      return withShape(job.shape, 'f32', job.dry, (loaded) => measureFlat(loaded, job.passes))
    case 'decode':
      return withShape(job.shape, job.precision, job.dry, (loaded) =>
        measureDecode(loaded, job.tokens, job.dry),
      )
    case 'stock':
      return stock(job)
    default:
      return job satisfies never
  }
}

async function start(name: BackendName, threads?: number): Promise<Adapter> {
  install()
  watchBlocks()
  const { adapter, features } = await startBackend(name, {
    ...(threads !== undefined && { wasmThreads: threads }),
    onFault(error) {
      throw error
    },
  })
  backend = name
  return { backend, description: adapter, features, software: SOFTWARE.test(adapter) }
}

async function withShape<T>(
  shape: ShapeName,
  precision: Precision,
  dry: boolean,
  measure: (loaded: LoadedShape) => Promise<T>,
): Promise<T> {
  const loaded = await loadShape(shape, precision, backend)
  runDry(dry)
  // What is not executed cannot be timed.
  if (backend === 'webgpu') currentTuner()?.force(dry ? DEFAULT : null)
  try {
    return await measure(loaded)
  } finally {
    runDry(false)
    unload(loaded)
  }
}

async function stock({ shape, tokens, effort, dry }: Extract<Job, { kind: 'stock' }>): Promise<StockFigures> {
  // Here, so that a browser without it still runs the rest.
  const { StockStep } = await import('./stockTfjs.ts')
  const length = Math.min(SHAPES[shape].rowTokens, tokens)
  const batch = Math.max(1, Math.round(tokens / length))
  releaseFreeBuffers()
  const { live } = bufferBytes()
  const tensors = memory().numTensors
  const model = await StockStep.load(shape, batch, length)
  runDry(dry)
  resetPeak()
  const times: number[] = []
  const losses: number[] = []
  const started = performance.now()
  let before = snapshot()
  let steps = 0
  try {
    for (let step = 0; step < effort.warmup + effort.groups; step++) {
      if (step === effort.warmup) before = snapshot()
      const at = performance.now()
      const loss = model.step()
      losses.push((await loss.data())[0]!)
      loss.dispose()
      if (step >= effort.warmup) {
        times.push((performance.now() - at) / 1000)
        steps++
        if (performance.now() - started > effort.seconds * 1000) break
      }
    }
    return {
      tokens: batch * length,
      secondsPerStep: dry ? null : median(times),
      losses,
      counts: between(before, snapshot(), steps),
      peakBytes: bufferBytes().peak - live,
    }
  } finally {
    runDry(false)
    model.dispose()
    releaseFreeBuffers()
    const left = memory().numTensors - tensors
    if (left > 0) console.warn(`${left} tensors of the stock step were left behind.`)
  }
}
