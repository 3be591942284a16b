// Sequences of different lengths as one flat batch of equal rows: each sequence a row of its own, padded on the right, or
// packed, several to a row. Packed ones are segments with positions of their own, and a token sees its own segment only
// (block-diagonal attention), so that they compute what they would alone.
import { dispose, tensor1d, type Tensor } from '@tensorflow/tfjs-core'
import { AttentionLayout, PADDING } from '../ops/layout.ts'

/** Small counts are rounded up to multiples of this, larger ones to a step of their octave. */
const BUCKET = 8
const STEPS_OF_OCTAVE = 8

/** The count as it is padded, so that few distinct buffer sizes and shaders occur: at most an eighth more. */
export function bucketOf(count: number): number {
  const octave = 2 ** Math.floor(Math.log2(Math.max(1, count)))
  const step = Math.max(BUCKET, octave / STEPS_OF_OCTAVE)
  return Math.max(step, Math.ceil(count / step) * step)
}

/** Tokens of a row for a longest sequence, in a model that reads at most `context`. */
export function rowLength(longest: number, context = Infinity): number {
  return Math.max(1, longest, Math.min(context, bucketOf(longest)))
}

/** A batch of tokens before it goes to the device. */
export interface TokenRows {
  /** Rows, and padded tokens of each. */
  batch: number
  length: number
  /** Real tokens of each sequence, and where it begins in the flat batch. */
  lengths: number[]
  starts: number[]
  /** [N] each; a token sees its own segment. */
  ids: Int32Array
  positions: Int32Array
  segments: Int32Array
}

export interface TokenBatch extends Omit<TokenRows, 'ids' | 'positions' | 'segments'> {
  /** int32 [N] */
  ids: Tensor
  positions: Tensor
  layout: AttentionLayout
  dispose(): void
}

/** Flat ids, positions and segments of sequences, in rows as long as the bucket of the longest (at most `context`). */
export function tokenRows(
  sequences: readonly (readonly number[])[],
  padId: number,
  context = Infinity,
  packing = false,
): TokenRows {
  const lengths = sequences.map((sequence) => sequence.length)
  const length = rowLength(Math.max(0, ...lengths), context)
  const { starts, batch } = packing
    ? packed(lengths, length)
    : { starts: lengths.map((_, b) => b * length), batch: lengths.length }
  const ids = new Int32Array(batch * length).fill(padId)
  // Padding counts on from the row's beginning: every position is one that the model knows.
  const positions = Int32Array.from(ids, (_, at) => at % length)
  const segments = new Int32Array(batch * length).fill(PADDING)
  sequences.forEach((sequence, b) => {
    const start = starts[b]!
    ids.set(sequence, start)
    for (let t = 0; t < sequence.length; t++) positions[start + t] = t
    // Any numbers do that differ within a row.
    segments.fill(start % length, start, start + sequence.length)
  })
  return { batch, length, lengths, starts, ids, positions, segments }
}

/** The rows on the device. */
export function placedTokens({ ids, positions, segments, ...rows }: TokenRows): TokenBatch {
  const idTensor = tensor1d(ids, 'int32')
  const positionTensor = tensor1d(positions, 'int32')
  const layout = new AttentionLayout({
    batch: rows.batch,
    queryPositions: positions,
    querySegments: segments,
  })
  return {
    ...rows,
    ids: idTensor,
    positions: positionTensor,
    layout,
    dispose() {
      dispose([idTensor, positionTensor])
      layout.dispose()
    },
  }
}

/** As tokenRows, on the device. */
export function tokenBatch(...given: Parameters<typeof tokenRows>): TokenBatch {
  return placedTokens(tokenRows(...given))
}

/** First fit, the longest first: where each sequence begins in rows of the given length, and how many rows there are. */
function packed(lengths: readonly number[], length: number): { starts: number[]; batch: number } {
  const starts = new Array<number>(lengths.length).fill(0)
  const used: number[] = []
  const longestFirst = lengths.map((_, b) => b).sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  for (const b of longestFirst) {
    let row = used.findIndex((tokens) => tokens + lengths[b]! <= length)
    if (row < 0) row = used.push(0) - 1
    starts[b] = row * length + used[row]!
    used[row]! += lengths[b]!
  }
  return { starts, batch: Math.max(1, used.length) }
}
