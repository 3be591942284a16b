// Everything that is measured on one WebGPU adapter. Each base that is timed gets a process of its own: an empty device,
// and a case that does not fit ends with itself.
import { PRECISIONS } from '../src/protocol/model.ts'
import type { Channel, Place } from './channels.ts'
import type { Effort } from './graft.ts'
import type { Adapter, Job } from './jobs.ts'
import type { BenchResults, Beside, Failed } from './results.ts'
import type { ShapeName } from './shapes.ts'
import { otherWork } from './otherWork.ts'
import { openTorch } from './torch.ts'

type Gpu = NonNullable<BenchResults['gpu']>

const BASES: readonly ShapeName[] = ['graft-7m', 'smollm2-135m', 'qwen2.5-0.5b']
const TOKENS = [256, 1024, 4096]
/** What is counted and not executed differs between precisions in memory alone: one size tells. */
const COUNTED_TOKENS = [1024]
/** One reading without and one with counting is enough where nothing is executed: every step sends the same. */
const DRY: Effort = { warmup: 1, groups: 1, seconds: 600 }
const MEASURED: Effort = { warmup: 1, groups: 5, seconds: 60 }
/** One step at a time, each read. */
const STOCK: Record<'dry' | 'measured', Effort> = {
  dry: { warmup: 2, groups: 1, seconds: 600 },
  measured: { warmup: 3, groups: 10, seconds: 60 },
}
/** Where there is no GPU its memory is the machine's: the stock step of Qwen2.5-0.5B would take all of it. */
const COUNTED_STOCK = { bases: ['graft-7m', 'smollm2-135m'] as readonly ShapeName[], tokens: 256 }
const STOCK_TOKENS = 1024
const CEILING_SIZES = [1024, 2048, 4096]
const DECODED = { dry: 24, measured: 128 }
const PEER_SECONDS = 20
/** Steps of the executed comparison with stock tfjs on a tiny model, and its tokens. */
const AGREED = { steps: 6, tokens: 32 }
/** A thousand steps. */
const FLAT = { shape: 'graft-7m', passes: 25 } as const
const TORCH = { shape: 'smollm2-135m', tokens: 1024, steps: 20 } as const

export interface GpuSettings {
  quick: boolean
  python: string
  say(text: string): void
}

