// @genai-fi/nanogpt, the peer on the same stack (tfjs with kernels of its own), trained through its public interface at
// its own default size and batch. It is no dependency of Graft: `npm ci --prefix bench/peers --ignore-scripts` installs it.
// It carries a copy of tfjs that shares a global engine with ours, so it runs in a process (or worker) of its own.
import { between, bufferBytes, install, runDry, snapshot, type Counts } from './counters.ts'
import { median } from './statistics.ts'

export interface NanogptFigures {
  parameters: number
  tokens: number
  secondsPerStep: number | null
  counts: Counts
  peakBytes: number
}

interface LogEntry {
  step: number
  totalTokens: number
  trainingMetrics: { loss: number }
}
interface TrainingJob {
  id: string
  state: string
  history: LogEntry[]
}

/** The part of the package's interface that is used here. */
interface Nanogpt {
  TeachableLLM: {
    selectBackend(name: string): Promise<void>
    create(tokeniser: 'char', config: Record<string, unknown>): Llm
  }
}
interface Llm {
  getNumParams(): number
  trainTokeniser(streams: unknown[]): Promise<number>
  on(event: 'loaded', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  training: {
    job(options: Record<string, unknown>, data: Uint16Array[], datasets: unknown[]): Promise<TrainingJob>
    on(event: 'progress', listener: (job: TrainingJob) => void): void
    on(event: 'cancelled' | 'completed', listener: () => void): void
    on(event: 'error', listener: (id: string, error: Error) => void): void
    cancel(id?: string): void
  }
}

/** What `TeachableLLM` takes where nothing is chosen (dist/models/config.js of 1.3.0), and its trainer's batch. */
const CONFIG = {
  modelType: 'GenAI_NanoGPT_v2',
  vocabSize: 2000,
  blockSize: 128,
  nLayer: 6,
  nHead: 4,
  nEmbed: 256,
  mlpFactor: 4,
}
export const NANOGPT_BATCH = 32
/** Readings that are thrown away. */
const WARMUP = 3
/** Readings that count in a dry run, where time means nothing. */
const DRY_READINGS = 3
/** Milliseconds between two readings of the loss; its default is 200. */
const LOG_MS = { measured: 200, dry: 1 }

const modules = import.meta.glob('./peers/node_modules/@genai-fi/nanogpt/dist/main.js')

export interface NanogptRequest {
  seconds: number
  method: 'full' | 'lora'
  dry: boolean
}

export async function runJob({ seconds, method, dry }: NanogptRequest): Promise<NanogptFigures> {
  install()
  const [load] = Object.values(modules)
  if (!load) throw new Error('not installed: npm ci --prefix bench/peers --ignore-scripts')
  playBrowser()
  const { TeachableLLM } = (await load()) as Nanogpt
  await TeachableLLM.selectBackend('webgpu')
  const llm = TeachableLLM.create('char', CONFIG)
  await new Promise<void>((resolve, reject) => {
    llm.on('loaded', resolve)
    llm.on('error', reject)
  })
  const characters = Array.from({ length: 64 }, (_, i) => String.fromCharCode(97 + i)).join('')
  const stream = [[{ role: 'text', content: characters }]]
  await llm.trainTokeniser([
    {
      begin: (take: (conversations: unknown) => void) =>
        Promise.resolve(stream.forEach((each) => take(each))),
    },
  ])
  const tokens = Uint16Array.from({ length: 64 * CONFIG.blockSize * NANOGPT_BATCH }, (_, i) => (i * 31) % 60)
  const readings: { at: number; step: number; counts: Counts }[] = []
  const { training } = llm
  const ended = new Promise<void>((resolve, reject) => {
    const started = performance.now()
    training.on('cancelled', resolve)
    training.on('completed', resolve)
    training.on('error', (_id, error) => reject(error))
    training.on('progress', (job) => {
      const step = (job.history.at(-1)?.totalTokens ?? 0) / (NANOGPT_BATCH * CONFIG.blockSize)
      readings.push({ at: performance.now() / 1000, step, counts: snapshot() })
      const late = performance.now() - started > seconds * 1000
      if (dry ? readings.length > WARMUP + DRY_READINGS : late && readings.length > WARMUP + 2)
        training.cancel(job.id)
    })
  })
  runDry(dry)
  try {
    const lora = { rank: 16, alpha: 32, variables: ['block_*_cAttn', 'block_*_cProj', 'block_*_mlp*'] }
    await training.job(
      {
        method: method === 'full' ? { type: 'pretraining' } : { type: 'supervised', supervised: 'lora' },
        ...(method === 'lora' && { loraName: 'bench', loraConfig: lora, maskedLoss: false }),
        batchSize: NANOGPT_BATCH,
        maxEpochs: 1_000_000,
        logInterval: dry ? LOG_MS.dry : LOG_MS.measured,
      },
      [tokens],
      [{ id: 'bench', name: 'bench', conversational: false }],
    )
    await ended
  } finally {
    runDry(false)
  }
  const measured = readings.slice(WARMUP)
  const [first, last] = [measured[0]!, measured.at(-1)!]
  const times = measured
    .slice(1)
    .map(({ at, step }, i) => (at - measured[i]!.at) / Math.max(1, step - measured[i]!.step))
  return {
    parameters: llm.getNumParams(),
    tokens: NANOGPT_BATCH * CONFIG.blockSize,
    secondsPerStep: dry ? null : median(times),
    counts: between(first.counts, last.counts, last.step - first.step),
    peakBytes: bufferBytes().peak,
  }
}

/**
 * What the package expects of a browser. Its bundle of tfjs cannot run where it believes to be in Node (that part asks for
 * a `require` that is not there), and it uses iterator helpers, which Node has from version 22 on.
 */
function playBrowser(): void {
  const iterator = Object.getPrototypeOf(Object.getPrototypeOf(new Map().values())) as {
    reduce?: (
      this: Iterable<unknown>,
      add: (sum: unknown, each: unknown) => unknown,
      start: unknown,
    ) => unknown
  }
  iterator.reduce ??= function (add, start) {
    return [...this].reduce(add, start)
  }
  const scope = globalThis as { window?: unknown; document?: unknown; WorkerGlobalScope?: unknown }
  if (scope.window !== undefined || scope.WorkerGlobalScope !== undefined) return
  scope.window = globalThis
  scope.document = {}
}
