// Rows by index, in one dispatch each way; an index behind the last row stands for a row of zeros.
import type { Tensor } from '@tensorflow/tfjs-core'
import { clear } from './elementwise.ts'
import { ELEMENT, i32, LINE, lines, run, runInPlace, scratch } from './runner.ts'

/** x [N, d], indices int32 [M] -> the rows at indices + offset [M, d] */
export function gatherRows(x: Tensor, indices: Tensor, offset = 0): Tensor {
  const [rows, width] = x.shape as [number, number]
  const size = indices.size * width
  return run(
    {
      name: 'gatherRows',
      inputs: { x, indices },
      uniforms: { count: i32(size), rows: i32(rows), width: i32(width), offset: i32(offset) },
      workgroup: [LINE, 1, 1],
      groups: lines(size),
      code: `
  fn main() {
    ${ELEMENT}
    let row = indices[at / uniforms.width] + uniforms.offset;
    var value = 0.0;
    if (row >= 0 && row < uniforms.rows) { value = x[row * uniforms.width + at % uniforms.width]; }
    result[at] = value;
  }`,
    },
    [indices.size, width],
  )
}

/** dy [M, d], inverse int32 [N] with M where there is none -> [N, d] */
export function scatterRows(dy: Tensor, inverse: Tensor): Tensor {
  return gatherRows(dy, inverse)
}

/** dy [N, d], ids int32 [N] -> [V, d], zero but for the rows of the ids. The first row of dy with an id adds up all of
 *  them, in their order: no atomics, and the same bits each time. */
export function embeddingGradient(dy: Tensor, ids: Tensor, rows: number): Tensor {
  const [count, width] = dy.shape as [number, number]
  const gradient = scratch([rows, width])
  clear(gradient)
  runInPlace(
    {
      name: 'embeddingGradient',
      inputs: { dy, ids },
      uniforms: { count: i32(dy.size), ids: i32(count), rows: i32(rows), width: i32(width) },
      workgroup: [LINE, 1, 1],
      groups: lines(dy.size),
      code: `
  fn main() {
    ${ELEMENT}
    let mine = at / uniforms.width;
    let column = at % uniforms.width;
    let id = ids[mine];
    if (id < 0 || id >= uniforms.rows) { return; }
    for (var other = 0; other < mine; other++) {
      if (ids[other] == id) { return; }
    }
    var sum = dy[at];
    for (var other = mine + 1; other < uniforms.ids; other++) {
      if (ids[other] == id) { sum += dy[other * uniforms.width + column]; }
    }
    result[id * uniforms.width + column] = sum;
  }`,
    },
    gradient,
  )
  return gradient
}
