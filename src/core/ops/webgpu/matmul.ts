// Tiled matrix products of any shape, C = alpha op(A) op(B), for what the vectorised ones of joint.ts and lowRank.ts are not
// made for: trained matrices, adapters on their own, single rows. Each workgroup of 16 x 16 threads makes a tile of C, each thread a few cells of it
// in registers; tiles of A and B pass through shared memory (Goto's blocking, as in every tuned GPU product). B may be a
// frozen matrix in any precision: it is unpacked on the way into shared memory.
// Where C has few tiles and the inner dimension is long, it is split and the parts are added up in a second dispatch:
// in a fixed order, so the same step gives the same bits.
import { Tensor } from '@tensorflow/tfjs-core'
import type { WholeMatrix } from '../matrix.ts'
import { ELEMENT, f32, i32, LINE, lines, run, runInPlace, type Kernel } from './runner.ts'
import { unpackingOf, type Unpacking } from './unpack.ts'

/** NT: A [M, K], B [N, K].  NN: A [M, K], B [K, N].  TN: A [K, M], B [K, N]. */
export type Orientation = 'NT' | 'NN' | 'TN'

export interface Product {
  a: Tensor
  b: Tensor | WholeMatrix
  orientation: Orientation
  m: number
  n: number
  k: number
  alpha?: number
}

/** How productInto writes. */
export interface Target {
  /** Adds to what is there. */
  accumulate?: boolean
}

/** Threads along each side of a tile, and the depth of a tile. */
const SIDE = 16
/** Fewer workgroups than this leave a GPU idle. */
const ENOUGH_GROUPS = 64
/** Least inner length of one part of a split product. */
const PART = 256
const MAX_PARTS = 32

/** C [m, n] */
export function product(given: Product): Tensor {
  const { m, n, k } = given
  const cells = cellsFor(m, n)
  const groups = tiles(m, cells) * tiles(n, cells)
  const parts =
    groups < ENOUGH_GROUPS
      ? Math.min(MAX_PARTS, Math.ceil(ENOUGH_GROUPS / groups), Math.max(1, Math.floor(k / PART)))
      : 1
  const c = run(kernelFor(given, cells, parts, {}), parts === 1 ? [m, n] : [parts, m, n])
  if (parts === 1) return c
  const sum = addParts(c, parts, [m, n])
  c.dispose()
  return sum
}

/** The same, written to the first m x n elements of an existing tensor, or as `target` says. */
export function productInto(tensor: Tensor, given: Product, target: Target = {}): void {
  runInPlace(kernelFor(given, cellsFor(given.m, given.n), 1, target), tensor)
}

/** Cells of a thread along each side: as many as leave enough workgroups. */
function cellsFor(m: number, n: number): number {
  return [4, 2].find((cells) => tiles(m, cells) * tiles(n, cells) >= ENOUGH_GROUPS) ?? 1
}

function tiles(extent: number, cells: number): number {
  return Math.ceil(extent / (SIDE * cells))
}

function kernelFor(given: Product, cells: number, parts: number, target: Target): Kernel {
  const { a, b, orientation, m, n, k, alpha = 1 } = given
  const part = Math.ceil(k / parts / SIDE) * SIDE
  const w = unpackingOf(
    b instanceof Tensor ? { kind: 'f32', shape: b.shape as [number, number], data: b } : b,
  )
  const accumulate = target.accumulate === true
  return {
    name: 'product',
    variant: [orientation, w.variant, cells, accumulate ? 'accumulate' : ''].join('_'),
    inputs: {
      a,
      ...w.inputs,
    },
    uniforms: {
      m: i32(m),
      n: i32(n),
      k: i32(k),
      part: i32(part),
      alpha: f32(alpha),
      ...w.uniforms,
    },
    workgroup: [SIDE, SIDE, 1],
    groups: [tiles(n, cells), tiles(m, cells), parts],
    code: codeFor(orientation, cells, w, accumulate),
  }
}

