// Tiled matrix products: C = alpha op(A) op(B) + beta op(A2) op(B2) + bias in one dispatch, so that a layer and its
// low-rank adapter are one kernel. Each workgroup of 16 x 16 threads makes a tile of C, each thread a few cells of it
// in registers; tiles of A and B pass through shared memory (Goto's blocking, as in every tuned GPU product).
// Where C has few tiles and the inner dimension is long, it is split and the parts are added up in a second dispatch:
// in a fixed order, so the same step gives the same bits.
import type { Tensor } from '@tensorflow/tfjs-core'
import { ELEMENT, f32, i32, LINE, lines, run, runInPlace, type Kernel } from './runner.ts'

/** NT: A [M, K], B [N, K].  NN: A [M, K], B [K, N].  TN: A [K, M], B [K, N]. */
export type Orientation = 'NT' | 'NN' | 'TN'

export interface Product {
  a: Tensor
  b: Tensor
  orientation: Orientation
  m: number
  n: number
  k: number
  alpha?: number
  /** A second product of the same orientation, with its own inner dimension. */
  second?: { a: Tensor; b: Tensor; k: number; beta: number }
  /** [n] */
  bias?: Tensor
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
    groups < ENOUGH_GROUPS && !given.second && !given.bias
      ? Math.min(MAX_PARTS, Math.ceil(ENOUGH_GROUPS / groups), Math.max(1, Math.floor(k / PART)))
      : 1
  const c = run(kernelFor(given, cells, parts), parts === 1 ? [m, n] : [parts, m, n])
  if (parts === 1) return c
  const sum = addParts(c, parts, [m, n])
  c.dispose()
  return sum
}

/** The same, written to the first m x n elements of an existing tensor. */
export function productInto(target: Tensor, given: Product): void {
  runInPlace(kernelFor(given, cellsFor(given.m, given.n), 1), target)
}

/** Cells of a thread along each side: as many as leave enough workgroups. */
function cellsFor(m: number, n: number): number {
  return [4, 2].find((cells) => tiles(m, cells) * tiles(n, cells) >= ENOUGH_GROUPS) ?? 1
}

function tiles(extent: number, cells: number): number {
  return Math.ceil(extent / (SIDE * cells))
}

function kernelFor(given: Product, cells: number, parts: number): Kernel {
  const { a, b, orientation, m, n, k, alpha = 1, second, bias } = given
  const part = Math.ceil(k / parts / SIDE) * SIDE
  return {
    name: 'product',
    variant: [orientation, cells, second ? 'second' : '', bias ? 'bias' : ''].join('_'),
    inputs: { a, b, ...(second ? { a2: second.a, b2: second.b } : {}), ...(bias ? { bias } : {}) },
    uniforms: {
      m: i32(m),
      n: i32(n),
      k: i32(k),
      part: i32(part),
      alpha: f32(alpha),
      ...(second ? { k2: i32(second.k), beta: f32(second.beta) } : {}),
    },
    workgroup: [SIDE, SIDE, 1],
    groups: [tiles(n, cells), tiles(m, cells), parts],
    code: codeFor(orientation, cells, second !== undefined, bias !== undefined),
  }
}

/** Names in the code: the arrays, their inner length, and the range of inner positions that is added up. */
interface Range {
  a: string
  b: string
  inner: string
  /** First position of the range, its length (the same for every workgroup), and where to stop loading. */
  first: string
  length: string
  end: string
}

