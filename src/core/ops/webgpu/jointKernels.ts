// The kernels of layers that share an input (joint.ts): the frozen products of all of them, their low-rank parts, biases and
// an addend in one dispatch, with tiles as the setting says.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { WholeMatrix } from '../matrix.ts'
import {
  beginning,
  codeReader,
  declarations,
  flatReader,
  hasHalfCodes,
  weightReader,
  type Reader,
} from './readers.ts'
import { i32, type Kernel, type Uniform } from './runner.ts'
import { byLayer, layerAt, THREADS } from './tiles.ts'
import { enables, tileOf, type TiledShape } from './tuning/settings.ts'

/** One of the layers. */
export interface JointLayer {
  w: WholeMatrix
  /** Its first column in y. */
  first: number
  /** Its adapter: the rank's first column among all ranks, and where its factor begins in the parameters. */
  low?: { rank: number; size: number; at: number }
}

/** Low-rank halves [N, ranks] beside the layers, scaled, and the tensor with the other factors. */
export interface LowRank {
  halves: Tensor
  ranks: number
  parameters: Tensor
}

export interface Forward {
  /** [>= from + rows, in], rows of `inner` numbers. */
  x: Tensor
  /** The first row of x; default 0. */
  from?: number
  rows: number
  inner: number
  layers: readonly JointLayer[]
  /** Columns of y. */
  width: number
  /** x A^T, scaled, and the factors B [out, size]. */
  low?: LowRank | undefined
  /** [width] */
  bias?: Tensor | undefined
  /** [rows, width], added. */
  plus?: Tensor | undefined
}

export interface Backward {
  /** [>= rows, width] */
  dy: Tensor
  rows: number
  /** The first row of dx; default 0. */
  to?: number
  width: number
  /** Columns of dx. */
  inner: number
  layers: readonly JointLayer[]
  /** dy B, scaled, and the factors A [size, in]. */
  low?: LowRank | undefined
  /** [rows, inner], added. */
  plus?: Tensor | undefined
}

export function forwardShape(rows: number, layers: readonly JointLayer[]): TiledShape {
  return {
    side: 'along',
    rows,
    columnTiles: (width) => layers.reduce((sum, { w }) => sum + Math.ceil(w.shape[0] / width), 0),
    half: layers.every(({ w }) => hasHalfCodes(w)),
  }
}

export function backwardShape(rows: number, inner: number, layers: readonly JointLayer[]): TiledShape {
  return { ...forwardShape(rows, layers), side: 'across', columnTiles: (width) => Math.ceil(inner / width) }
}

