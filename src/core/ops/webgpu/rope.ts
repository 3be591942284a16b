// RoPE: a thread a pair, one dispatch each way. The formulas are those of the reference.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { RopeTable } from '../ops.ts'
import { ELEMENT, f32, i32, LINE, lines, run } from './runner.ts'

/** x [N, H, hd]; a thread turns one pair (k, k + hd / 2). */
export function rope(x: Tensor, positions: Tensor, table: RopeTable, inverse = false): Tensor {
  const [, heads, size] = x.shape as [number, number, number]
  const half = size / 2
  return run(
    {
      name: 'rope',
      inputs: { x, positions, cosines: table.cos, sines: table.sin },
      uniforms: { count: i32(x.size / 2), heads: i32(heads), half: i32(half), sign: f32(inverse ? -1 : 1) },
      workgroup: [LINE, 1, 1],
      groups: lines(x.size / 2),
      code: `
  fn main() {
    ${ELEMENT}
    let k = at % uniforms.half;
    let head = at / uniforms.half; // row and head
    let low = head * uniforms.half * 2 + k;
    let high = low + uniforms.half;
    let angle = positions[head / uniforms.heads] * uniforms.half + k;
    let c = cosines[angle];
    let s = sines[angle] * uniforms.sign;
    result[low] = x[low] * c - x[high] * s;
    result[high] = x[high] * c + x[low] * s;
  }`,
    },
    x.shape,
  )
}
