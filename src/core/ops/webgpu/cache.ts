// Keys and values of a prompt into the cache; single tokens are written by stepAttention.ts.
import type { Tensor } from '@tensorflow/tfjs-core'
import { GraftError } from '../../../protocol/errors.ts'
import type { AttentionLayout, AttentionMask } from '../layout.ts'
import type { KeyValueCache } from '../step.ts'
import { attention } from './attention.ts'
import { ELEMENT, i32, LINE, lines, runInPlace } from './runner.ts'

/** Attention of a prompt q [N, H, hd] over its own k, v [N, Hkv, hd], which an empty cache takes in. */
export function cachedAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  cache: KeyValueCache,
  layout: AttentionLayout,
  mask: AttentionMask,
): Tensor {
  if (cache.length > 0)
    throw new GraftError('E_INTERNAL', 'On WebGPU only a prompt is read at once, into an empty cache.')
  const [rows, heads, size] = k.shape as [number, number, number]
  cache.reserve(rows)
  runInPlace(
    {
      name: 'fillCache',
      inputs: { k, v },
      uniforms: {
        count: i32(k.size),
        heads: i32(heads),
        size: i32(size),
        capacity: i32(cache.capacity),
      },
      workgroup: [LINE, 1, 1],
      groups: lines(k.size),
      code: `
  fn main() {
    ${ELEMENT}
    let head = at / uniforms.size % uniforms.heads;
    let row = at / uniforms.size / uniforms.heads;
    let place = (head * uniforms.capacity + row) * uniforms.size + at % uniforms.size;
    result[place] = k[at];
    result[place + uniforms.heads * uniforms.capacity * uniforms.size] = v[at];
  }`,
    },
    cache.data,
  )
  cache.length += rows
  const { output, logSumExp } = attention(q, k, v, layout, mask)
  logSumExp.dispose()
  return output
}