function codeFor(orientation: Orientation, cells: number, second: boolean, bias: boolean): string {
  const tile = SIDE * cells
  const each = Array.from({ length: cells }, (_, i) => i)
  const pairs = each.flatMap((i) => each.map((j) => [i, j] as const))
  const join = (lines: string[]): string => lines.join('\n      ')

  // The rounds of the loop depend on uniforms alone, as WGSL asks of everything around a barrier; positions outside
  // the range load zeros.
  const accumulate = (range: Range): string => `
    for (var k0 = 0; k0 < ${range.length}; k0 += ${SIDE}) {
      for (var e = i32(localIndex); e < ${tile * SIDE}; e += ${SIDE * SIDE}) {
        ${loadA(orientation, range, tile)}
        ${loadB(orientation, range, tile)}
      }
      workgroupBarrier();
      for (var kk = 0; kk < ${SIDE}; kk++) {
        ${join(each.map((i) => `let x${i} = tileA[kk * ${tile} + ty + ${SIDE * i}];`))}
        ${join(each.map((j) => `let y${j} = tileB[kk * ${tile} + tx + ${SIDE * j}];`))}
        ${join(pairs.map(([i, j]) => `c${i}${j} = fma(x${i}, y${j}, c${i}${j});`))}
      }
      workgroupBarrier();
    }`

  const main: Range = {
    a: 'a',
    b: 'b',
    inner: 'uniforms.k',
    first: 'first',
    length: 'uniforms.part',
    end: 'end',
  }
  const low: Range = {
    a: 'a2',
    b: 'b2',
    inner: 'uniforms.k2',
    first: '0',
    length: 'uniforms.k2',
    end: 'uniforms.k2',
  }
  return `
  var<workgroup> tileA : array<f32, ${tile * SIDE}>;
  var<workgroup> tileB : array<f32, ${tile * SIDE}>;

  fn main() {
    let tx = i32(localId.x);
    let ty = i32(localId.y);
    let row0 = i32(workgroupId.y) * ${tile};
    let column0 = i32(workgroupId.x) * ${tile};
    let first = i32(workgroupId.z) * uniforms.part;
    let end = min(uniforms.k, first + uniforms.part);
    ${join(pairs.map(([i, j]) => `var c${i}${j} = 0.0;`))}
    ${accumulate(main)}
    ${join(pairs.map(([i, j]) => `c${i}${j} *= uniforms.alpha;`))}
    ${
      second
        ? `${join(pairs.map(([i, j]) => `let d${i}${j} = c${i}${j}; c${i}${j} = 0.0;`))}
    ${accumulate(low)}
    ${join(pairs.map(([i, j]) => `c${i}${j} = d${i}${j} + uniforms.beta * c${i}${j};`))}`
        : ''
    }
    let base = i32(workgroupId.z) * uniforms.m * uniforms.n;
    ${join(
      pairs.map(
        ([i, j]) => `{
        let row = row0 + ty + ${SIDE * i};
        let column = column0 + tx + ${SIDE * j};
        if (row < uniforms.m && column < uniforms.n) {
          result[base + row * uniforms.n + column] = c${i}${j}${bias ? ' + bias[column]' : ''};
        }
      }`,
      ),
    )}
  }`
}

/** Fills element e of the shared tile of A, tileA[k][m], with neighbouring threads on neighbouring addresses. */
function loadA(orientation: Orientation, { a, inner, first, end }: Range, tile: number): string {
  const alongM = orientation === 'TN'
  return `{
          ${alongM ? `let kk = e / ${tile}; let mm = e % ${tile};` : `let kk = e % ${SIDE}; let mm = e / ${SIDE};`}
          let position = ${first} + k0 + kk;
          let row = row0 + mm;
          var value = 0.0;
          if (position < ${end} && row < uniforms.m) {
            value = ${a}[${alongM ? 'position * uniforms.m + row' : `row * ${inner} + position`}];
          }
          tileA[kk * ${tile} + mm] = value;
        }`
}

/** Fills element e of the shared tile of B, tileB[k][n]. */
function loadB(orientation: Orientation, { b, inner, first, end }: Range, tile: number): string {
  const alongK = orientation === 'NT'
  return `{
          ${alongK ? `let kk = e % ${SIDE}; let nn = e / ${SIDE};` : `let kk = e / ${tile}; let nn = e % ${tile};`}
          let position = ${first} + k0 + kk;
          let column = column0 + nn;
          var value = 0.0;
          if (position < ${end} && column < uniforms.n) {
            value = ${b}[${alongK ? `column * ${inner} + position` : 'position * uniforms.n + column'}];
          }
          tileB[kk * ${tile} + nn] = value;
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
