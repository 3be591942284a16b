// What a packed base costs: its logits and its perplexity beside those of the same weights in float32, on sample texts.
// The float32 model need not fit: its blocks are loaded one at a time, every text goes through, and the block is freed.
import {
  abs,
  dispose,
  max,
  slice,
  square,
  stack,
  sub,
  sum,
  tensor1d,
  tidy,
  type Tensor,
} from '@tensorflow/tfjs-core'
import { GraftError, throwIfAborted } from '../../protocol/errors.ts'
import type { Precision, PrecisionReport } from '../../protocol/model.ts'
import type { Architecture } from '../models/architecture.ts'
import { buildLayer, buildTransformer } from '../models/build.ts'
import { disposeTensors, loadTensors } from '../models/load.ts'
import { checkTensors } from '../models/tensors.ts'
import type { Transformer } from '../models/transformer.ts'
import type { WeightSource } from '../models/weights.ts'
import { tokenBatch, type TokenBatch } from '../nn/batch.ts'
import type { Turns } from '../turns.ts'

/** A text for the comparison. */
export interface ScoredText {
  ids: readonly number[]
  /** The token that each position should give: for a decoder the next one, for an encoder the one that was masked;
   *  -100 where none is asked for. */
  targets: readonly number[]
}

/** Tokens for a decoder: each position should give the next. */
export function nextTokens(ids: readonly number[]): ScoredText {
  return { ids, targets: [...ids.slice(1), -100] }
}

/** Every so many tokens of a text one is hidden from an encoder. */
const MASK_EVERY = 7

/**
 * Tokens for an encoder: some are hidden and should be given back.
 * @param inner the first token and the end of what may be hidden: not [CLS] and [SEP]
 */
export function maskedTokens(
  ids: readonly number[],
  maskId: number,
  [begin, end]: readonly [number, number],
): ScoredText {
  // From the middle of each stretch, so that every hidden token has neighbours on both sides.
  const hidden = (at: number) => at >= begin && at < end && (at - begin) % MASK_EVERY === MASK_EVERY >> 1
  return {
    ids: ids.map((id, at) => (hidden(at) ? maskId : id)),
    targets: ids.map((id, at) => (hidden(at) ? id : -100)),
  }
}

/** What is compared on where nobody brings texts: plain prose of several kinds. */
export const SAMPLE_TEXTS: readonly string[] = [
  'The river runs through the old part of the town, past the mill and under three stone bridges, before it reaches the sea.',
  'Thank you for your message. Your order was sent on Monday and should arrive within three working days.',
  'Plants take up water through their roots and carbon dioxide through their leaves, and with the energy of light they turn both into sugar.',
  'She opened the letter, read it twice, and put it back into the drawer without saying a word to anyone in the room.',
  'To make the dough, mix the flour with salt and yeast, add the warm water, and knead it for about ten minutes until it is smooth.',
]

/** The same weights in float32. */
export interface Reference {
  /** The model, or one of inputs, last norm and head alone. */
  ends: Transformer
  /** xs [T, d] of each text through all blocks, in place: [T, d] each; the list stays the caller's, also by a failure. */
  through(xs: Tensor[], batches: readonly TokenBatch[]): Promise<void>
  dispose(): void
}

/** A reference that is on the device already; it stays the caller's. */
export function residentReference(model: Transformer): Reference {
  return {
    ends: model,
    through(xs, batches) {
      // In place: whatever fails, the caller's list holds all that is there.
      for (const [i, batch] of batches.entries()) xs[i] = model.forward(xs[i]!, model.pass(batch, null))
      return Promise.resolve()
    },
    dispose: () => undefined,
  }
}

/**
 * A reference that holds one block at a time, and the tables.
 * Throws as `loadTransformer`, at once or from `through`.
 */
export async function streamedReference(
  { family, architecture, ops }: Pick<Transformer, 'family' | 'architecture' | 'ops'>,
  source: WeightSource,
  options: { turns?: Turns; onLayer?: (done: number, total: number) => void; signal?: AbortSignal } = {},
): Promise<Reference> {
  const { turns, onLayer, signal } = options
  const settings = { precision: 'f32', tables: 'f32', ...(signal && { signal }) } as const
  const specs = checkTensors(family, architecture, source)
  const load = (some: typeof specs) => loadTensors(family, architecture, source, some, settings)
  const outer = await load(specs.filter(({ layer }) => !(layer >= 0 && layer < architecture.layers)))
  const ends = buildTransformer(family, withoutLayers(architecture), outer, ops)
  return {
    ends,
    async through(xs, batches) {
      for (let layer = 0; layer < architecture.layers; layer++) {
        const loaded = await load(specs.filter((spec) => spec.layer === layer))
        try {
          const block = buildLayer(family, architecture, layer, loaded, [...ends.ropes])
          for (const [i, batch] of batches.entries()) {
            throwIfAborted(signal)
            await inTurn(turns, () => {
              const y = block.forward(xs[i]!, ends.pass(batch, null))
              xs[i]!.dispose()
              xs[i] = y
            })
          }
        } finally {
          disposeTensors(loaded)
        }
        onLayer?.(layer + 1, architecture.layers)
      }
    },
    dispose: () => ends.dispose(),
  }
}

