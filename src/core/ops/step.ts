// What writing a text asks of the ops. The cache of keys and values serves every backend; StepOps is for devices on which
// a token is bound by its number of dispatches: one token's row through a block in few of them, and the next token chosen
// without leaving the device.
import { keep, pad, tidy, zeros, type Tensor } from '@tensorflow/tfjs-core'
import type { SamplingSettings } from '../generate/sampler.ts'
import type { JointHeads } from './fused.ts'
import type { FrozenMatrix } from './matrix.ts'
import type { Activation } from './ops.ts'

/** Rows that a cache has room for at first. */
const FIRST_ROWS = 64

/** Keys and values of one sequence in one layer, written in place; room doubles when it is used up. */
export class KeyValueCache {
  /** f32 [2, Hkv, capacity, hd]: keys, then values. */
  data: Tensor
  /** Rows that are filled: positions 0 to length - 1. */
  length = 0

  /** `limit`: rows that will ever be asked for. */
  constructor(
    readonly keyValueHeads: number,
    readonly headSize: number,
    readonly limit: number,
  ) {
    this.data = keep(tidy(() => zeros([2, keyValueHeads, Math.min(FIRST_ROWS, limit), headSize])))
  }

  get capacity(): number {
    return this.data.shape[2]!
  }

  /** Makes room for so many rows behind those that are filled; whether that took another tensor. */
  reserve(rows: number): boolean {
    const wanted = this.length + rows
    if (wanted <= this.capacity) return false
    const capacity = Math.max(wanted, Math.min(2 * this.capacity, this.limit))
    const grown = keep(
      tidy(() =>
        pad(this.data, [
          [0, 0],
          [0, 0],
          [0, capacity - this.capacity],
          [0, 0],
        ]),
      ),
    )
    this.data.dispose()
    this.data = grown
    return true
  }

  dispose(): void {
    this.data.dispose()
  }
}

/** A norm before a product. */
export interface RowNorm {
  kind: 'rms' | 'layer'
  /** [d] */
  weight: Tensor
  bias?: Tensor
  eps: number
}

/** The text so far, on the device: int32 [1] each, and one bit for each token id that is in it. */
export interface TextState {
  /** The newest token, and its position. */
  token: Tensor
  position: Tensor
  /** int32 [ceil(V / 32)] */
  seen: Tensor
  /** The position before the answer's first token: that of the prompt's last. */
  readonly origin: number
}

/** A layer that one token's row goes through, and its adapter's factors A [r, in] and B [out, r] in a flat tensor. */
export interface StepLayer {
  w: FrozenMatrix
  lora?: { parameters: Tensor; r: number; a: number; b: number; scale: number }
}

/** What a product does beside the layers. */
export interface Beside {
  /** Applied to x first. */
  norm?: RowNorm | undefined
  /** [sum of out] */
  bias?: Tensor | undefined
  /** Factors [sum of out] of the frozen products: DoRA. */
  gain?: Tensor | undefined
  /** Of `rows` without an addend: act(y). */
  then?: Activation | undefined
}

export interface StepOps {
  /** norm(x) [1, in] -> [norm(x) W_0^T | ...] + bias + plus, with the adapters: [1, sum of out]. */
  rows(x: Tensor, layers: readonly StepLayer[], beside: Beside, plus?: Tensor): Tensor
  /** act(norm(x) W_gate^T) * (norm(x) W_up^T), with the adapters: [1, f]. */
  gatedRows(act: Activation, x: Tensor, layers: readonly [StepLayer, StepLayer], beside: Beside): Tensor
  /** Normalises and turns queries and key of the token, writes key and value to the cache, and attends:
   *  joint [1, (H + 2 Hkv) hd] -> [1, H hd]. The token sees all before it, or its window. The cache must have room, and the
   *  caller adds to its length: a recorded step does not come by here again. */
  attention(heads: Omit<JointHeads, 'layout'>, position: Tensor, cache: KeyValueCache): Tensor
  /** The next token by generate/sampler.ts from logits [1, V]: becomes the state's newest, a position further on. */
  choose(logits: Tensor, settings: SamplingSettings, state: TextState): void
  /** The newest token as it is now, whatever is written after the call. */
  read(state: TextState): Promise<number>
}