export function forwardKernel(given: Forward, layers: readonly JointLayer[], setting: string): Kernel {
  const { x, from = 0, rows, inner, width, low, bias, plus } = given
  const adapted = low && layers.some((layer) => layer.low) ? low : undefined
  const enable = enables(setting)
  const half = enable.includes('f16')
  const tile = tileOf(setting, forwardShape(rows, layers))
  const columnTiles = layers.map(({ w }) => Math.ceil(w.shape[0] / tile.width))
  const tiles = columnTiles.reduce((sum, count) => sum + count, 0)
  const weights = layers.map(({ w }, j) => (half ? codeReader : weightReader)(`w${j}`, w))
  const scaled = half && layers.some(({ w }) => w.kind === 'int8')
  const readers: Reader[] = [flatReader('x', x, inner % 4 === 0), ...weights]
  if (adapted) {
    const whole = layers.every((layer) => (layer.low?.size ?? 0) % 4 === 0)
    const ranks = layers.every((layer) => (layer.low?.rank ?? 0) % 4 === 0) && adapted.ranks % 4 === 0
    readers.push(flatReader('halves', adapted.halves, whole && ranks))
    readers.push(flatReader('parameters', adapted.parameters, whole))
  }
  let end = 0
  return {
    name: 'joint',
    variant: [
      layers.length,
      `${tile.height}x${tile.width}`,
      half ? 'f16' : '',
      ...readers.map(({ variant }) => variant),
      adapted ? 'low' : '',
      bias ? 'bias' : '',
      plus ? 'plus' : '',
    ].join('_'),
    inputs: {
      ...Object.assign({}, ...readers.map(({ inputs }) => inputs)),
      ...(bias && { bias }),
      ...(plus && { plus }),
    },
    uniforms: {
      rows: i32(rows),
      start: i32(from),
      inner: i32(inner),
      width: i32(width),
      ...numbered(layers, ({ w, first, low: own }, j) => ({
        out: w.shape[0],
        first,
        tiles: (end += columnTiles[j]!),
        ...(adapted && { rank: own?.rank ?? 0, size: own?.size ?? 0, at: own?.at ?? 0 }),
      })),
      ...(adapted && {
        ranks: i32(adapted.ranks),
        largest: i32(Math.max(...layers.map((layer) => layer.low?.size ?? 0))),
      }),
      ...Object.assign({}, ...readers.map(({ uniforms }) => uniforms)),
    },
    workgroup: [THREADS, 1, 1],
    groups: [tiles, Math.ceil(rows / tile.height), 1],
    enable,
    code: `
  ${tile.shared}
  ${declarations(readers)}
  ${layerAt('layerOf', 'tiles', layers.length)}
  ${['out', 'first', 'tiles', ...(adapted ? ['rank', 'size', 'at'] : [])].map((name) => byLayer(name, layers.length)).join('')}
  fn weightAt(layer : i32, row : i32, column : i32) -> vec4<f32> {
    ${layers.map((_, j) => (j === 0 ? '' : `if (layer == ${j}) { return w${j}At(row, column); }`)).join(' ')}
    return w0At(row, column);
  }
  ${
    scaled
      ? `fn scaleAt(layer : i32, row : i32) -> f32 {
    ${layers.map((_, j) => (j === 0 ? '' : `if (layer == ${j}) { return w${j}Scale(row); }`)).join(' ')}
    return w0Scale(row);
  }`
      : ''
  }

  fn main() {
    ${beginning(readers)}
    let tile = i32(workgroupId.x);
    let layer = layerOf(tile);
    let out = outOf(layer);
    let column0 = (tile - select(0, tilesOf(layer - 1), layer > 0)) * ${tile.width};
    let row0 = i32(workgroupId.y) * ${tile.height};
    ${tile.registers}
    ${tile.loop({
      length: 'uniforms.inner',
      rows: 'uniforms.rows',
      columns: 'out',
      a: 'xAt((uniforms.start + row) * uniforms.inner + position, uniforms.inner - position)',
      b: 'weightAt(layer, column, position)',
    })}
    ${scaled ? tile.scale('scaleAt(layer, min(column, out - 1))') : ''}
    ${
      adapted
        ? `let rank = rankOf(layer);
    let size = sizeOf(layer);
    let at = atOf(layer);
    ${tile.loop({
      length: 'uniforms.largest',
      rows: 'select(0, uniforms.rows, position < size)',
      columns: 'select(0, out, position < size)',
      a: 'halvesAt(row * uniforms.ranks + rank + position, size - position)',
      b: 'parametersAt(at + column * size + position, size - position)',
      exact: true,
    })}`
        : ''
    }
    let first = firstOf(layer);
    ${tile.store(
      'uniforms.rows',
      'out',
      `let cell = row * uniforms.width + first + column;
        result[cell] = value${bias ? ' + bias[first + column]' : ''}${plus ? ' + plus[cell]' : ''};`,
    )}
  }`,
  }
}

