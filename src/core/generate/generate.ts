// Decoding with a key-value cache: the prompt once, then one token at a time, each a turn of the engine.
import { dispose, slice, tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError, throwIfAborted } from '../../protocol/errors.ts'
import { disposeCaches, type Transformer } from '../models/transformer.ts'
import type { Adaptation } from '../nn/adaptation.ts'
import type { KeyValueCache } from '../nn/block.ts'
import { AttentionLayout } from '../ops/layout.ts'
import type { Turns } from '../turns.ts'
import { sample, type SamplingSettings } from './sampler.ts'

export interface DecodeOptions {
  model: Transformer
  adaptation: () => Adaptation | null
  turns: Turns
  prompt: readonly number[]
  maxTokens: number
  endIds: ReadonlySet<number>
  sampling: SamplingSettings
  /** Called with every new token; true ends the answer. */
  onToken(ids: readonly number[]): boolean
  signal?: AbortSignal
}

export interface Decoded {
  ids: number[]
  stopReason: 'end' | 'stop' | 'length'
}

/** Decodes until an end token, a stop, or the token or context limit. */
export async function decode(options: DecodeOptions): Promise<Decoded> {
  const { model, turns, prompt, maxTokens, endIds, sampling, signal } = options
  const { context } = model.architecture
  if (prompt.length === 0)
    throw new GraftError('E_ARGUMENT', 'The prompt is empty. Write at least one character.')
  if (prompt.length > context)
    throw new GraftError(
      'E_LIMIT',
      `The prompt has ${prompt.length} tokens; this model reads at most ${context}. Shorten it.`,
      { tokens: prompt.length, context },
    )
  const caches = model.emptyCaches()
  const ids: number[] = []
  let next: readonly number[] = prompt
  let seen = 0
  // One adapter for the whole answer: the cache would mix two otherwise.
  const adaptation = options.adaptation()
  try {
    while (ids.length < maxTokens && seen + next.length <= context) {
      throwIfAborted(signal)
      const logits = await turns.take(() => step(model, next, seen, caches, adaptation))
      seen += next.length
      const id = sample(logits, sampling, ids.length)
      if (endIds.has(id)) return { ids, stopReason: 'end' }
      ids.push(id)
      if (options.onToken(ids)) return { ids, stopReason: 'stop' }
      next = [id]
    }
    return { ids, stopReason: 'length' }
  } finally {
    disposeCaches(caches)
  }
}

/** Feeds tokens that follow `seen` cached ones; the logits [V] after the last. */
async function step(
  model: Transformer,
  tokens: readonly number[],
  seen: number,
  caches: KeyValueCache[],
  adaptation: Adaptation | null,
): Promise<Float32Array> {
  const positions = Int32Array.from(tokens, (_, t) => seen + t)
  const layout = new AttentionLayout({
    batch: 1,
    queryPositions: positions,
    querySegments: new Int32Array(tokens.length),
    keyPositions: Int32Array.from({ length: seen + tokens.length }, (_, t) => t),
    keySegments: new Int32Array(seen + tokens.length),
  })
  const positionTensor = tensor1d(positions, 'int32')
  const ids = tensor1d(Int32Array.from(tokens), 'int32')
  const pass = model.pass({ layout, positions: positionTensor }, adaptation)
  let logits: Tensor
  try {
    logits = tidy(() => {
      const x = model.forward(model.embed(ids, pass), pass, caches) // [T, d]
      const last = slice(x, [tokens.length - 1, 0], [1, x.shape[1]!])
      return model.head.logits(model.final(last, pass).y, pass)
    })
  } finally {
    dispose([ids, positionTensor])
    layout.dispose()
  }
  const values = (await logits.data()) as Float32Array
  logits.dispose()
  return values
}
