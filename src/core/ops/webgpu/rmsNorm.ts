// RMSNorm: one workgroup a row, sums through shared memory. The formulas are those of reference/rmsNorm.ts.
import type { Tensor } from '@tensorflow/tfjs-core'
import { f32, i32, run, type Kernel } from './runner.ts'

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
`

/** The row, moved inside where the last groups have none: barriers must be reached by all. */
const ROW = `
    let row = min(groupIndex(), uniforms.rows - 1);
    let base = row * uniforms.width;
`

function kernel(name: string, inputs: Record<string, Tensor>, x: Tensor, eps: number, code: string): Kernel {
  const [rows, width] = x.shape as [number, number]
  return {
    name,
    inputs,
    uniforms: { rows: i32(rows), width: i32(width), eps: f32(eps) },
    workgroup: [THREADS, 1, 1],
    groups: rows,
    code: SUM + code,
  }
}

export function rmsNorm(x: Tensor, w: Tensor, eps: number): Tensor {
  const code = `
  fn main() {
    ${ROW}
    var squares = 0.0;
    for (var i = i32(localIndex); i < uniforms.width; i += ${THREADS}) { squares += x[base + i] * x[base + i]; }
    let rho = inverseSqrt(sumOfThreads(squares) / f32(uniforms.width) + uniforms.eps);
    for (var i = i32(localIndex); i < uniforms.width; i += ${THREADS}) { result[base + i] = x[base + i] * rho * w[i]; }
  }`
  return run(kernel('rmsNorm', { x, w }, x, eps, code), x.shape)
}

export function rmsNormBackward(dy: Tensor, x: Tensor, w: Tensor, eps: number): Tensor {
  const code = `
  fn main() {
    ${ROW}
    var squares = 0.0;
    var products = 0.0;
    for (var i = i32(localIndex); i < uniforms.width; i += ${THREADS}) {
      let value = x[base + i];
      squares += value * value;
      products += w[i] * dy[base + i] * value;
    }
    let rho = inverseSqrt(sumOfThreads(squares) / f32(uniforms.width) + uniforms.eps);
    let projection = sumOfThreads(products) / f32(uniforms.width) * rho * rho;
    for (var i = i32(localIndex); i < uniforms.width; i += ${THREADS}) {
      result[base + i] = rho * (w[i] * dy[base + i] - x[base + i] * projection);
    }
  }`
  return run(kernel('rmsNormBackward', { dy, x, w }, x, eps, code), x.shape)
}
