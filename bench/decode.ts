// Writing one token after another with the key-value cache, as the product does (generate/generate.ts).
import { decode } from '../src/core/generate/generate.ts'
import { GREEDY } from '../src/core/generate/sampler.ts'
import { weightBytes } from '../src/core/train/memory.ts'
import { Turns } from '../src/core/turns.ts'
import { between, snapshot, type Counts } from './counters.ts'
import type { LoadedShape } from './graft.ts'
import { randomIds } from './randomWeights.ts'
import { differences, median } from './statistics.ts'

const PROMPT = 16
/** Tokens that are thrown away: the first ones compile kernels and grow the pool. */
const WARMUP = 8

export interface DecodeFigures {
  prompt: number
  tokens: number
  /** Median time of a token; null where nothing was executed. */
  secondsPerToken: number | null
  /** What one token sends to the GPU. */
  counts: Counts
  /** Bytes that a token cannot do without: all weights once, keys and values in the middle of the answer. */
  bytesPerToken: number
}

export async function measureDecode(
  { model, precision }: LoadedShape,
  tokens: number,
  dry: boolean,
): Promise<DecodeFigures> {
  const { family, architecture: a } = model
  const prompt = Math.min(PROMPT, Math.floor(a.context / 2))
  const wanted = Math.min(tokens, a.context - prompt)
  const times: number[] = []
  const seen: Counts[] = []
  await decode({
    model,
    adaptation: () => null,
    turns: new Turns(),
    prompt: randomIds(1, prompt, a.vocab)[0]!,
    maxTokens: wanted,
    endIds: new Set(),
    sampling: GREEDY,
    onToken() {
      times.push(performance.now())
      seen.push(snapshot())
      return false
    },
  })
  const begin = Math.min(WARMUP, times.length - 3)
  const cached = 2 * 4 * a.layers * a.keyValueHeads * a.headSize * (prompt + wanted / 2)
  return {
    prompt,
    tokens: wanted,
    secondsPerToken: dry ? null : median(differences(times.slice(begin))) / 1000,
    // While the last token is read, no further one is computed.
    counts: between(seen[begin]!, seen.at(-2)!, seen.length - 2 - begin),
    bytesPerToken: weightBytes(family, a, precision) - ropeBytes(a) + cached,
  }
}

/** Rotary tables are part of the weights, but a token reads one row of them. */
function ropeBytes({ positions, context, headSize }: LoadedShape['model']['architecture']): number {
  return positions.kind === 'rope' ? positions.tables.length * 4 * context * headSize : 0
}
