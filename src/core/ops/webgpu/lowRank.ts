// The low-rank halves of adapters that share an input, for all of them in one dispatch each: s x A^T on the way forward,
// s dy B on the way back, and the gradients dA and dB, added to the flat gradient buffer where they belong. The factors are
// read where they lie in the flat parameters: A [size, in] and B [out, size] of each layer.
import type { Tensor } from '@tensorflow/tfjs-core'
import { rankCode, numbered } from './jointKernels.ts'
import { declarations, flatReader, type Reader } from './readers.ts'
import { f32, i32, run, runInPlace, type Kernel, type Uniform } from './runner.ts'
import { across, along, byLayer, cellsOf, layerAt, SIDE, THREADS } from './tiles.ts'

/** An adapter among those that share an input. */
export interface Adapter {
  /** Its first column among all ranks, and how many it has. */
  rank: number
  size: number
  /** Where A and B begin in the parameters, and in the gradients. */
  a: number
  b: number
  scale: number
  /** Its columns in y. */
  first: number
  out: number
}

export interface Adapters {
  parameters: Tensor
  list: readonly Adapter[]
  /** All ranks together. */
  ranks: number
  /** Numbers of a row of x, and of y. */
  inner: number
  width: number
}

/** s x A^T, side by side: [rows, ranks] of x [>= rows, in]. */
export function rankForward(x: Tensor, rows: number, { parameters, list, ranks, inner }: Adapters): Tensor {
  const columnCells = Math.min(4, Math.ceil(ranks / SIDE))
  const columns = Math.ceil(ranks / (SIDE * columnCells))
  const cells = cellsOf(rows, SIDE, columns)
  const tile = along(cells, columnCells)
  const whole = inner % 4 === 0
  const readers = [flatReader('x', x, whole), flatReader('parameters', parameters, whole)]
  return run(
    {
      name: 'rankForward',
      variant: [list.length, columnCells, cells, whole].join('_'),
      ...boundTo(readers, {
        rows: i32(rows),
        inner: i32(inner),
        ranks: i32(ranks),
        ...numbered(list, ({ rank, size, a }) => ({ at: a, rank, end: rank + size })),
        ...scales(list),
      }),
      groups: [columns, Math.ceil(rows / tile.height), 1],
      code: `
  ${tile.shared}
  ${declarations(readers)}
  ${rankCode(list.length)}${byLayer('scale', list.length, 'f32')}

  fn main() {
    let column0 = i32(workgroupId.x) * ${tile.width};
    let row0 = i32(workgroupId.y) * ${tile.height};
    ${tile.registers}
    ${tile.loop({
      length: 'uniforms.inner',
      rows: 'uniforms.rows',
      columns: 'uniforms.ranks',
      a: 'xAt(row * uniforms.inner + position, uniforms.inner - position)',
      b: 'parametersAt(rowOfRank(column) + position, uniforms.inner - position)',
    })}
    ${tile.store(
      'uniforms.rows',
      'uniforms.ranks',
      'result[row * uniforms.ranks + column] = value * scaleOf(layerOfRank(column));',
    )}
  }`,
    },
    [rows, ranks],
  )
}

/** s dy B, side by side: [rows, ranks] of dy [>= rows, width]. */
export function rankBackward(dy: Tensor, rows: number, { parameters, list, ranks, width }: Adapters): Tensor {
  const columnTiles = list.map(({ size }) => Math.ceil(size / 16))
  const tiles = columnTiles.reduce((sum, count) => sum + count, 0)
  const cells = cellsOf(rows, 64, tiles)
  const tile = across(cells, 4)
  const wholeDy = width % 4 === 0 && list.every(({ first, out }) => first % 4 === 0 && out % 4 === 0)
  const whole = list.every(({ size }) => size % 4 === 0)
  const readers = [flatReader('dy', dy, wholeDy), flatReader('parameters', parameters, whole)]
  let end = 0
  return run(
    {
      name: 'rankBackward',
      variant: [list.length, cells, wholeDy, whole].join('_'),
      ...boundTo(readers, {
        rows: i32(rows),
        width: i32(width),
        ranks: i32(ranks),
        ...numbered(list, ({ rank, size, b, first, out }, j) => ({
          at: b,
          rank,
          size,
          first,
          out,
          tiles: (end += columnTiles[j]!),
        })),
        ...scales(list),
      }),
      groups: [tiles, Math.ceil(rows / tile.height), 1],
      code: `
  ${tile.shared}
  ${declarations(readers)}
  ${layerAt('layerOf', 'tiles', list.length)}
  ${['at', 'rank', 'size', 'first', 'out', 'tiles'].map((name) => byLayer(name, list.length)).join('')}
  ${byLayer('scale', list.length, 'f32')}

  fn main() {
    let tile = i32(workgroupId.x);
    let layer = layerOf(tile);
    let column0 = (tile - select(0, tilesOf(layer - 1), layer > 0)) * ${tile.width};
    let row0 = i32(workgroupId.y) * ${tile.height};
    let first = firstOf(layer);
    let out = outOf(layer);
    let size = sizeOf(layer);
    let at = atOf(layer);
    ${tile.registers}
    ${tile.loop({
      length: 'out',
      rows: 'uniforms.rows',
      columns: 'size',
      a: 'dyAt(row * uniforms.width + first + position, out - position)',
      b: 'parametersAt(at + position * size + column, size - column)',
    })}
    let rank = rankOf(layer);
    let scale = scaleOf(layer);
    ${tile.store('uniforms.rows', 'size', 'result[row * uniforms.ranks + rank + column] = value * scale;')}
  }`,
    },
    [rows, ranks],
  )
}

