// Frozen matrices in the precisions of the base. Everything is [out, in], row-major; packed kinds live in int32 tensors and
// are unpacked inside the ops that read them.
import { dispose, type Tensor } from '@tensorflow/tfjs-core'

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
  /** f32 [ceil(out x in / 64)]'s absmax in 8 bits, int32 [ceil(blocks / 4)], four codes each, lowest bits first. */
  absmaxCodes: Tensor
  /** f32 [ceil(blocks / 256)]: the absmax of the absmax. */
  absmaxScales: Tensor
  /** Mean that was taken from the absmax. */
  absmaxOffset: number
}

export type FrozenMatrix = F32Matrix | F16Matrix | Int8Matrix | Nf4Matrix

/** The tensors that a matrix owns. */
export function matrixTensors(matrix: FrozenMatrix): Tensor[] {
  switch (matrix.kind) {
    case 'f32':
    case 'f16':
      return [matrix.data]
    case 'int8':
      return [matrix.data, matrix.scales]
    case 'nf4':
      return [matrix.data, matrix.absmaxCodes, matrix.absmaxScales]
    default:
      return matrix satisfies never
  }
}

export function disposeMatrix(matrix: FrozenMatrix): void {
  dispose(matrixTensors(matrix))
}
