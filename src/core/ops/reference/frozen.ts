// Products with frozen matrices in every precision. Packed ones are unpacked by tiles of rows, which live for one product:
// memory is bounded by the tile, whatever the matrix.
import { add, concat, slice, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { partsOf, type FrozenMatrix, type WholeMatrix } from '../matrix.ts'
import { unpackHalves } from '../quantise/f16.ts'
import { dequantiseInt8 } from '../quantise/int8.ts'
import { dequantiseNf4 } from '../quantise/nf4.ts'
import { filled, floatsOf, wordsOf } from './hostArrays.ts'
import { emptyOnWasm, matrixOf, product, productTransposed } from './matmul.ts'
import { addressOf, asTensor, ELEMENT_BYTES, isWasm, wasmBackend } from './wasmHeap.ts'
import { wasmKernels } from './wasmKernels.ts'

/** Weights of a tile: 8 MiB of float32. */
const TILE_ELEMENTS = 1 << 21

/** x [N, in] -> x W^T (+ onto, used up) [N, out] */
export function timesTransposed(
  x: Tensor,
  w: FrozenMatrix,
  onto?: Tensor,
  tileElements = TILE_ELEMENTS,
): Tensor {
  if (w.kind === 'f32') return productTransposed(x, w.data, onto)
  const kernels = wasmKernels()
  return tidy(() => {
    const tiles = tilesOf(w, tileElements)
    if (!kernels) {
      const made = tiles.map((tile) => tidy(() => productTransposed(x, tile.rows()))) // [N, rows]
      const y = made.length === 1 ? made[0]! : concat(made, 1)
      return onto ? add(onto, y) : y
    }
    const [rows, inner] = x.shape as [number, number]
    const y = onto ?? emptyOnWasm([rows, w.shape[0]]) // [N, out]
    for (const { begin, end, rows: weights } of tiles)
      tidy(() => {
        const b = matrixOf(weights(), true) // [in, end - begin]
        const whole = matrixOf(y)
        const c = { ...whole, address: whole.address + begin * ELEMENT_BYTES }
        kernels.multiply({
          rows,
          columns: end - begin,
          inner,
          a: matrixOf(x),
          b,
          c,
          more: onto !== undefined,
        })
      })
    return y
  })
}

/** dy [N, out] -> dy W (+ onto, used up) [N, in] */
export function times(dy: Tensor, w: FrozenMatrix, onto?: Tensor, tileElements = TILE_ELEMENTS): Tensor {
  if (w.kind === 'f32') return product(dy, w.data, false, false, 1, onto)
  const kernels = wasmKernels()
  return tidy(() => {
    let sum = onto
    for (const { begin, end, rows: weights } of tilesOf(w, tileElements)) {
      if (!kernels) {
        const before = sum
        sum = tidy(() => product(columnsOf(dy, begin, end - begin), weights(), false, false, 1, before)) // [N, in]
        if (before && before !== onto) before.dispose()
        continue
      }
      const out: Tensor = sum ?? emptyOnWasm([dy.shape[0]!, w.shape[1]]) // [N, in]
      tidy(() => {
        const b = matrixOf(weights()) // [end - begin, in]
        const whole = matrixOf(dy)
        const a = { ...whole, address: whole.address + begin * ELEMENT_BYTES }
        const [rows, columns] = out.shape as [number, number]
        const more = sum !== undefined
        kernels.multiply({ rows, columns, inner: end - begin, a, b, c: matrixOf(out), more })
      })
      sum = out
    }
    return sum!
  })
}

/** Rows [begin, end) of a matrix, by numbers of the whole matrix. */
interface Tile {
  begin: number
  end: number
  /** Makes them, f32 [end - begin, in]. */
  rows(): Tensor
}

function tilesOf(w: FrozenMatrix, tileElements: number): Tile[] {
  const step = Math.max(1, Math.floor(tileElements / w.shape[1]))
  const tiles: Tile[] = []
  for (const { part, begin } of partsOf(w)) {
    for (let from = 0; from < part.shape[0]; from += step) {
      const to = Math.min(from + step, part.shape[0])
      tiles.push({ begin: begin + from, end: begin + to, rows: () => denseRows(part, from, to) })
    }
  }
  return tiles
}

/** Rows [begin, end) as f32 [end - begin, in]. */
function denseRows(w: WholeMatrix, begin: number, end: number): Tensor {
  const columns = w.shape[1]
  if (w.kind === 'f32')
    return begin === 0 && end === w.shape[0] ? w.data : slice(w.data, [begin, 0], [end - begin, columns])
  return filled([end - begin, columns], (out) => unpackRows(w, begin, end, out))
}

/** Rows [begin, end) of a matrix on a backend with host arrays -> out [end - begin, in]. */
export function unpackRows(w: WholeMatrix, begin: number, end: number, out: Float32Array): void {
  const [rows, columns] = w.shape
  switch (w.kind) {
    case 'f32':
      return out.set(floatsOf(w.data).subarray(begin * columns, end * columns))
    case 'f16':
      return unpackHalves(wordsOf(w.data), columns, begin, end, out)
    case 'int8':
      return dequantiseInt8(wordsOf(w.data), floatsOf(w.scales), columns, begin, end, out)
    case 'nf4':
      return dequantiseNf4(
        wordsOf(w.data),
        wordsOf(w.absmax),
        w.absmaxOffset,
        rows * columns,
        begin * columns,
        end * columns,
        out,
      )
    default:
      return w satisfies never
  }
}

/** Columns [start, start + count) of x [N, width] -> [N, count]. On wasm tfjs's slice copies all of x out and back. */
function columnsOf(x: Tensor, start: number, count: number): Tensor {
  const [rows, width] = x.shape as [number, number]
  if (count === width) return x
  if (!isWasm()) return slice(x, [0, start], [rows, count])
  const backend = wasmBackend()
  const out = asTensor(backend.makeOutput([rows, count], 'float32'))
  const heap = backend.wasm.HEAPU8
  const target = addressOf(backend, out.dataId)
  const source = addressOf(backend, x.dataId)
  for (let row = 0; row < rows; row++) {
    const from = source + (row * width + start) * ELEMENT_BYTES
    heap.copyWithin(target + row * count * ELEMENT_BYTES, from, from + count * ELEMENT_BYTES)
  }
  return out
}
