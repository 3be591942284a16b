// One frame of a film: a text's attention in every head, what each token does to the explained score (gradient x input),
// and the likeliest outputs, of a model as it stands. Attention is kept in float16: 0 and 1 stay exact, everything else is
// within 2.5e-4 (half a unit in the last place below 1), relatively within 2^-11; a byte would be off by eight times that
// and would draw steps into differences of a percent.
import { FILM_OUTPUTS, type FilmMap, type FilmOutput } from '../../protocol/explain.ts'
import { float16ToFloat32 } from '../../formats/half.ts'
import { greedy } from '../generate/sampler.ts'
import { halfBits } from '../ops/quantise/f16.ts'
import { answers } from './answers.ts'
import { inspectAttention } from './inspect.ts'
import { saliency } from './saliency.ts'
import type { Asked } from './subject.ts'

/** What is filmed: a text, the token its answer is read from, and the output that is explained (null: the likeliest). */
export interface Scene {
  ids: readonly number[]
  position: number
  output: number | null
}

export interface Shot {
  attention: Float32Array | null
  saliency: Float32Array | null
  /** Index of the output that saliency explains. */
  explained: number
  outputs: FilmOutput[]
}

/** Takes one frame. `nameOf`: what an output is called. */
export async function filmShot(
  asked: Asked,
  { ids, position, output }: Scene,
  maps: readonly FilmMap[],
  nameOf: (index: number) => string,
  signal?: AbortSignal,
): Promise<Shot> {
  const { model, trainable, turns, padId } = asked
  const { logits, logSums } = await answers(asked, [{ ids, position }], 'all', signal ? { signal } : {})
  const explained = output ?? greedy(logits)
  const attention = maps.includes('attention')
    ? await turns.take(() => inspectAttention(model, ids, trainable, padId, undefined, signal))
    : null
  const subject = { ...asked, ids, explained: { index: explained, contrast: null, position }, fixed: NONE }
  const scores = maps.includes('saliency')
    ? (await saliency(subject, { method: 'gradientXInput', ...(signal && { signal }) })).scores
    : null
  return {
    attention,
    saliency: scores,
    explained,
    outputs: likeliest(logits, logSums[0]!, explained, nameOf),
  }
}

/** Saliency reads tokens as they are. */
const NONE = new Uint8Array(0)

/** The likeliest outputs, the likeliest first, equals by index; the explained one takes the last place where it is none of
 *  them. */
function likeliest(
  logits: Float32Array,
  logSum: number,
  explained: number,
  nameOf: (index: number) => string,
): FilmOutput[] {
  const order: number[] = []
  logits.forEach((logit, index) => {
    let at = order.length
    while (at > 0 && logits[order[at - 1]!]! < logit) at--
    if (at < FILM_OUTPUTS) order.splice(at, 0, index)
    if (order.length > FILM_OUTPUTS) order.pop()
  })
  if (!order.includes(explained)) order[order.length - 1] = explained
  return order.map((index) => ({
    name: nameOf(index),
    index,
    logit: logits[index]!,
    probability: Math.exp(logits[index]! - logSum),
  }))
}

export function packAttention(weights: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(weights, halfBits)
}

export function unpackAttention(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return float16ToFloat32(halves)
}

/** Bytes of the maps of a text of so many tokens. */
export function shotBytes(
  { layers, heads }: { layers: number; heads: number },
  tokens: number,
  maps: readonly FilmMap[],
): number {
  return (maps.includes('attention') ? 2 * layers * heads * tokens ** 2 : 0) + 4 * tokens
}
