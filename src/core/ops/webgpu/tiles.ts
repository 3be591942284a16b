// The two loops of every tiled product (Goto's blocking, as in every tuned GPU product): a workgroup of 256 threads makes
// a tile of C, each thread a few cells of it in registers; tiles of A and B pass through shared memory, four positions of
// the inner dimension to a vector, so that global and shared memory are read 16 bytes at a time.
// Sums go by position in a fixed order: the same numbers give the same bits. Sizes of tiles are a matter of the GPU
// (settings that suit them all reach 80% of each one's best: llama.cpp#22241), so there are several: settings.ts.

/** Threads of a workgroup, and of each side of a square of them. */
export const THREADS = 256
export const SIDE = 16
/** Positions of a round: as many as let 256 threads fetch 64 rows with one load of four each. */
const DEPTH = 16
const QUADS = DEPTH / 4
/** Vectors of a row in shared memory; the odd number keeps eight neighbouring rows on different banks. */
const PITCH = QUADS + 1
/** Fewer workgroups than this leave a GPU idle. */
const ENOUGH_GROUPS = 64

export interface Loop {
  /** i32 expressions over uniforms or the workgroup: the number of positions. */
  length: string
  /** Rows of A and columns of B that there are. */
  rows: string
  columns: string
  /** vec4<f32> expressions of `row` and `position`: A's numbers at four positions. */
  a: string
  /** B's: of `column` and `position` at four positions (along), or at four columns of one position (across). */
  b: string
  /** B's numbers are no halves: a tile of halves takes them as they are, in shorter rounds. */
  exact?: boolean
}

/** C's cells of a thread by row and column. */
export interface Tile {
  /** Rows and columns of a workgroup's tile. */
  height: number
  width: number
  /** Bytes of shared memory. */
  bytes: number
  /** Shared memory, and the registers at the start of main; `row0` and `column0` are declared by the kernel. */
  shared: string
  registers: string
  loop(loop: Loop): string
  /** Multiplies what there is by an f32 expression of i32 `column`. */
  scale(by: string): string
  /** `write` of each of the thread's cells: i32 `row` and `column`, f32 `value`. */
  store(rows: string, columns: string, write: string): string
}

/** As many cells of a thread along the rows as leave enough workgroups; `high`: rows of a tile with one cell. */
export function cellsOf(rows: number, high: number, across: number): 1 | 2 | 4 {
  const enough = ([4, 2] as const).find((cells) => Math.ceil(rows / (high * cells)) * across >= ENOUGH_GROUPS)
  return enough ?? 1
}

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
const lines = (all: string[]): string => all.join('\n      ')

/** How a round's numbers of B lie in shared memory. */
interface Shelf {
  /** Vectors of four positions that a round has. */
  quads: number
  pitch: number
  type: string
  write(at: string): string
  read(at: string): string
}

const FULL: Shelf = {
  quads: QUADS,
  pitch: PITCH,
  type: 'vec4<f32>',
  write: (at) => `tileB[${at}] = value;`,
  read: (at) => `tileB[${at}]`,
}

/** Weights that are halves already, or small whole numbers, lose nothing: half the traffic of B's tile. Sums, A and all
 *  that is trained stay float32 (llama.cpp#25748 has what halves there can come to). */
const HALVES: Shelf = {
  ...FULL,
  type: 'vec2<u32>',
  write: (at) => `tileB[${at}] = bitcast<vec2<u32>>(vec4<f16>(value));`,
  read: (at) => `vec4<f32>(bitcast<vec4<f16>>(tileB[${at}]))`,
}

/** Float32 in the same memory: half as many positions a round. */
const EXACT: Shelf = {
  quads: QUADS / 2,
  pitch: QUADS / 2,
  type: HALVES.type,
  write: (at) => `let words = bitcast<vec4<u32>>(value);
        tileB[2 * (${at})] = words.xy;
        tileB[2 * (${at}) + 1] = words.zw;`,
  read: (at) => `bitcast<vec4<f32>>(vec4<u32>(tileB[2 * (${at})], tileB[2 * (${at}) + 1]))`,
}

const shelfFor = (half: boolean, { exact }: Loop): Shelf => (!half ? FULL : exact ? EXACT : HALVES)

const loadA = (height: number, quads: number, { rows, length, a }: Loop): string => `
      for (var e = i32(localIndex); e < ${height * quads}; e += ${THREADS}) {
        let row = row0 + e / ${quads};
        let position = k0 + e % ${quads} * 4;
        var value = vec4<f32>();
        if (row < ${rows} && position < ${length}) { value = ${a}; }
        tileA[e / ${quads} * ${PITCH} + e % ${quads}] = value;
      }`