function withoutLayers(architecture: Architecture): Architecture {
  return { ...architecture, layers: 0 }
}

export interface PrecisionCostOptions {
  model: Transformer
  precision: Precision
  reference: Reference
  texts: readonly ScoredText[]
  /** Takes a turn of the device for each text, so that other work goes on between. */
  turns?: Turns
  signal?: AbortSignal
}

/** Logits that are compared at once: 8 MiB of float32 a model. */
const CHUNK_ELEMENTS = 1 << 21

/**
 * The largest and the mean difference of the logits over all positions of the texts, and both perplexities over the
 * positions with a target.
 * Throws E_ARGUMENT where no position has a target, E_MODEL_UNSUPPORTED where the model has no language head, E_ABORTED.
 */
export async function precisionCost(options: PrecisionCostOptions): Promise<PrecisionReport> {
  const { model, precision, reference, texts, turns, signal } = options
  const tokens = texts.reduce((count, { targets }) => count + targets.filter((id) => id >= 0).length, 0)
  if (tokens === 0)
    throw new GraftError('E_ARGUMENT', 'The sample texts are too short to compare: give at least two tokens.')
  const batches = texts.map(({ ids }) => tokenBatch([ids], 0, ids.length))
  const expected: Tensor[] = []
  const sums: Sums = { difference: 0, largest: 0, squares: 0, count: 0, loss: 0, lossF32: 0 }
  try {
    for (const batch of batches)
      expected.push(reference.ends.embed(batch.ids, reference.ends.pass(batch, null)))
    await reference.through(expected, batches)
    for (const [i, batch] of batches.entries()) {
      throwIfAborted(signal)
      await inTurn(turns, async () => {
        const pass = model.pass(batch, null)
        const h = model.forward(model.embed(batch.ids, pass), pass) // [T, d]
        try {
          await compareText(model, h, reference.ends, expected[i]!, texts[i]!.targets, sums)
        } finally {
          h.dispose()
        }
      })
    }
  } finally {
    dispose(expected)
    for (const batch of batches) batch.dispose()
  }
  return {
    precision,
    logitError: { relative: sums.difference / sums.largest, rms: Math.sqrt(sums.squares / sums.count) },
    perplexity: Math.exp(sums.loss / tokens),
    perplexityF32: Math.exp(sums.lossF32 / tokens),
    tokens,
  }
}

interface Sums {
  /** Largest |difference| and largest |logit| of the reference. */
  difference: number
  largest: number
  /** Sum of squared differences, and how many. */
  squares: number
  count: number
  /** Sums of the cross-entropies. */
  loss: number
  lossF32: number
}

/** Last outputs h of the model and of the reference, [>= T, d] each, by chunks of positions. */
async function compareText(
  model: Transformer,
  h: Tensor,
  ends: Transformer,
  hF32: Tensor,
  targets: readonly number[],
  sums: Sums,
): Promise<void> {
  const { vocab } = model.architecture
  const step = Math.max(1, Math.floor(CHUNK_ELEMENTS / vocab))
  for (let start = 0; start < targets.length; start += step) {
    const count = Math.min(step, targets.length - start)
    const results = tidy(() => {
      const ours = logitsOf(model, h, start, count) // [count, V]
      const theirs = logitsOf(ends, hF32, start, count) // [count, V]
      const labels = tensor1d(targets.slice(start, start + count), 'int32')
      const difference = sub(ours, theirs)
      return stack([
        max(abs(difference)),
        max(abs(theirs)),
        sum(sum(square(difference), 1)),
        model.ops.crossEntropy(ours, labels, 1).loss,
        model.ops.crossEntropy(theirs, labels, 1).loss,
      ])
    })
    const [difference, largest, squares, loss, lossF32] = (await results.data()) as Float32Array
    results.dispose()
    sums.difference = Math.max(sums.difference, difference!)
    sums.largest = Math.max(sums.largest, largest!)
    sums.squares += squares!
    sums.count += count * vocab
    sums.loss += loss!
    sums.lossF32 += lossF32!
  }
}

function logitsOf(model: Transformer, h: Tensor, start: number, count: number): Tensor {
  const rows = slice(h, [start, 0], [count, h.shape[1]!])
  const pass = { ops: model.ops, adaptation: null }
  return model.head.logits(model.final(rows, pass).y, pass)
}

function inTurn<T>(turns: Turns | undefined, work: () => Promise<T> | T): Promise<T> {
  return turns ? turns.take(work) : Promise.resolve().then(work)
}
