// The fallback beside PyTorch on the processor: Graft-7M, 1,024 tokens a step, both with two threads and float32, round
// by round in turn, because a machine is seldom equally fast for long. Threads need a cross-origin-isolated page (tfjs's
// binary has them in browsers only), so this part runs in Chromium always.
import type { Channel, Place } from './channels.ts'
import { failure } from './measureGpu.ts'
import type { Beside, Failed } from './results.ts'
import { otherWork } from './otherWork.ts'
import { openTorch } from './torch.ts'

const SHAPE = 'graft-7m'
const TOKENS = 1024
const ROUNDS = 5
const THREADS = 2
/** Steps that count in a round, after one that does not. */
const STEPS = 3

/** Seconds of a step: the median of some after one that does not count. */
async function stepSeconds(channel: Channel): Promise<number> {
  const effort = { warmup: 1, groups: STEPS, seconds: 600 }
  const [figures] = await channel.run({
    kind: 'steps',
    shape: SHAPE,
    precision: 'f32',
    tokens: [TOKENS],
    effort,
    dry: false,
  })
  return figures!.secondsPerStep!
}

export async function measureWasm(
  place: Place,
  python: string,
  say: (text: string) => void,
): Promise<Beside | Failed> {
  const channel = await place.open()
  const single = await place.open()
  try {
    const { description } = await channel.run({ kind: 'start', backend: 'wasm', threads: THREADS })
    const one = await single.run({ kind: 'start', backend: 'wasm', threads: 1 })
    // Without the reason for having one.
    const alone = one.description.split('. ')[0]!
    say(`WASM in ${place.title}: ${description}; ${alone}`)
    const torch = await openTorch(python, SHAPE, TOKENS, 'cpu')
    try {
      const beside: Beside = {
        date: new Date().toISOString(),
        otherWork: [],
        shape: SHAPE,
        tokens: TOKENS,
        graft: { seconds: [], adapter: description },
        alone: { seconds: [], adapter: alone },
        torch: { seconds: [], device: torch.about.device, version: torch.about.torch },
      }
      for (let round = 0; round < ROUNDS; round++) {
        const ours = await stepSeconds(channel)
        beside.graft.seconds.push(ours)
        beside.otherWork.push(await otherWork())
        beside.alone!.seconds.push(await stepSeconds(single))
        const [, ...theirs] = (await torch.steps(STEPS + 1)).seconds
        beside.torch.seconds.push(...theirs)
        beside.otherWork.push(await otherWork())
        say(`round ${round + 1} of ${ROUNDS}: Graft ${ours.toFixed(2)} s, PyTorch ${theirs[0]!.toFixed(2)} s`)
      }
      return beside
    } finally {
      torch.close()
    }
  } catch (error) {
    return failure(error)
  } finally {
    await channel.close()
    await single.close()
  }
}
