// What the attention kernels share: who sees whom, sizes, and loops over the elements of a head that a thread holds.
import { keep, tensor1d, type Tensor } from '@tensorflow/tfjs-core'
import { packedLook, type AttentionLayout, type AttentionMask } from '../layout.ts'
import { once } from './once.ts'
import { f32, i32, type Uniform } from './runner.ts'

/** Threads of a workgroup, and rows of a tile. */
export const TILE = 64

/** The window of a mask without one. */
const EVERYTHING = 0x7fffffff

/** Heads inside the rows of a matrix [N, width], from column `first` on; `array` is its name in the code. */
export interface View {
  array: string
  tensor: Tensor
  width: number
  first: number
}

export interface Call {
  q: View
  k: View
  v: View
  heads: number
  /** Heads of keys and values. */
  groups: number
  size: number
  layout: AttentionLayout
  mask: AttentionMask
}

/** A tensor [N, H, hd] as a view of itself. */
export function viewOf(array: string, tensor: Tensor): View {
  return { array, tensor, width: tensor.shape[1]! * tensor.shape[2]!, first: 0 }
}

/** The arrays of queries, keys and values, and the positions and segments of both in one buffer: kernels have few bindings. */
export function arraysOf({ q, k, v, layout }: Call): Record<string, Tensor> {
  layout.packed ??= once(() => keep(tensor1d(packedLook(layout.host), 'int32')))
  return {
    ...Object.fromEntries([q, k, v].map(({ array, tensor }) => [array, tensor])),
    look: layout.packed,
  }
}

export function uniformsOf({ q, k, v, heads, groups, layout, mask }: Call): Record<string, Uniform> {
  return {
    heads: i32(heads),
    groups: i32(groups),
    queries: i32(layout.queries),
    keys: i32(layout.keys),
    allQueries: i32(layout.batch * layout.queries),
    allKeys: i32(layout.batch * layout.keys),
    causal: i32(mask.causal ? 1 : 0),
    window: i32(mask.window ?? EVERYTHING),
    scale: f32(mask.scale),
    ...Object.fromEntries(
      Object.entries({ q, k, v }).flatMap(([name, { width, first }]) => [
        [`${name}Width`, i32(width)],
        [`${name}First`, i32(first)],
      ]),
    ),
  }
}

/** `qAt(row, head)`, `kAt`, `vAt`: where a head begins in its array. */
export function addresses(size: number): string {
  return ['q', 'k', 'v']
    .map(
      (name) => `
  fn ${name}At(row : i32, head : i32) -> i32 {
    return row * uniforms.${name}Width + uniforms.${name}First + head * ${size};
  }`,
    )
    .join('')
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
