// Products of few rows with frozen layers that share an input: what a token costs while a text is written. Such a product
// reads every weight once and is bound by that, so there are no tiles: some threads share a row of weights, read
// neighbouring pieces of it, and add their parts up in a fixed order. A norm before it, adapters, biases, an addend, and
// for MLPs the gate behind it, are part of the same dispatch.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { Activation } from '../ops.ts'
import type { RowNorm } from '../step.ts'
import { activationCode } from './activation.ts'
import { numbered, type LowRank } from './jointKernels.ts'
import { flatReader, type Reader } from './readers.ts'
import { bindingsOf, pieceReader, type PieceReader, type RowWeights } from './rowReaders.ts'
import { f32, i32, maxBindings, runInPlace, scratch, type Kernel } from './runner.ts'
import { byLayer, layerAt } from './tiles.ts'

/** Rows of x at most: with more, the tiled products are faster. */
export const FEW_ROWS = 8

/** Numbers of a row that fit shared memory beside the sums, for a norm to be part of the product: 12 KiB. */
const STAGED = 3072

/** Rows of weights from which on threads make two or four of them each, so that x is read less often. */
const MANY = [4096, 16_384] as const

export interface RowLayer {
  w: RowWeights
  /** Its first column in y. */
  first: number
  /** Its adapter: the rank's first column among all ranks, and where B begins in the parameters. */
  low?: { rank: number; size: number; at: number }
  /** Factor of its columns; default 1. */
  scale?: number
}

export interface RowProduct {
  /** [>= rows, in] */
  x: Tensor
  rows: number
  inner: number
  layers: readonly RowLayer[]
  /** Columns of y. */
  width: number
  /** Applied to x first; one row only, and see `canNorm`. */
  norm?: RowNorm | undefined
  /** x A^T, scaled, and the factors B. */
  low?: LowRank | undefined
  /** [width] */
  bias?: Tensor | undefined
  /** Factors [width] of the frozen products, before adapters and biases: DoRA. */
  gain?: Tensor | undefined
  /** [rows, width] */
  plus?: Tensor | undefined
  /** Behind everything, where nothing is added. */
  then?: Activation | undefined
}

/** Whether a norm over rows of so many numbers can be part of a product. */
export const canNorm = (inner: number): boolean => inner % 4 === 0 && inner <= STAGED

/** y [rows, width]; `bindings`: buffers that a kernel may be bound to. */
export function rowProduct(given: RowProduct, bindings = maxBindings()): Tensor {
  const y = scratch([given.rows, given.width])
  let chunk: RowLayer[] = []
  let left = bindings - othersOf(given)
  for (const layer of given.layers) {
    const own = bindingsOf(layer.w)
    if (own > left && chunk.length > 0) {
      runInPlace(kernelOf(given, chunk), y)
      chunk = []
      left = bindings - othersOf(given)
    }
    chunk.push(layer)
    left -= own
  }
  runInPlace(kernelOf(given, chunk), y)
  return y
}

/** act(x W_0^T) * (x W_1^T) [rows, out] of two layers of one shape, adapters and biases [2 out] included; null where the
 *  device has too few bindings for it. */
export function gatedRowProduct(
  act: Activation,
  given: Omit<RowProduct, 'plus' | 'then'>,
  bindings = maxBindings(),
): Tensor | null {
  const own = given.layers.reduce((sum, { w }) => sum + bindingsOf(w), 0)
  if (othersOf(given) + own > bindings) return null
  const y = scratch([given.rows, given.width / 2])
  runInPlace(kernelOf(given, given.layers, act), y)
  return y
}

/** Bindings beside those of the weights. */
function othersOf({ norm, low, bias, gain, plus }: RowProduct): number {
  return (
    2 + (gain ? 1 : 0) + (norm ? (norm.bias ? 2 : 1) : 0) + (low ? 2 : 0) + (bias ? 1 : 0) + (plus ? 1 : 0)
  )
}

