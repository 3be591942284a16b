// Rows by index, in one dispatch each way; an index behind the last row stands for a row of zeros.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { FrozenMatrix } from '../ops.ts'
import { ELEMENT, i32, LINE, lines, run } from './runner.ts'

/** x [N, d], indices int32 [M] -> [M, d] */
export function gatherRows(x: Tensor, indices: Tensor): Tensor {
  const [rows, width] = x.shape as [number, number]
  const size = indices.size * width
  return run(
    {
      name: 'gatherRows',
      inputs: { x, indices },
      uniforms: { count: i32(size), rows: i32(rows), width: i32(width) },
      workgroup: [LINE, 1, 1],
      groups: lines(size),
      code: `
  fn main() {
    ${ELEMENT}
    let row = indices[at / uniforms.width];
    var value = 0.0;
    if (row >= 0 && row < uniforms.rows) { value = x[row * uniforms.width + at % uniforms.width]; }
    result[at] = value;
  }`,
    },
    [indices.size, width],
  )
}

export function embedding(table: FrozenMatrix, ids: Tensor): Tensor {
  return gatherRows(table.data, ids)
}

/** dy [M, d], inverse int32 [N] with M where there is none -> [N, d] */
export function scatterRows(dy: Tensor, inverse: Tensor): Tensor {
  return gatherRows(dy, inverse)
}