function codeFor(orientation: Orientation, cells: number, w: Unpacking, accumulates: boolean): string {
  const tile = SIDE * cells
  const each = Array.from({ length: cells }, (_, i) => i)
  const pairs = each.flatMap((i) => each.map((j) => [i, j] as const))
  const join = (lines: string[]): string => lines.join('\n      ')
  return `
  var<workgroup> tileA : array<f32, ${tile * SIDE}>;
  var<workgroup> tileB : array<f32, ${tile * SIDE}>;
  ${w.declarations}

  fn main() {
    ${w.start}
    let tx = i32(localId.x);
    let ty = i32(localId.y);
    let row0 = i32(workgroupId.y) * ${tile};
    let column0 = i32(workgroupId.x) * ${tile};
    let first = i32(workgroupId.z) * uniforms.part;
    let end = min(uniforms.k, first + uniforms.part);
    ${join(pairs.map(([i, j]) => `var c${i}${j} = 0.0;`))}
    // The rounds of the loop depend on uniforms alone, as WGSL asks of everything around a barrier; positions outside
    // the range load zeros.
    for (var k0 = 0; k0 < uniforms.part; k0 += ${SIDE}) {
      for (var e = i32(localIndex); e < ${tile * SIDE}; e += ${SIDE * SIDE}) {
        ${loadA(orientation, tile)}
      }
      for (var e = i32(localIndex); e < ${(tile * SIDE) / w.perWord}; e += ${SIDE * SIDE}) {
        ${loadB(orientation, w, tile)}
      }
      workgroupBarrier();
      for (var kk = 0; kk < ${SIDE}; kk++) {
        ${join(each.map((i) => `let x${i} = tileA[kk * ${tile} + ty + ${SIDE * i}];`))}
        ${join(each.map((j) => `let y${j} = tileB[kk * ${tile} + tx + ${SIDE * j}];`))}
        ${join(pairs.map(([i, j]) => `c${i}${j} = fma(x${i}, y${j}, c${i}${j});`))}
      }
      workgroupBarrier();
    }
    ${join(pairs.map(([i, j]) => `c${i}${j} *= uniforms.alpha;`))}
    let base = i32(workgroupId.z) * uniforms.m * uniforms.n;
    ${join(
      pairs.map(
        ([i, j]) => `{
        let row = row0 + ty + ${SIDE * i};
        let column = column0 + tx + ${SIDE * j};
        if (row < uniforms.m && column < uniforms.n) {
          let at = base + row * uniforms.n + column;
          result[at] = c${i}${j}${accumulates ? ' + result[at]' : ''};
        }
      }`,
      ),
    )}
  }`
}

/** Fills element e of the shared tile of A, tileA[k][m], with neighbouring threads on neighbouring addresses. */
function loadA(orientation: Orientation, tile: number): string {
  const alongM = orientation === 'TN'
  return `{
          ${alongM ? `let kk = e / ${tile}; let mm = e % ${tile};` : `let kk = e % ${SIDE}; let mm = e / ${SIDE};`}
          let position = first + k0 + kk;
          let row = row0 + mm;
          var value = 0.0;
          if (position < end && row < uniforms.m) {
            value = a[${alongM ? 'position * uniforms.m + row' : 'row * uniforms.k + position'}];
          }
          tileA[kk * ${tile} + mm] = value;
        }`
}

/** Fills the elements of word e of the shared tile of B, tileB[k][n]. */
function loadB(orientation: Orientation, { perWord, unpack }: Unpacking, tile: number): string {
  const alongK = orientation === 'NT'
  const words = (alongK ? SIDE : tile) / perWord
  const cell = (i: number) => (alongK ? `(kk + ${i}) * ${tile} + nn` : `kk * ${tile} + nn + ${i}`)
  const each = (line: (i: number) => string) =>
    Array.from({ length: perWord }, (_, i) => line(i)).join('\n            ')
  return `{
          ${
            alongK
              ? `let kk = e % ${words} * ${perWord}; let nn = e / ${words};`
              : `let nn = e % ${words} * ${perWord}; let kk = e / ${words};`
          }
          let position = first + k0 + kk;
          let column = column0 + nn;
          if (position < end && column < uniforms.n) {
            let wRow = ${alongK ? 'column' : 'position'};
            let wColumn = ${alongK ? 'position' : 'column'};
            ${unpack(alongK ? 'uniforms.k' : 'uniforms.n')}
            ${each((i) => `tileB[${cell(i)}] = v${i};`)}
          } else {
            ${each((i) => `tileB[${cell(i)}] = 0.0;`)}
          }
        }`
}

/** parts [parts, ...shape] -> their sum */
function addParts(parts: Tensor, count: number, shape: number[]): Tensor {
  const size = parts.size / count
  return run(
    {
      name: 'addParts',
      inputs: { parts },
      uniforms: { count: i32(size), parts: i32(count) },
      workgroup: [LINE, 1, 1],
      groups: lines(size),
      code: `
  fn main() {
    ${ELEMENT}
    var sum = 0.0;
    for (var part = 0; part < uniforms.parts; part++) { sum += parts[part * uniforms.count + at]; }
    result[at] = sum;
  }`,
    },
    shape,
  )
}