export function backwardKernel(
  given: Backward,
  layers: readonly JointLayer[],
  more: boolean,
  setting: string,
): Kernel {
  const { dy, rows, to = 0, width, inner, low, plus } = given
  const lows = low ? layers.flatMap((layer) => layer.low ?? []) : []
  const adapted = lows.length > 0 ? low : undefined
  const enable = enables(setting)
  const half = enable.includes('f16')
  const tile = tileOf(setting, backwardShape(rows, inner, layers))
  const whole = width % 4 === 0 && layers.every(({ w, first }) => first % 4 === 0 && w.shape[0] % 4 === 0)
  const readers: Reader[] = [
    flatReader('dy', dy, whole),
    ...layers.map(({ w }, j) => (half ? codeReader : weightReader)(`w${j}`, w)),
  ]
  if (adapted) {
    const ranks = [adapted.ranks, lows[0]!.rank, ...lows.map(({ size }) => size)]
    readers.push(
      flatReader(
        'halves',
        adapted.halves,
        ranks.every((rank) => rank % 4 === 0),
      ),
      flatReader('parameters', adapted.parameters, inner % 4 === 0),
    )
  }
  const first = !more
  return {
    name: 'jointBackward',
    variant: [
      layers.length,
      lows.length,
      `${tile.height}x${tile.width}`,
      half ? 'f16' : '',
      ...readers.map(({ variant }) => variant),
      first ? '' : 'more',
      plus ? 'plus' : '',
    ].join('_'),
    inputs: {
      ...Object.assign({}, ...readers.map(({ inputs }) => inputs)),
      ...(plus && first && { plus }),
    },
    uniforms: {
      rows: i32(rows),
      start: i32(to),
      inner: i32(inner),
      width: i32(width),
      ...numbered(layers, ({ w, first: begin }) => ({ out: w.shape[0], first: begin })),
      ...(adapted && {
        ranks: i32(adapted.ranks),
        begin: i32(lows[0]!.rank),
        length: i32(lows.reduce((sum, { size }) => sum + size, 0)),
        ...numbered(lows, ({ rank, size, at }) => ({ at, rank, end: rank + size })),
      }),
      ...Object.assign({}, ...readers.map(({ uniforms }) => uniforms)),
    },
    workgroup: [THREADS, 1, 1],
    groups: [Math.ceil(inner / tile.width), Math.ceil(rows / tile.height), 1],
    enable,
    code: `
  ${tile.shared}
  ${declarations(readers)}
  ${layers.map(({ w }, j) => (half && w.kind === 'int8' ? fourScales(j) : '')).join('')}
  ${adapted ? rankCode(lows.length) : ''}

  fn main() {
    ${beginning(readers)}
    let column0 = i32(workgroupId.x) * ${tile.width};
    let row0 = i32(workgroupId.y) * ${tile.height};
    ${tile.registers}
    ${layers
      .map(({ w }, j) =>
        tile.loop({
          length: `uniforms.out${j}`,
          rows: 'uniforms.rows',
          columns: 'uniforms.inner',
          // The scale of a row of W belongs to a position here: it goes with dy.
          a: `dyAt(row * uniforms.width + uniforms.first${j} + position, uniforms.out${j} - position)${
            half && w.kind === 'int8' ? ` * scales${j}At(position)` : ''
          }`,
          b: `w${j}At(position, column)`,
        }),
      )
      .join('')}
    ${
      adapted
        ? tile.loop({
            length: 'uniforms.length',
            rows: 'uniforms.rows',
            columns: 'uniforms.inner',
            a: 'halvesAt(row * uniforms.ranks + uniforms.begin + position, uniforms.length - position)',
            b: 'parametersAt(rowOfRank(uniforms.begin + position) + column, uniforms.inner - column)',
            exact: true,
          })
        : ''
    }
    ${tile.store(
      'uniforms.rows',
      'uniforms.inner',
      `let cell = (uniforms.start + row) * uniforms.inner + column;
        result[cell] = value${plus && first ? ' + plus[cell]' : ''}${first ? '' : ' + result[cell]'};`,
    )}
  }`,
  }
}

/** `scalesAt(position)`: the scales of four rows of a matrix; those behind its last are multiplied by zeros. */
function fourScales(layer: number): string {
  const each = [0, 1, 2, 3].map((i) => `w${layer}Scale(min(position + ${i}, last))`)
  return `
  fn scales${layer}At(position : i32) -> vec4<f32> {
    let last = uniforms.out${layer} - 1;
    return vec4<f32>(${each.join(', ')});
  }`
}

/** `rowOfRank(place)`: where the row of A of a rank among all begins in the parameters; over at, rank, end and inner. */
export function rankCode(layers: number): string {
  return `${layerAt('layerOfRank', 'end', layers)}${byLayer('at', layers)}${byLayer('rank', layers)}
  fn rowOfRank(place : i32) -> i32 {
    let layer = layerOfRank(place);
    return atOf(layer) + (place - rankOf(layer)) * uniforms.inner;
  }`
}

/** Integers of each layer as uniforms with its number behind the name. */
export function numbered<T>(
  layers: readonly T[],
  of: (layer: T, place: number) => Record<string, number>,
): Record<string, Uniform> {
  return Object.fromEntries(
    layers.flatMap((layer, j) =>
      Object.entries(of(layer, j)).map(([name, value]) => [`${name}${j}`, i32(value)]),
    ),
  )
}