/** B [N, K] lies along the inner dimension: C = A B^T. A thread's cells are 16 rows and 16 columns apart. */
export function along(cells: number, columnCells: number, half = false): Tile {
  const [height, width] = [SIDE * cells, SIDE * columnCells]
  const pairs = count(cells).flatMap((i) => count(columnCells).map((j) => [i, j] as const))
  const { type } = half ? HALVES : FULL
  return {
    height,
    width,
    bytes: PITCH * (16 * height + (half ? 8 : 16) * width),
    shared: `
  var<workgroup> tileA : array<vec4<f32>, ${height * PITCH}>;
  var<workgroup> tileB : array<${type}, ${width * PITCH}>;`,
    registers: `
    let tx = i32(localIndex) % ${SIDE};
    let ty = i32(localIndex) / ${SIDE};
    ${pairs.map(([i, j]) => `var c${i}${j} = 0.0;`).join(' ')}`,
    loop(loop) {
      const { quads, pitch, write, read } = shelfFor(half, loop)
      return `
    for (var k0 = 0; k0 < ${loop.length}; k0 += ${4 * quads}) {${loadA(height, quads, loop)}
      for (var e = i32(localIndex); e < ${width * quads}; e += ${THREADS}) {
        let column = column0 + e / ${quads};
        let position = k0 + e % ${quads} * 4;
        var value = vec4<f32>();
        if (column < ${loop.columns} && position < ${loop.length}) { value = ${loop.b}; }
        ${write(`e / ${quads} * ${pitch} + e % ${quads}`)}
      }
      workgroupBarrier();
      for (var q = 0; q < ${quads}; q++) {
      ${lines(count(cells).map((i) => `let x${i} = tileA[(ty + ${SIDE * i}) * ${PITCH} + q];`))}
      ${lines(count(columnCells).map((j) => `let y${j} = ${read(`(tx + ${SIDE * j}) * ${pitch} + q`)};`))}
      ${lines(pairs.map(([i, j]) => `c${i}${j} += dot(x${i}, y${j});`))}
      }
      workgroupBarrier();
    }`
    },
    scale: (by) =>
      lines(
        count(columnCells).map(
          (j) => `{
        let column = column0 + tx + ${SIDE * j};
        let by = ${by};
        ${count(cells)
          .map((i) => `c${i}${j} *= by;`)
          .join(' ')}
      }`,
        ),
      ),
    store: (rows, columns, write) =>
      lines(
        pairs.map(
          ([i, j]) => `{
        let row = row0 + ty + ${SIDE * i};
        let column = column0 + tx + ${SIDE * j};
        let value = c${i}${j};
        if (row < ${rows} && column < ${columns}) { ${write} }
      }`,
        ),
      ),
  }
}

/** B [K, N] lies across it: C = A B. A thread's cells are four neighbouring columns; `quads` of them make a tile. */
export function across(cells: number, quads: 4 | 16 | 32, half = false): Tile {
  const step = THREADS / quads
  const height = step * cells
  const width = 4 * quads
  const { type } = half ? HALVES : FULL
  return {
    height,
    width,
    bytes: 16 * height * PITCH + (half ? 8 : 16) * DEPTH * quads,
    shared: `
  var<workgroup> tileA : array<vec4<f32>, ${height * PITCH}>;
  var<workgroup> tileB : array<${type}, ${DEPTH * quads}>;`,
    registers: `
    let tx = i32(localIndex) % ${quads};
    let ty = i32(localIndex) / ${quads};
    ${count(cells)
      .map((i) => `var c${i} = vec4<f32>();`)
      .join(' ')}`,
    loop(loop) {
      const shelf = shelfFor(half, loop)
      return `
    for (var k0 = 0; k0 < ${loop.length}; k0 += ${4 * shelf.quads}) {${loadA(height, shelf.quads, loop)}
      for (var e = i32(localIndex); e < ${4 * shelf.quads * quads}; e += ${THREADS}) {
        let column = column0 + e % ${quads} * 4;
        let position = k0 + e / ${quads};
        var value = vec4<f32>();
        if (column < ${loop.columns} && position < ${loop.length}) { value = ${loop.b}; }
        ${shelf.write('e')}
      }
      workgroupBarrier();
      for (var q = 0; q < ${shelf.quads}; q++) {
      ${lines(count(4).map((k) => `let y${k} = ${shelf.read(`(4 * q + ${k}) * ${quads} + tx`)};`))}
      ${lines(
        count(cells).map(
          (i) => `let x${i} = tileA[(ty + ${step * i}) * ${PITCH} + q];
      c${i} += x${i}.x * y0 + x${i}.y * y1 + x${i}.z * y2 + x${i}.w * y3;`,
        ),
      )}
      }
      workgroupBarrier();
    }`
    },
    scale: (by) =>
      lines(
        count(4).map(
          (each) => `{
        let column = column0 + tx * 4 + ${each};
        let by = ${by};
        ${count(cells)
          .map((i) => `c${i}[${each}] *= by;`)
          .join(' ')}
      }`,
        ),
      ),
    store: (rows, columns, write) =>
      lines(
        count(cells).map(
          (i) => `for (var each = 0; each < 4; each++) {
        let row = row0 + ty + ${step * i};
        let column = column0 + tx * 4 + each;
        let value = c${i}[each];
        if (row < ${rows} && column < ${columns}) { ${write} }
      }`,
        ),
      ),
  }
}

/** `fn nameOf(layer : i32) -> i32` over the uniforms name0, name1 ... */
export function byLayer(name: string, layers: number, type: 'i32' | 'f32' = 'i32'): string {
  const others = count(layers)
    .slice(1)
    .map((j) => `if (layer == ${j}) { return uniforms.${name}${j}; }`)
  return `
  fn ${name}Of(layer : i32) -> ${type} {
    ${others.join(' ')}
    return uniforms.${name}0;
  }`
}

/** `fn name(place : i32) -> i32`: which layer a place belongs to, whose ends are the uniforms end0, end1 ... */
export function layerAt(name: string, end: string, layers: number): string {
  const behind = count(layers - 1).map((j) => `select(0, 1, place >= uniforms.${end}${j})`)
  return `
  fn ${name}(place : i32) -> i32 { return ${['0', ...behind].join(' + ')}; }`
}
