// Column by column: scaling, and sums over the rows. A workgroup takes 16 columns, 16 threads each; the threads add up
// every 16th row and then each other, in a fixed order: the same numbers give the same bits.
import type { Tensor } from '@tensorflow/tfjs-core'
import { ELEMENT, i32, LINE, lines, run } from './runner.ts'

/** Columns of a workgroup, and threads of a column. */
const COLUMNS = 16
const LANES = 16

/** x [N, d], s [d] -> x with column j multiplied by s[j] */
export function scaleColumns(x: Tensor, s: Tensor): Tensor {
  return run(
    {
      name: 'scaleColumns',
      inputs: { x, s },
      uniforms: { count: i32(x.size), width: i32(s.size) },
      workgroup: [LINE, 1, 1],
      groups: lines(x.size),
      code: `
  fn main() {
    ${ELEMENT}
    result[at] = x[at] * s[at % uniforms.width];
  }`,
    },
    x.shape,
  )
}

/** x [N, d] -> [d] */
export function columnSums(x: Tensor): Tensor {
  return weightedColumnSums('plain', { x }, x, 'x[at]')
}

/** The sums over the rows of `term`, WGSL of `at`, `row` and `column`, for tensors shaped as `like` [N, d] -> [d]. */
export function weightedColumnSums(
  name: string,
  inputs: Record<string, Tensor>,
  like: Tensor,
  term: string,
): Tensor {
  const [rows, width] = like.shape as [number, number]
  return run(
    {
      name: 'columnSums',
      variant: name,
      inputs,
      uniforms: { rows: i32(rows), width: i32(width) },
      workgroup: [COLUMNS * LANES, 1, 1],
      groups: Math.ceil(width / COLUMNS),
      code: `
  var<workgroup> sums : array<f32, ${COLUMNS * LANES}>;

  fn main() {
    let thread = i32(localIndex);
    let column = groupIndex() * ${COLUMNS} + thread % ${COLUMNS};
    var sum = 0.0;
    if (column < uniforms.width) {
      for (var row = thread / ${COLUMNS}; row < uniforms.rows; row += ${LANES}) {
        let at = row * uniforms.width + column;
        sum += ${term};
      }
    }
    sums[localIndex] = sum;
    workgroupBarrier();
    for (var half = ${LANES / 2}; half > 0; half = half >> 1u) {
      if (thread < half * ${COLUMNS}) { sums[thread] += sums[thread + half * ${COLUMNS}]; }
      workgroupBarrier();
    }
    if (thread < ${COLUMNS} && column < uniforms.width) { result[column] = sums[thread]; }
  }`,
    },
    [width],
  )
}