function kernelOf(given: RowProduct, layers: readonly RowLayer[], act?: Activation): Kernel {
  const { x, rows, inner, width, norm, low, bias, gain, plus, then } = given
  const adapted = low && layers.some((layer) => layer.low) ? low : undefined
  const weights = layers.map(({ w }, j) => pieceReader(`w${j}`, w))
  const threads = weights.every(({ wide }) => wide) ? 128 : 256
  const pieces = Math.ceil(inner / Math.min(...weights.map(({ columns }) => columns)))
  const lanes = pieces > 128 ? 32 : 16
  const teams = threads / lanes
  const most = Math.max(...layers.map(({ w }) => w.shape[0]))
  const each = act || rows > 2 ? 1 : most >= MANY[1] ? 4 : most >= MANY[0] ? 2 : 1
  const wholeX = inner % 4 === 0
  const scaled = layers.some(({ scale = 1 }) => scale !== 1)
  const readers: Pick<Reader, 'variant' | 'inputs' | 'uniforms' | 'code' | 'shared' | 'start'>[] = [
    flatReader('x', x, wholeX),
    ...weights,
  ]
  if (norm) {
    readers.push(flatReader('normWeight', norm.weight, true))
    if (norm.bias) readers.push(flatReader('normBias', norm.bias, true))
  }
  if (adapted) {
    const sizes = layers.flatMap(({ low: own }) => (own ? [own.size, own.rank, own.at] : []))
    readers.push(
      flatReader('halves', adapted.halves, [...sizes, adapted.ranks].every(wholeFour)),
      flatReader('parameters', adapted.parameters, sizes.every(wholeFour)),
    )
  }
  // Workgroups of a layer; gate and up share theirs.
  const groups = layers.map(({ w }) => Math.ceil(w.shape[0] / (teams * each)))
  let end = 0
  const tiles = act ? groups[0]! : groups.reduce((sum, count) => sum + count, 0)
  const sums = act ? layers.length : each
  const shape: Shape = {
    rows,
    sums,
    each,
    lanes,
    threads,
    normed: norm !== undefined,
    gained: gain !== undefined,
  }
  const bodies = layers.map((layer, j) => loop(weights[j]!, j, shape, act ? j : null, adapted && layer))
  const cell = 'row * uniforms.width + first + column'
  return {
    name: act ? 'gatedRowProduct' : 'rowProduct',
    variant: [
      layers.length,
      rows,
      each,
      lanes,
      threads,
      ...readers.map(({ variant }) => variant),
      norm ? `${norm.kind}${norm.bias ? 'bias' : ''}${inner}` : '',
      adapted ? `low${layers.map((layer) => (layer.low ? 1 : 0)).join('')}` : '',
      bias ? 'bias' : '',
      gain ? 'gain' : '',
      plus ? 'plus' : '',
      scaled ? 'scaled' : '',
      act ?? '',
      then ? `then${then}` : '',
    ].join('_'),
    inputs: {
      ...Object.assign({}, ...readers.map(({ inputs }) => inputs)),
      ...(bias && { bias }),
      ...(gain && { gain }),
      ...(plus && { plus }),
    },
    uniforms: {
      inner: i32(inner),
      width: i32(act ? width / 2 : width),
      ...numbered(layers, ({ w, first, low: own }, j) => ({
        out: w.shape[0],
        first,
        tiles: (end += groups[j]!),
        ...(adapted && { rank: own?.rank ?? 0, size: own?.size ?? 0, at: own?.at ?? 0 }),
      })),
      ...(adapted && { ranks: i32(adapted.ranks) }),
      ...(norm && { eps: f32(norm.eps) }),
      ...(scaled && Object.fromEntries(layers.map(({ scale = 1 }, j) => [`scale${j}`, f32(scale)] as const))),
      ...Object.assign({}, ...readers.map(({ uniforms }) => uniforms)),
    },
    workgroup: [threads, 1, 1],
    groups: tiles,
    code: `
  var<workgroup> partial : array<f32, ${threads * sums * rows}>;
  ${norm ? `var<workgroup> staged : array<vec4<f32>, ${inner / 4}>;` : ''}
  ${[...new Set(readers.flatMap((reader) => reader.shared ?? []))].join('\n')}
  ${readers.map(({ code }) => code).join('\n')}
  ${layerAt('layerOf', 'tiles', layers.length)}
  ${['out', 'first', 'tiles'].map((name) => byLayer(name, layers.length)).join('')}
  ${scaled ? byLayer('scale', layers.length, 'f32') : ''}
  ${act ? activationCode(act) : then ? activationCode(then) : ''}
  ${norm ? stage(norm, inner, threads) : ''}

  fn main() {
    ${[...new Set(readers.flatMap((reader) => reader.start ?? []))].join('\n')}
    ${norm ? 'stageRow();' : ''}
    // The last groups may have no rows, and then repeat the last ones: barriers must be reached by all.
    let tile = min(groupIndex(), ${act ? 'tilesOf(0)' : `tilesOf(${layers.length - 1})`} - 1);
    let layer = ${act ? '0' : 'layerOf(tile)'};
    let out = outOf(layer);
    let firstRow = (tile - select(0, tilesOf(layer - 1), layer > 0)) * ${teams * each};
    let lane = i32(localIndex) % ${lanes};
    let weightRow = firstRow + i32(localIndex) / ${lanes} * ${each};
    ${list(rows, (m) => list(sums, (r) => `var a${m}_${r} = 0.0;`))}
    ${act ? bodies.join('\n') : bodies.map((body, j) => (bodies.length === 1 ? body : `if (layer == ${j}) {${body}}`)).join('\n    ')}
    ${list(rows, (m) => list(sums, (r) => `partial[${(m * sums + r) * threads}u + localIndex] = a${m}_${r};`))}
    workgroupBarrier();
    if (groupIndex() > tile) { return; }
    let first = firstOf(layer);
    ${
      act
        ? `for (var cell = i32(localIndex); cell < ${rows * teams}; cell += ${threads}) {
      let row = cell / ${teams};
      let column = firstRow + cell % ${teams};
      if (column < out) {
        var pair = array<f32, 2>();
        for (var half = 0; half < 2; half++) {
          let begin = (row * 2 + half) * ${threads} + cell % ${teams} * ${lanes};
          for (var k = 0; k < ${lanes}; k++) { pair[half] += partial[begin + k]; }
        }
        ${bias ? 'pair[0] += bias[column]; pair[1] += bias[out + column];' : ''}
        result[row * uniforms.width + column] = value(pair[0]) * pair[1];
      }
    }`
        : `for (var cell = i32(localIndex); cell < ${rows * each * teams}; cell += ${threads}) {
      let row = cell / ${each * teams};
      let column = firstRow + cell % ${each * teams};
      if (column < out) {
        let begin = (row * ${each} + cell % ${each}) * ${threads} + cell % ${each * teams} / ${each} * ${lanes};
        var sum = 0.0;
        for (var k = 0; k < ${lanes}; k++) { sum += partial[begin + k]; }
        ${scaled ? 'sum *= scaleOf(layer);' : ''}
        ${
          then
            ? `result[${cell}] = value(sum${bias ? ' + bias[first + column]' : ''});`
            : `result[${cell}] = sum${bias ? ' + bias[first + column]' : ''}${plus ? ` + plus[${cell}]` : ''};`
        }
      }
    }`
    }
  }`,
  }
}

