// Graft's own training step as a run of the product makes it (train/trainer.ts), measured from outside: between two
// readings of the loss, which are what a run waits for, lie `readEvery` steps.
import { defaultAdapter, defaultTraining } from '../src/protocol/settings.ts'
import type { BackendName } from '../src/protocol/engine.ts'
import type { Precision } from '../src/protocol/model.ts'
import type { AdapterConfig, Checkpointing } from '../src/protocol/run.ts'
import { baseValues } from '../src/core/adapters/baseValues.ts'
import { initialParameters } from '../src/core/adapters/parameters.ts'
import { planAdapter } from '../src/core/adapters/plan.ts'
import { memoryUse, releaseFreeBuffers, resetPeak as resetPool } from '../src/core/backend/memory.ts'
import { loadTransformer } from '../src/core/models/load.ts'
import { recogniseModel } from '../src/core/models/registry.ts'
import type { Transformer } from '../src/core/models/transformer.ts'
import type { WeightSource } from '../src/core/models/weights.ts'
import { opsFor } from '../src/core/ops/index.ts'
import { estimateMemory } from '../src/core/train/memory.ts'
import { Trainer, type TrainerOptions } from '../src/core/train/trainer.ts'
import { Turns } from '../src/core/turns.ts'
import { between, bufferBytes, resetPeak, snapshot, type Counts } from './counters.ts'
import { stepFlops } from './flops.ts'
import { hostSeconds, watchHost } from './host.ts'
import { blockDispatches, forgetBlocks, watchedOps, type BlockDispatches } from './phases.ts'
import { randomIds, randomWeights } from './randomWeights.ts'
import { SHAPES, type ShapeName } from './shapes.ts'
import { differences, median } from './statistics.ts'

/** Rank of the adapters in every measurement; alpha 32, all linear layers, no dropout. */
export const RANK = 16
/** Steps between two readings, as workers/engine/runs.ts has it. */
const READ_EVERY: Record<BackendName, number> = { webgpu: 10, wasm: 1, cpu: 1 }

/** On a GPU memory is what runs out: blocks compute their way again. Elsewhere time is. */
const CHECKPOINTING: Record<BackendName, Checkpointing> = { webgpu: 'block', wasm: 'none', cpu: 'none' }

export interface Effort {
  /** Readings that are thrown away, and readings that count. */
  warmup: number
  groups: number
  /** After this time no further group is begun. */
  seconds: number
}

export interface StepFigures {
  tokens: number
  batch: number
  length: number
  /** Median of the groups; null where nothing was executed. */
  secondsPerStep: number | null
  losses: number[]
  /** What one step sends to the GPU, a mean of the groups. */
  counts: Counts
  /** Of a step that is computed call by call: a replayed one has the same dispatches, and no blocks. */
  blocks: BlockDispatches | null
  /** Seconds that JavaScript takes for a step, waiting not counted: replayed, and computed call by call. */
  hostSeconds: { replayed: number | null; computed: number }
  /** Dispatches of a step that belong to no block. */
  outside: number | null
  /** Most bytes held at once, the base included, and what the product's estimate says. */
  peakBytes: number
  estimateBytes: number
  /** Operations of one step with what is recomputed, and without. */
  flops: number
  usefulFlops: number
}

export interface LoadedShape {
  model: Transformer
  source: WeightSource
  precision: Precision
  backend: BackendName
  rowTokens: number
  /** Bytes on the device before the model came. */
  baseline: number
}

export async function loadShape(
  name: ShapeName,
  precision: Precision,
  backend: BackendName,
): Promise<LoadedShape> {
  const { config, rowTokens } = SHAPES[name]
  const { family, architecture } = recogniseModel(config)
  const source = randomWeights(family, architecture)
  releaseFreeBuffers()
  const baseline = heldBytes(backend)
  const model = await loadTransformer(family, architecture, source, watchedOps(opsFor(backend)), {
    precision,
  })
  return { model, source, precision, backend, rowTokens, baseline }
}

export function unload({ model }: LoadedShape): void {
  model.dispose()
  releaseFreeBuffers()
}

/** Rows and their length for a number of tokens. */
export function rowsFor({ rowTokens }: LoadedShape, tokens: number): { batch: number; length: number } {
  const length = Math.min(rowTokens, tokens)
  return { batch: Math.max(1, Math.round(tokens / length)), length }
}

