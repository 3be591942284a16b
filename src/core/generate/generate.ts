// Decoding with a key-value cache: the prompt once, then one token at a time, each a turn of the engine.
import { dispose, slice, tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError, throwIfAborted } from '../../protocol/errors.ts'
import type { Transformer } from '../models/transformer.ts'
import type { Adaptation } from '../nn/adaptation.ts'
import { AttentionLayout } from '../ops/layout.ts'
import type { KeyValueCache } from '../ops/step.ts'
import type { Turns } from '../turns.ts'
import { sample, type SamplingSettings } from './sampler.ts'
import { DeviceWriter } from './writer.ts'

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

/** Where an answer's tokens come from, one after another, as far as they are asked for. */
export interface Writer {
  next(): Promise<number>
  dispose(): Promise<void> | void
}

/** Decodes until an end token, a stop, or the token or context limit. */
export async function decode(options: DecodeOptions): Promise<Decoded> {
  const { model, prompt, maxTokens, endIds, signal } = options
  const { context } = model.architecture
  if (prompt.length === 0)
    throw new GraftError('E_ARGUMENT', 'The prompt is empty. Write at least one character.')
  if (prompt.length > context)
    throw new GraftError(
      'E_LIMIT',
      `The prompt has ${prompt.length} tokens; this model reads at most ${context}. Shorten it.`,
      { tokens: prompt.length, context },
    )
  // The context's last token has a successor still, which nobody reads.
  const limit = Math.min(maxTokens, context - prompt.length + 1)
  const caches = model.emptyCaches(Math.min(context, prompt.length + limit))
  let writer: Writer | null = null
  const ids: number[] = []
  try {
    writer = model.ops.step ? new DeviceWriter(options, caches, limit) : hostWriter(options, caches)
    while (ids.length < limit) {
      throwIfAborted(signal)
      const id = await writer.next()
      if (endIds.has(id)) return { ids, stopReason: 'end' }
      ids.push(id)
      if (options.onToken(ids)) return { ids, stopReason: 'stop' }
    }
    return { ids, stopReason: 'length' }
  } finally {
    await writer?.dispose()
    for (const cache of caches) cache.dispose()
  }
}

/** Each token's logits are read and the next one is drawn here: for backends whose numbers are in JavaScript's reach. */
function hostWriter(options: DecodeOptions, caches: KeyValueCache[]): Writer {
  const { model, turns, prompt, sampling } = options
  // One adapter for the whole answer: the cache would mix two otherwise.
  const adaptation = options.adaptation()
  const text = [...prompt]
  let read = 0
  return {
    async next() {
      const logits = await turns.take(async () => {
        const made = readTokens(model, text.slice(read), read, caches, adaptation)
        try {
          return (await made.data()) as Float32Array
        } finally {
          made.dispose()
        }
      })
      read = text.length
      const id = sample(logits, sampling, text.length - prompt.length, text)
      text.push(id)
      return id
    },
    dispose: () => undefined,
  }
}

/** Feeds tokens that follow `seen` cached ones; the logits [1, V] after the last. */
export function readTokens(
  model: Transformer,
  tokens: readonly number[],
  seen: number,
  caches: KeyValueCache[],
  adaptation: Adaptation | null,
): Tensor {
  const positions = Int32Array.from(tokens, (_, t) => seen + t)
  const querySegments = new Int32Array(tokens.length)
  const layout = new AttentionLayout({ batch: 1, queryPositions: positions, querySegments })
  const positionTensor = tensor1d(positions, 'int32')
  const ids = tensor1d(Int32Array.from(tokens), 'int32')
  const pass = model.pass({ layout, positions: positionTensor }, adaptation)
  try {
    return tidy(() => {
      const x = model.forward(model.embed(ids, pass), pass, caches) // [T, d]
      const last = slice(x, [tokens.length - 1, 0], [1, x.shape[1]!])
      return model.head.logits(model.final(last, pass).y, pass)
    })
  } finally {
    dispose([ids, positionTensor])
    layout.dispose()
  }
}
