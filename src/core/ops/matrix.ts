// Frozen matrices in the precisions of the base. Everything is [out, in], row-major; packed kinds live in int32 tensors and
// are unpacked inside the ops that read them, never as a whole. models/place.ts makes them from a checkpoint.
import { dispose, type Tensor } from '@tensorflow/tfjs-core'
import type { Precision } from '../../protocol/model.ts'

interface Matrix {
  /** [out, in] */
  shape: [number, number]
}

export interface F32Matrix extends Matrix {
  kind: 'f32'
  /** f32 [out, in] */
  data: Tensor
}

/** Two halves an int32, the even column in the low bits; odd widths are padded with a zero. */
export interface F16Matrix extends Matrix {
  kind: 'f16'
  /** int32 [out, ceil(in / 2)] */
  data: Tensor
}

/** Symmetric by output row: w = q x scale[row], q from -127 to 127, four an int32, lowest column in the lowest bits. */
export interface Int8Matrix extends Matrix {
  kind: 'int8'
  /** int32 [out, ceil(in / 4)] */
  data: Tensor
  /** f32 [out] */
  scales: Tensor
}

/** QLoRA's NF4 (Dettmers et al. 2023, arXiv 2305.14314) with double quantisation as bitsandbytes defines it. */
export interface Nf4Matrix extends Matrix {
  kind: 'nf4'
  /** int32 [ceil(out x in / 8)]: eight 4-bit codes each, in the order of the row-major weights, lowest bits first. */
  data: Tensor
  /** int32 [ceil(blocks / 256) + ceil(blocks / 4)] for blocks of 64 weights: the bits of a float32 scale for every 256
   *  blocks, and behind them the 8-bit codes of the blocks' absmax, four each, lowest bits first. One tensor, because a
   *  kernel may be bound to eight only. */
  absmax: Tensor
  /** Mean of the absmax, which was taken away before they were quantised. */
  absmaxOffset: number
}

/** A matrix in one piece. */
export type WholeMatrix = F32Matrix | F16Matrix | Int8Matrix | Nf4Matrix

/** Blocks of rows, one below the other, each small enough for one binding of the device. */
export interface SplitMatrix extends Matrix {
  kind: 'split'
  parts: WholeMatrix[]
}

export type FrozenMatrix = WholeMatrix | SplitMatrix

/** Weights of an NF4 block, and blocks whose absmax share a scale. */
export const NF4_BLOCK = 64
export const ABSMAX_GROUP = 256

/** 32-bit words of the tensors of an NF4 matrix with so many weights. */
export function nf4Words(weights: number): { data: number; scales: number; codes: number } {
  const blocks = Math.ceil(weights / NF4_BLOCK)
  return {
    data: Math.ceil(weights / 8),
    scales: Math.ceil(blocks / ABSMAX_GROUP),
    codes: Math.ceil(blocks / 4),
  }
}

/** Bytes that a matrix takes on the device. */
export function matrixBytes([rows, columns]: readonly [number, number], precision: Precision): number {
  switch (precision) {
    case 'f32':
      return 4 * rows * columns
    case 'f16':
      return 4 * rows * Math.ceil(columns / 2)
    case 'int8':
      return 4 * rows * (Math.ceil(columns / 4) + 1)
    case 'nf4': {
      const { data, scales, codes } = nf4Words(rows * columns)
      return 4 * (data + scales + codes)
    }
    default:
      return precision satisfies never
  }
}

/** A part of a split matrix and the index of its first row; a whole matrix is its own only part. */
export interface RowPart {
  part: WholeMatrix
  begin: number
}

export function partsOf(matrix: FrozenMatrix): RowPart[] {
  if (matrix.kind !== 'split') return [{ part: matrix, begin: 0 }]
  let begin = 0
  return matrix.parts.map((part) => {
    const placed = { part, begin }
    begin += part.shape[0]
    return placed
  })
}

/** The tensors that a matrix owns. */
export function matrixTensors(matrix: FrozenMatrix): Tensor[] {
  switch (matrix.kind) {
    case 'f32':
    case 'f16':
      return [matrix.data]
    case 'int8':
      return [matrix.data, matrix.scales]
    case 'nf4':
      return [matrix.data, matrix.absmax]
    case 'split':
      return matrix.parts.flatMap(matrixTensors)
    default:
      return matrix satisfies never
  }
}

export function disposeMatrix(matrix: FrozenMatrix): void {
  dispose(matrixTensors(matrix))
}
