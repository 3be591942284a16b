// What the norms share: one workgroup a row, sums through shared memory.
import type { Tensor } from '@tensorflow/tfjs-core'
import { f32, i32, type Kernel } from './runner.ts'

/** Threads of a row. */
const THREADS = 64

/** Adds up `value` over the workgroup's threads; every thread gets the sum. */
const SUM = `
  var<workgroup> partial : array<f32, ${THREADS}>;
  fn sumOfThreads(value : f32) -> f32 {
    partial[localIndex] = value;
    workgroupBarrier();
    for (var half = ${THREADS / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) { partial[localIndex] += partial[localIndex + half]; }
      workgroupBarrier();
    }
    let sum = partial[0];
    workgroupBarrier();
    return sum;
  }
  fn meanOfThreads(value : f32) -> f32 { return sumOfThreads(value) / f32(uniforms.width); }
`

/** The row, moved inside where the last groups have none: barriers must be reached by all. */
export const ROW = `
    let row = min(groupIndex(), uniforms.rows - 1);
    let base = row * uniforms.width;
`

/** A loop over the thread's elements of the row: `at` in the tensor, `column` in the row. */
export function eachElement(code: string): string {
  return `
    for (var column = i32(localIndex); column < uniforms.width; column += ${THREADS}) {
      let at = base + column;
      ${code}
    }`
}

/** A kernel over the rows of x [N, d] with `main` between the braces; it may use `uniforms.eps`. */
export function rowKernel(
  name: string,
  inputs: Record<string, Tensor>,
  x: Tensor,
  eps: number,
  main: string,
): Kernel {
  const [rows, width] = x.shape as [number, number]
  return {
    name,
    inputs,
    uniforms: { rows: i32(rows), width: i32(width), eps: f32(eps) },
    workgroup: [THREADS, 1, 1],
    groups: rows,
    code: `${SUM}
  fn main() {
    ${ROW}${main}
  }`,
  }
}