interface Shape {
  rows: number
  /** Sums of a thread for each row of x. */
  sums: number
  /** Rows of weights of a thread. */
  each: number
  lanes: number
  threads: number
  normed: boolean
  gained: boolean
}

/** Adds this thread's part of layer j to its sums; `only`: the one sum that is this layer's. */
function loop(
  reader: PieceReader,
  j: number,
  { rows, sums, lanes, normed, gained }: Shape,
  only: number | null,
  adapted: RowLayer | undefined,
): string {
  const quads = reader.columns / 4
  const mine = only === null ? Array.from({ length: sums }, (_, r) => r) : [only]
  const rowOf = (r: number) => `min(weightRow + ${only === null ? r : 0}, uniforms.out${j} - 1)`
  const part = (r: number, m: number) =>
    Array.from({ length: quads }, (_, q) => `dot(p${r}_${q}, x${m}_${q})`).join(' + ')
  const factors = (r: number) => [
    ...(reader.factor ? [reader.factor(rowOf(r))] : []),
    ...(gained ? [`gain[uniforms.first${j} + ${rowOf(r)}]`] : []),
  ]
  return `
    for (var piece = lane; piece * ${reader.columns} < uniforms.inner; piece += ${lanes}) {
      let position = piece * ${reader.columns};
      ${list(rows, (m) =>
        list(quads, (q) =>
          normed
            ? `let x${m}_${q} = staged[position / 4 + ${q}];`
            : `let x${m}_${q} = xAt(${m} * uniforms.inner + position + ${4 * q}, uniforms.inner - position - ${4 * q});`,
        ),
      )}
      ${mine
        .map(
          (r) => `${reader.read(rowOf(r), 'piece', `p${r}_`)}
      ${list(rows, (m) => `a${m}_${r} += ${part(r, m)};`)}`,
        )
        .join('\n      ')}
    }
    ${
      factors(0).length > 0
        ? mine
            .map(
              (r) =>
                `{ let factor = ${factors(r).join(' * ')}; ${list(rows, (m) => `a${m}_${r} *= factor;`)} }`,
            )
            .join('\n    ')
        : ''
    }
    ${
      adapted?.low
        ? `for (var rank = lane * 4; rank < uniforms.size${j}; rank += ${4 * lanes}) {
      let left = uniforms.size${j} - rank;
      ${list(rows, (m) => `let u${m} = halvesAt(${m} * uniforms.ranks + uniforms.rank${j} + rank, left);`)}
      ${mine.map((r) => `{ let b = parametersAt(uniforms.at${j} + ${rowOf(r)} * uniforms.size${j} + rank, left); ${list(rows, (m) => `a${m}_${r} += dot(u${m}, b);`)} }`).join('\n      ')}
    }`
        : ''
    }`
}

