// Sums and products element by element, and the sum of squares: what a step needs beside its larger kernels.
import type { Tensor } from '@tensorflow/tfjs-core'
import { referenceOps } from '../reference/index.ts'
import { ELEMENT, f32, i32, LINE, lines, run, runInPlace, type Uniform } from './runner.ts'

/** a + b; where b is smaller it is added again and again: a row to all rows. */
export function add(a: Tensor, b: Tensor): Tensor {
  if (b.size > a.size) return add(b, a)
  return elementwise('add', { a, b }, a.shape, 'a[at] + b[at % uniforms.period]', { period: i32(b.size) })
}

export function scale(x: Tensor, factor: number): Tensor {
  return elementwise('scale', { x }, x.shape, 'x[at] * uniforms.factor', { factor: f32(factor) })
}

/** The elements of x from `start` on as a new tensor; integers go through tfjs, since kernels write float32. */
export function part(x: Tensor, start: number, shape: number[]): Tensor {
  if (x.dtype !== 'float32') return referenceOps.part(x, start, shape)
  return elementwise('part', { x }, shape, 'x[uniforms.start + at]', { start: i32(start) })
}

/** Zeros to every element. */
export function clear(target: Tensor): void {
  runInPlace(
    {
      name: 'clear',
      inputs: {},
      uniforms: { count: i32(target.size) },
      workgroup: [LINE, 1, 1],
      groups: lines(target.size),
      code: `
  fn main() {
    ${ELEMENT}
    result[at] = 0.0;
  }`,
    },
    target,
  )
}

function elementwise(
  name: string,
  inputs: Record<string, Tensor>,
  shape: number[],
  value: string,
  more: Record<string, Uniform>,
): Tensor {
  const count = shape.reduce((product, extent) => product * extent, 1)
  return run(
    {
      name,
      inputs,
      uniforms: { count: i32(count), ...more },
      workgroup: [LINE, 1, 1],
      groups: lines(count),
      code: `
  fn main() {
    ${ELEMENT}
    result[at] = ${value};
  }`,
    },
    shape,
  )
}