export async function measureGpu(place: Place, { quick, python, say }: GpuSettings): Promise<Gpu> {
  const first = await openStarted(place)
  const { adapter } = first
  say(
    `${place.title}: ${adapter.description}${adapter.software ? ' (software adapter: speeds are not measured)' : ''}`,
  )
  const dry = quick || adapter.software
  const ceiling = dry ? null : await first.channel.run({ kind: 'ceiling', sizes: CEILING_SIZES })
  await first.channel.close()

  // Compiling kernels is what an adapter made of software takes longest for: counting goes on in one process.
  let shared: Channel | null = null
  /** Runs jobs in a fresh process, or when counting in that of the last ones; a failure becomes its first line. */
  const attempt = async <T>(title: string, work: (channel: Channel) => Promise<T>): Promise<T | Failed> => {
    say(title)
    try {
      shared ??= (await openStarted(place)).channel
      return await work(shared)
    } catch (error) {
      await shared?.close()
      shared = null
      return failure(error)
    } finally {
      if (!dry) {
        await shared?.close()
        shared = null
      }
    }
  }
  const effort = dry ? DRY : MEASURED
  const steps: Gpu['steps'] = []
  const decode: Gpu['decode'] = []
  const tuning: NonNullable<Gpu['tuning']> = []
  for (const shape of BASES)
    for (const precision of PRECISIONS) {
      const found = await attempt(`${shape}, ${precision}`, async (channel) => ({
        steps: await channel.run({
          kind: 'steps',
          shape,
          precision,
          tokens: dry && precision !== 'f32' ? COUNTED_TOKENS : TOKENS,
          effort,
          dry,
        }),
        decode: await channel.run({
          kind: 'decode',
          shape,
          precision,
          tokens: dry ? DECODED.dry : DECODED.measured,
          dry,
        }),
        tuning: await channel.run({ kind: 'tuning' }),
      }))
      if ('failed' in found) steps.push({ shape, precision, ...found })
      else {
        steps.push(...found.steps.map((figures) => ({ shape, precision, figures })))
        decode.push({ shape, precision, figures: found.decode })
        if (!dry) tuning.push(...found.tuning.map((tuned) => ({ shape, precision, ...tuned })))
      }
    }

  const stock: Gpu['stock'] = []
  for (const shape of dry ? COUNTED_STOCK.bases : BASES) {
    const tokens = dry ? COUNTED_STOCK.tokens : STOCK_TOKENS
    const job: Job = { kind: 'stock', shape, tokens, effort: STOCK[dry ? 'dry' : 'measured'], dry }
    const found = await attempt(`${shape} in stock tfjs`, (channel) => channel.run(job))
    stock.push('failed' in found ? { shape, ...found } : { shape, figures: found })
  }

  const nanogpt: Gpu['nanogpt'] = []
  for (const method of ['full', 'lora'] as const) {
    const found = await attempt(`@genai-fi/nanogpt, ${method}`, async (channel) => {
      const [graft] = await channel.run({
        kind: 'steps',
        shape: 'nanogpt',
        precision: 'f32',
        tokens: [4096],
        effort,
        dry,
        method,
      })
      const other = await place.open('peer')
      try {
        return {
          peer: await other.run({ kind: 'nanogpt', seconds: PEER_SECONDS, method, dry }),
          graft: graft!,
        }
      } finally {
        await other.close()
      }
    })
    nanogpt.push({ method, ...found })
  }

  const agreement = await attempt('a tiny model, executed, in Graft and in stock tfjs', async (channel) => {
    const { steps: groups, tokens } = AGREED
    const common = { shape: 'tiny', effort: { warmup: 0, groups, seconds: 600 }, dry: false } as const
    const theirs = await channel.run({ kind: 'stock', ...common, tokens })
    const [ours] = await channel.run({
      kind: 'steps',
      ...common,
      effort: { warmup: 1, groups: 1, seconds: 600 },
      precision: 'f32',
      tokens: [tokens],
    })
    return { graft: ours!.losses.slice(0, groups), stock: theirs.losses }
  })

  // Executed or not, the same memory is asked for.
  const flat = await attempt('a thousand steps of mixed lengths', (channel) =>
    channel.run({ kind: 'flat', ...FLAT, dry: true }),
  )

  await (shared as Channel | null)?.close()
  return {
    date: new Date().toISOString(),
    place: place.title,
    adapter,
    dry,
    ceiling,
    steps,
    tuning,
    decode,
    stock,
    nanogpt,
    agreement,
    flat,
    torch: await besideTorch(adapter, dry, steps, python, say),
  }
}

async function openStarted(place: Place): Promise<{ channel: Channel; adapter: Adapter }> {
  const channel = await place.open()
  try {
    return { channel, adapter: await channel.run({ kind: 'start', backend: 'webgpu' }) }
  } catch (error) {
    await channel.close()
    throw error
  }
}

/** PyTorch on the same GPU, where it has one. */
async function besideTorch(
  adapter: Adapter,
  dry: boolean,
  steps: Gpu['steps'],
  python: string,
  say: (text: string) => void,
): Promise<Beside | Failed> {
  if (dry) return { failed: 'the adapter is made of software, or nothing was executed' }
  const { shape, tokens } = TORCH
  const ours = steps.find(
    (each) =>
      'figures' in each && each.shape === shape && each.precision === 'f32' && each.figures.tokens === tokens,
  )
  if (!ours || 'failed' in ours || ours.figures.secondsPerStep === null)
    return { failed: 'Graft has no figure for this case' }
  say('PyTorch + peft on the same GPU')
  try {
    const torch = await openTorch(python, shape, tokens, 'cuda')
    try {
      const { seconds } = await torch.steps(TORCH.steps)
      return {
        date: new Date().toISOString(),
        otherWork: [await otherWork()],
        shape,
        tokens,
        graft: { seconds: [ours.figures.secondsPerStep], adapter: adapter.description },
        torch: { seconds, device: torch.about.device, version: torch.about.torch },
      }
    } finally {
      torch.close()
    }
  } catch (error) {
    return failure(error)
  }
}

export function failure(error: unknown): Failed {
  const [line] = (error instanceof Error ? error.message : String(error)).split('\n')
  return { failed: line!.replace(/\.$/, '') }
}
