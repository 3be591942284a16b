// How the reference ops call the kernels of wasmRowCode.ts: by the addresses of their tensors.
import type { Tensor } from '@tensorflow/tfjs-core'
import { emptyOnWasm } from './matmul.ts'
import { addressOf, wasmBackend } from './wasmHeap.ts'
import { wasmKernels } from './wasmKernels.ts'

/** A tensor's address; 0 stands for one that is not there. */
const at = (tensor: Tensor | undefined): number =>
  tensor === undefined ? 0 : addressOf(wasmBackend(), tensor.dataId)

/** What a kernel is given: addresses in this order, then whole numbers and floats. */
export interface RowTensors {
  inputs: readonly (Tensor | undefined)[]
  /** Shapes of the tensors that it makes. */
  outputs?: readonly number[][]
  more?: readonly (Tensor | undefined)[]
  numbers?: readonly number[]
}

/** Runs a kernel over rows of a width and returns what it made; null where there is none: elsewhere than on wasm with SIMD. */
export function rowKernel(
  name: string,
  rows: number,
  width: number,
  { inputs, outputs = [], more = [], numbers = [] }: RowTensors,
  floats: readonly number[] = [],
): Tensor[] | null {
  const kernels = wasmKernels()
  if (!kernels) return null
  const made = outputs.map(emptyOnWasm)
  kernels.rows(name, rows, width, [...inputs.map(at), ...made.map(at), ...more.map(at), ...numbers], floats)
  return made
}
