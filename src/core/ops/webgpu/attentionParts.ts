// What the attention kernels share: who sees whom, sizes, and loops over the elements of a head that a thread holds.
import { concat, keep, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { AttentionLayout, AttentionMask } from '../layout.ts'
import { f32, i32, type Uniform } from './runner.ts'

/** Threads of a workgroup, and rows of a tile. */
export const TILE = 64

/** The window of a mask without one. */
const EVERYTHING = 0x7fffffff

export interface Call {
  q: Tensor
  k: Tensor
  layout: AttentionLayout
  mask: AttentionMask
}

/** Sizes, and the positions and segments of queries and keys in one buffer: kernels have few bindings. */
export function shared({ q, k, layout, mask }: Call): {
  uniforms: Record<string, Uniform>
  look: Tensor
  size: number
} {
  const [, heads, size] = q.shape as [number, number, number]
  layout.packed ??= tidy(() =>
    keep(concat([layout.queryPositions, layout.querySegments, layout.keyPositions, layout.keySegments])),
  )
  const uniforms = {
    heads: i32(heads),
    groups: i32(k.shape[1]!),
    queries: i32(layout.queries),
    keys: i32(layout.keys),
    allQueries: i32(layout.batch * layout.queries),
    allKeys: i32(layout.batch * layout.keys),
    causal: i32(mask.causal ? 1 : 0),
    window: i32(mask.window ?? EVERYTHING),
    scale: f32(mask.scale),
  }
  return { uniforms, look: layout.packed, size }
}

export const SEES = `
  fn sees(query : i32, key : i32) -> bool {
    let keyBase = 2 * uniforms.allQueries;
    let before = look[query] - look[keyBase + key]; // positions from the key on to the query
    return look[uniforms.allQueries + query] == look[keyBase + uniforms.allKeys + key]
      && (uniforms.causal == 0 || before >= 0) && abs(before) < uniforms.window;
  }
`

/** Elements of a head that one thread holds: thread t has elements t, t + TILE, ... */
function shares(size: number): number[] {
  return Array.from({ length: Math.ceil(size / TILE) }, (_, i) => i)
}

export function forEach(size: number, line: (i: number, element: string) => string): string {
  return shares(size)
    .map((i) => {
      const element = `(i32(localIndex) + ${i * TILE})`
      return (i + 1) * TILE <= size ? line(i, element) : `if (${element} < ${size}) { ${line(i, element)} }`
    })
    .join('\n      ')
}

export function declare(size: number, name: string): string {
  return shares(size)
    .map((i) => `var ${name}${i} = 0.0;`)
    .join(' ')
}