/** Ranks and columns of a tile of the gradients, and rows of a round. */
const RANKS = 16
const COLUMNS = 64
const ROUND = 16

/**
 * Adds dA = (s dy B)^T x and dB = dy^T (s x A^T) of every adapter to the gradients. Both are sums over rows of a rank's
 * column times a row of x or dy, so one loop makes them: first the tiles of all dA, then those of each dB.
 * @param up s x A^T [rows, ranks]
 * @param down s dy B [rows, ranks]
 */
export function rankGradients(
  gradients: Tensor,
  x: Tensor,
  dy: Tensor,
  up: Tensor,
  down: Tensor,
  rows: number,
  { list, ranks, inner, width }: Adapters,
): void {
  const wholeX = inner % 4 === 0
  const wholeDy = width % 4 === 0 && list.every(({ first, out }) => first % 4 === 0 && out % 4 === 0)
  const readers = [flatReader('x', x, wholeX), flatReader('dy', dy, wholeDy)]
  const ofA = Math.ceil(ranks / RANKS) * Math.ceil(inner / COLUMNS)
  const ofB = list.map(({ size, out }) => Math.ceil(size / RANKS) * Math.ceil(out / COLUMNS))
  let end = ofA
  const kernel: Kernel = {
    name: 'rankGradients',
    variant: [list.length, wholeX, wholeDy].join('_'),
    ...boundTo(readers, {
      rows: i32(rows),
      inner: i32(inner),
      width: i32(width),
      ranks: i32(ranks),
      tiles: i32(ofA),
      ...numbered(list, ({ rank, size, a, b, first, out }, j) => ({
        at: a,
        behind: b,
        rank,
        end: rank + size,
        size,
        first,
        out,
        tiles: (end += ofB[j]!),
      })),
    }),
    groups: [end, 1, 1],
    code: `
  var<workgroup> tileRanks : array<f32, ${ROUND * RANKS}>;
  var<workgroup> tileRows : array<vec4<f32>, ${(ROUND * COLUMNS) / 4}>;
  ${declarations(readers)}
  ${rankCode(list.length)}
  ${layerAt('layerOf', 'tiles', list.length)}
  ${['behind', 'size', 'first', 'out', 'tiles'].map((name) => byLayer(name, list.length)).join('')}

  fn main() {
    let tile = i32(workgroupId.x);
    let isA = tile < uniforms.tiles;
    let layer = layerOf(tile);
    // This workgroup's ranks and columns, and how many of them there are.
    let place = tile - select(select(uniforms.tiles, tilesOf(layer - 1), layer > 0), 0, isA);
    let columns = select(outOf(layer), uniforms.inner, isA);
    let across = (columns + ${COLUMNS - 1}) / ${COLUMNS};
    let rank0 = place / across * ${RANKS};
    let column0 = place % across * ${COLUMNS};
    let size = select(sizeOf(layer), uniforms.ranks, isA);
    let rank = select(rankOf(layer), 0, isA);
    let first = firstOf(layer);
    let mine = i32(localIndex) / ${COLUMNS / 4};
    let column = i32(localIndex) % ${COLUMNS / 4} * 4;

    var sum = vec4<f32>();
    for (var row0 = 0; row0 < uniforms.rows; row0 += ${ROUND}) {
      let myRank = rank0 + i32(localIndex) % ${RANKS};
      let rankRow = row0 + i32(localIndex) / ${RANKS};
      var half = 0.0;
      if (myRank < size && rankRow < uniforms.rows) {
        let at = rankRow * uniforms.ranks + rank + myRank;
        if (isA) { half = down[at]; } else { half = up[at]; }
      }
      tileRanks[localIndex] = half;
      let row = row0 + mine;
      var four = vec4<f32>();
      if (row < uniforms.rows && column0 + column < columns) {
        let left = columns - column0 - column;
        if (isA) { four = xAt(row * uniforms.inner + column0 + column, left); }
        else { four = dyAt(row * uniforms.width + first + column0 + column, left); }
      }
      tileRows[localIndex] = four;
      workgroupBarrier();
      for (var k = 0; k < ${ROUND}; k++) {
        sum += tileRanks[k * ${RANKS} + mine] * tileRows[k * ${COLUMNS / 4} + i32(localIndex) % ${COLUMNS / 4}];
      }
      workgroupBarrier();
    }
    if (rank0 + mine >= size) { return; }
    for (var each = 0; each < 4; each++) {
      let place = column0 + column + each;
      if (place >= columns) { return; }
      // A is [size, in], B [out, size].
      var at = behindOf(layer) + place * size + rank0 + mine;
      if (isA) { at = rowOfRank(rank0 + mine) + place; }
      result[at] += sum[each];
    }
  }`,
  }
  runInPlace({ ...kernel, inputs: { ...kernel.inputs, up, down } }, gradients)
}

function boundTo(
  readers: readonly Reader[],
  uniforms: Record<string, Uniform>,
): Pick<Kernel, 'inputs' | 'uniforms' | 'workgroup'> {
  return {
    inputs: Object.assign({}, ...readers.map(({ inputs }) => inputs)) as Kernel['inputs'],
    uniforms: Object.assign(uniforms, ...readers.map((reader) => reader.uniforms)) as Kernel['uniforms'],
    workgroup: [THREADS, 1, 1],
  }
}

function scales(list: readonly Adapter[]): Record<string, Uniform> {
  return Object.fromEntries(list.map(({ scale }, j) => [`scale${j}`, f32(scale)]))
}