/** `stageRow()` puts the normalised row into shared memory; the formulas are those of reference/rmsNorm.ts, layerNorm.ts. */
function stage(norm: RowNorm, inner: number, threads: number): string {
  const quads = inner / 4
  const eachQuad = (body: string) => `
    for (var q = i32(localIndex); q < ${quads}; q += ${threads}) { ${body} }`
  const layer = norm.kind === 'layer'
  return `
  var<workgroup> shares : array<f32, ${threads}>;
  fn meanOfRow(value : f32) -> f32 {
    shares[localIndex] = value;
    workgroupBarrier();
    for (var half = ${threads / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) { shares[localIndex] += shares[localIndex + half]; }
      workgroupBarrier();
    }
    let mean = shares[0] / ${inner}.0;
    workgroupBarrier();
    return mean;
  }
  fn stageRow() {
    var sum = 0.0;
    ${eachQuad(`let v = xAt(4 * q, 4); staged[q] = v; sum += dot(v, ${layer ? 'vec4<f32>(1.0)' : 'v'});`)}
    let first = meanOfRow(sum);
    ${
      layer
        ? `var squares = 0.0;
    ${eachQuad('let v = staged[q] - first; staged[q] = v; squares += dot(v, v);')}
    let rho = inverseSqrt(meanOfRow(squares) + uniforms.eps);`
        : 'let rho = inverseSqrt(first + uniforms.eps);'
    }
    ${eachQuad(`staged[q] = staged[q] * rho * normWeightAt(4 * q, 4)${norm.bias ? ' + normBiasAt(4 * q, 4)' : ''};`)}
    workgroupBarrier();
  }`
}

const wholeFour = (count: number): boolean => count % 4 === 0

function list(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i)).join(' ')
}