export async function measureStep(
  loaded: LoadedShape,
  tokens: number,
  { warmup, groups, seconds }: Effort,
  {
    dry = false,
    method = 'lora',
    checkpointing = CHECKPOINTING[loaded.backend],
  }: { dry?: boolean; method?: AdapterConfig['method']; checkpointing?: Checkpointing } = {},
): Promise<StepFigures> {
  const { model, precision, backend } = loaded
  const { family, architecture } = model
  const { batch, length } = rowsFor(loaded, tokens)
  const adapter = defaultAdapter({ method, r: RANK, alpha: 2 * RANK })
  const readEvery = READ_EVERY[backend]
  const computed = await computedSteps(loaded, adapter, batch, length, checkpointing)
  releaseFreeBuffers()
  resetPeak()
  resetPool()

  // Of replayed steps numbers come while the next steps go on: `step` is what had been handed over by then.
  const readings: { at: number; step: number; counts: Counts }[] = []
  const losses: number[] = []
  const started = performance.now()
  watchHost()
  const trainer: Trainer = await makeTrainer(
    loaded,
    adapter,
    batch,
    length,
    (warmup + groups) * readEvery,
    (steps) => {
      losses.push(...steps)
      readings.push({ at: performance.now(), step: trainer.step, counts: snapshot() })
      // What the first steps compile, upload and record is not counted.
      if (readings.length === warmup) watchHost()
      if (readings.length > warmup + 1 && performance.now() - started > seconds * 1000) trainer.stop()
    },
    { checkpointing },
  )
  let recorded: boolean
  try {
    await trainer.run()
    recorded = trainer.recorded
  } finally {
    trainer.dispose()
  }
  const host = hostSeconds()
  const measured = readings.slice(Math.max(0, warmup - 1))
  const [first, last] = [measured[0]!, measured.at(-1)!]
  const counts = between(first.counts, last.counts, last.step - first.step)
  const { blocks } = computed
  const times = differences(measured.map(({ at }) => at / 1000)).map((time) => time / readEvery)
  const { forward, backward, recompute } = stepFlops(family, architecture, { batch, length, r: RANK })
  const request = {
    labels: null,
    adapter,
    batchSize: batch,
    maxLength: length,
    checkpointing,
  }
  const inBlocks = blocks && blocks.forward + blocks.recompute + blocks.backward
  return {
    tokens: batch * length,
    batch,
    length,
    secondsPerStep: dry ? null : median(times),
    losses,
    counts,
    blocks,
    hostSeconds: recorded
      ? { replayed: host, computed: computed.hostSeconds }
      : { replayed: null, computed: host },
    outside: inBlocks === null ? null : counts.dispatches - inBlocks * architecture.layers,
    peakBytes: peakOf(backend) - loaded.baseline,
    estimateBytes: estimateMemory(family, architecture, request, precision, { backend, bytes: 1e12 }).bytes,
    flops: forward + backward + recompute,
    usefulFlops: forward + backward,
  }
}

/** Steps of the same shape that are not recorded: which dispatches belong to blocks, and what JavaScript takes for them. */
async function computedSteps(
  loaded: LoadedShape,
  adapter: AdapterConfig,
  batch: number,
  length: number,
  checkpointing: Checkpointing,
): Promise<{ blocks: BlockDispatches | null; hostSeconds: number }> {
  forgetBlocks()
  const warmup = 1
  const steps = warmup + 2
  const trainer: Trainer = await makeTrainer(
    loaded,
    adapter,
    batch,
    length,
    steps,
    () => {
      if (trainer.step === warmup) watchHost()
    },
    { recorded: false, readEvery: 1, checkpointing },
  )
  try {
    await trainer.run()
  } finally {
    trainer.dispose()
  }
  return { blocks: blockDispatches(), hostSeconds: hostSeconds() }
}

/** A run whose every step takes the same rows; `onReading` gets the losses of the steps since the last reading. */
export async function makeTrainer(
  { model, source, backend }: LoadedShape,
  adapter: AdapterConfig,
  batch: number,
  length: number,
  steps: number,
  onReading: (losses: number[]) => void,
  options: Partial<TrainerOptions> = {},
): Promise<Trainer> {
  const { family, architecture } = model
  const plan = planAdapter(family, architecture, adapter, null)
  const ids = randomIds(batch, length, architecture.vocab)
  return new Trainer({
    model,
    plan,
    initial: await initialParameters(plan, adapter, 1, baseValues(model, source)),
    dropout: 0,
    training: defaultTraining({ hidden: architecture.hidden, context: architecture.context }, 'complete', {
      steps,
      batchSize: batch,
      learningRate: 1e-3,
      schedule: 'constant',
      warmup: 0,
      clip: 0,
      maxLength: length,
      shuffle: false,
      seed: 1,
      checkpointEvery: 1_000_000,
    }),
    checkpointing: CHECKPOINTING[backend],
    labels: null,
    padId: 0,
    train: {
      rows: batch,
      get: (places) => Promise.resolve(places.map((place) => ({ ids: ids[place]!, labels: ids[place]! }))),
    },
    validation: null,
    turns: new Turns(),
    hooks: {
      entries: (entries) => onReading(entries.map(({ loss }) => loss)),
      validation: () => undefined,
      checkpoint: () => Promise.resolve(true),
    },
    readEvery: READ_EVERY[backend],
    ...options,
  })
}

function heldBytes(backend: BackendName): number {
  return backend === 'webgpu' ? bufferBytes().live : memoryUse().gpuBytes
}

function peakOf(backend: BackendName): number {
  return backend === 'webgpu' ? bufferBytes().peak : memoryUse().peakGpuBytes
}
