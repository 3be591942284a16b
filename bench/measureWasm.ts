// The fallback beside PyTorch on the processor: Graft-7M, 1,024 tokens a step, both with two threads and float32, round
// by round in turn, because a machine is seldom equally fast for long. Threads need a cross-origin-isolated page (tfjs's
// binary has them in browsers only), so this part runs in Chromium always.
import type { Place } from './channels.ts'
import { failure } from './measureGpu.ts'
import type { Beside, Failed } from './results.ts'
import { otherWork } from './otherWork.ts'
import { openTorch } from './torch.ts'

const SHAPE = 'graft-7m'
const TOKENS = 1024
const ROUNDS = 5
/** Steps that count in a round, after one that does not. */
const STEPS = 3

export async function measureWasm(
  place: Place,
  python: string,
  say: (text: string) => void,
): Promise<Beside | Failed> {
  const channel = await place.open()
  try {
    const { description } = await channel.run({ kind: 'start', backend: 'wasm' })
    say(`WASM in ${place.title}: ${description}`)
    const torch = await openTorch(python, SHAPE, TOKENS, 'cpu')
    try {
      const beside: Beside = {
        date: new Date().toISOString(),
        otherWork: [],
        shape: SHAPE,
        tokens: TOKENS,
        graft: { seconds: [], adapter: description },
        torch: { seconds: [], device: torch.about.device, version: torch.about.torch },
      }
      for (let round = 0; round < ROUNDS; round++) {
        const effort = { warmup: 1, groups: STEPS, seconds: 600 }
        const [ours] = await channel.run({
          kind: 'steps',
          shape: SHAPE,
          precision: 'f32',
          tokens: [TOKENS],
          effort,
          dry: false,
        })
        beside.graft.seconds.push(ours!.secondsPerStep!)
        beside.otherWork.push(await otherWork())
        const [, ...theirs] = (await torch.steps(STEPS + 1)).seconds
        beside.torch.seconds.push(...theirs)
        beside.otherWork.push(await otherWork())
        say(
          `round ${round + 1} of ${ROUNDS}: Graft ${ours!.secondsPerStep!.toFixed(2)} s, PyTorch ${theirs[0]!.toFixed(2)} s`,
        )
      }
      return beside
    } finally {
      torch.close()
    }
  } catch (error) {
    return failure(error)
  } finally {
    await channel.close()
  }
}
