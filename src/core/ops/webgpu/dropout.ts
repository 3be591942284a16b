// Inverted dropout with the masks of core/rng.ts, drawn on the GPU: Philox4x32-10 in WGSL, bit for bit the same.
import type { Tensor } from '@tensorflow/tfjs-core'
import { PURPOSES, type RngKey } from '../../rng.ts'
import { f32, i32, LINE, lines, run, u32 } from './runner.ts'

/** WGSL has no 64-bit product: the high word is put together from 16-bit halves. */
export const PHILOX = `
  fn multiplyHigh(a : u32, b : u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
  }

  fn philox(counter : vec4<u32>, key : vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0; round < 10; round++) {
      let high0 = multiplyHigh(0xd2511f53u, c.x);
      let high1 = multiplyHigh(0xcd9e8d57u, c.z);
      c = vec4<u32>(high1 ^ c.y ^ k.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ k.y, 0xd2511f53u * c.x);
      k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
  }
`

/** x with element i kept, and scaled by 1 / (1 - rate), where uniforms(key)[i] >= rate; 0 elsewhere. */
export function dropout(x: Tensor, rate: number, key: RngKey): Tensor {
  const { seed, purpose, layer = 0 } = key
  return run(
    {
      name: 'dropout',
      inputs: { x },
      uniforms: {
        count: i32(x.size),
        seed: u32(seed),
        purpose: u32(PURPOSES[purpose]),
        // Asked for at every replay of a recorded step.
        step: u32(() => key.step ?? 0),
        layer: u32(layer),
        // The 24-bit number below which an element goes: a comparison of integers is exact.
        threshold: u32(Math.ceil(rate * 0x1000000)),
        kept: f32(1 / (1 - rate)),
      },
      workgroup: [LINE, 1, 1],
      groups: lines(Math.ceil(x.size / 4)),
      code: `${PHILOX}
  fn main() {
    let block = groupIndex() * ${LINE} + i32(localIndex);
    let words = philox(
      vec4<u32>(u32(block), 0u, uniforms.step, uniforms.layer), vec2<u32>(uniforms.seed, uniforms.purpose)) >> vec4<u32>(8u);
    for (var lane = 0; lane < 4; lane++) {
      let at = block * 4 + lane;
      if (at < uniforms.count) {
        result[at] = select(0.0, x[at] * uniforms.kept, words[lane] >= uniforms.threshold);
      }
    }
  }`,
    },
    x.shape,
  )
}
