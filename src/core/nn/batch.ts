// Sequences of different lengths as one flat, right-padded batch.
import { dispose, tensor1d, type Tensor } from '@tensorflow/tfjs-core'
import { AttentionLayout, PADDING } from '../ops/layout.ts'

/** Lengths are padded up to multiples of this, so that few distinct buffer sizes and shaders occur. */
export const LENGTH_BUCKET = 8

export interface TokenBatch {
  /** Sequences, and padded tokens of each. */
  batch: number
  length: number
  /** Real tokens of each sequence. */
  lengths: number[]
  /** int32 [N] */
  ids: Tensor
  positions: Tensor
  layout: AttentionLayout
  dispose(): void
}

/** Flat ids, positions and segments of B sequences, right-padded to the bucket of the longest (at most `context`). */
export function tokenBatch(
  sequences: readonly (readonly number[])[],
  padId: number,
  context = Infinity,
): TokenBatch {
  const batch = sequences.length
  const lengths = sequences.map((sequence) => sequence.length)
  const longest = Math.max(1, ...lengths)
  const length = Math.max(longest, Math.min(context, Math.ceil(longest / LENGTH_BUCKET) * LENGTH_BUCKET))
  const ids = new Int32Array(batch * length).fill(padId)
  const positions = new Int32Array(batch * length)
  const segments = new Int32Array(batch * length).fill(PADDING)
  sequences.forEach((sequence, b) => {
    ids.set(sequence, b * length)
    for (let t = 0; t < length; t++) positions[b * length + t] = t
    segments.fill(0, b * length, b * length + sequence.length)
  })
  const idTensor = tensor1d(ids, 'int32')
  const positionTensor = tensor1d(positions, 'int32')
  const layout = new AttentionLayout({
    batch,
    queryPositions: positions,
    querySegments: segments,
  })
  return {
    batch,
    length,
    lengths,
    ids: idTensor,
    positions: positionTensor,
    layout,
    dispose() {
      dispose([idTensor, positionTensor])
      layout.dispose()
    },
  }
}
