// Who may look at whom: arithmetic on positions and segments, from which each implementation makes its masks. One layout
// serves all layers of a pass; what differs between layers (causal, sliding window) is the mask.
import { dispose, tensor1d, type Tensor } from '@tensorflow/tfjs-core'

/** Segment of padding; padding sees only padding. */
export const PADDING = -1

export interface AttentionLayoutOptions {
  batch: number
  /** int32 [batch x queries] and [batch x keys]; a key's arrays default to the query's. */
  queryPositions: Int32Array
  querySegments: Int32Array
  keyPositions?: Int32Array
  keySegments?: Int32Array
}

/** Of one layer: softmax(scale q k^T) over the keys that a query may see. */
export interface AttentionMask {
  scale: number
  /** Only keys at or before the query. */
  causal: boolean
  /** Only keys less than this many positions before the query (and, where not causal, after it); null: all. */
  window: number | null
}

/** Masks of the same name look at the same keys; the scale does not matter. */
export function maskName({ causal, window }: AttentionMask): string {
  return `${causal ? 'causal' : 'both'} ${window ?? 'all'}`
}

/** What the kernels' `packed` holds. */
export function packedLook(host: AttentionLayout['host']): Int32Array {
  const { queryPositions, querySegments, keyPositions, keySegments } = host
  const all = new Int32Array(2 * (queryPositions.length + keyPositions.length))
  let at = 0
  for (const part of [queryPositions, querySegments, keyPositions, keySegments]) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** A query (position p, segment s) sees a key (position q, segment t) where s = t; if causal, q <= p; with a window,
 *  |p - q| < window. */
export class AttentionLayout {
  readonly batch: number
  /** What the tensors below hold, for masks that are made on the host. */
  readonly host: Required<Omit<AttentionLayoutOptions, 'batch'>>
  /** Queries and keys of one sequence. */
  readonly queries: number
  readonly keys: number
  /** int32 [batch x queries] */
  readonly queryPositions: Tensor
  readonly querySegments: Tensor
  /** int32 [batch x keys] */
  readonly keyPositions: Tensor
  readonly keySegments: Tensor
  /** f32 [batch, 1, queries, keys] by mask: 0 where seen, a large negative number elsewhere; made once by the reference. */
  readonly bias = new Map<string, Tensor>()
  /** int32: query positions, query segments, key positions, key segments; made once by the WGSL kernels. */
  packed: Tensor | null = null

  constructor(options: AttentionLayoutOptions) {
    this.batch = options.batch
    this.queries = options.queryPositions.length / options.batch
    const keyPositions = options.keyPositions ?? options.queryPositions
    const keySegments = options.keySegments ?? options.querySegments
    this.keys = keyPositions.length / options.batch
    const { queryPositions, querySegments } = options
    this.host = { queryPositions, querySegments, keyPositions, keySegments }
    this.queryPositions = tensor1d(options.queryPositions, 'int32')
    this.querySegments = tensor1d(options.querySegments, 'int32')
    this.keyPositions = tensor1d(keyPositions, 'int32')
    this.keySegments = tensor1d(keySegments, 'int32')
  }

  dispose(): void {
    dispose([this.queryPositions, this.querySegments, this.keyPositions, this.keySegments])
    dispose([...this.bias.values()])
    this.packed?.dispose()
  }
}
