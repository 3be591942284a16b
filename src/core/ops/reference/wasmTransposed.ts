// a^T b on the wasm backend, both matrices read as they lie. tfjs's module would want a transposed first and packs b anew
// for each product, which costs more than the product itself where one side is as narrow as the rank of an adapter:
// dA = du^T x, dB = dy^T u; and dK, dV of attention, whose scores are the largest tensors of a block.
// The result is made in tiles of 4 x 8 that stay in registers over a stretch of rows short enough for the nearest cache.
import type { Tensor } from '@tensorflow/tfjs-core'
import {
  add,
  addFloats,
  below,
  constant,
  either,
  get,
  load,
  loadSplat,
  loop,
  moduleOf,
  set,
  store,
  times,
  timesFloats,
  zeros,
  type Code,
} from './wasmCode.ts'
import { addressOf, asTensor, ELEMENT_BYTES, memoryOf, wasmBackend } from './wasmHeap.ts'

const TILE_ROWS = 4
const TILE_COLUMNS = 8
const LANES = 4
/** Rows of a and b that are taken at once: 32 KiB of a b that is 256 wide. */
const STRETCH = 32
/** A product this many times larger than what the other way has to copy first pays for the copies: it may run in threads. */
const WORTH_COPYING = 80

/** a [k, m], b [k, n], c [m, n], by their addresses. */
type Kernel = (a: number, b: number, c: number, k: number, m: number, n: number) => void

/** By instance of tfjs's module: a restarted backend is a new one. Null where the engine has no SIMD. */
const kernels = new WeakMap<object, Kernel | null>()

/** a [.., k, m], b [.., k, n] -> a^T b [.., m, n], with no or one leading dimension; null where tfjs's way is the better. */
export function wasmTransposedProduct(a: Tensor, b: Tensor): Tensor | null {
  const [k, m] = a.shape.slice(-2) as [number, number]
  const n = b.shape.at(-1)!
  if (k === 0 || m % TILE_ROWS || n % TILE_COLUMNS || m * n === 0 || m * n > WORTH_COPYING * (m + n))
    return null
  const backend = wasmBackend()
  const kernel = kernelOf(backend.wasm)
  if (!kernel) return null
  const leading = a.shape.slice(0, -2)
  const out = backend.makeOutput([...leading, m, n], 'float32')
  const [from, and, to] = [a.dataId, b.dataId, out.dataId].map((id) => addressOf(backend, id)) as [
    number,
    number,
    number,
  ]
  for (let pair = 0; pair < (leading[0] ?? 1); pair++)
    kernel(
      from + pair * k * m * ELEMENT_BYTES,
      and + pair * k * n * ELEMENT_BYTES,
      to + pair * m * n * ELEMENT_BYTES,
      k,
      m,
      n,
    )
  return asTensor(out)
}

function kernelOf(wasm: object): Kernel | null {
  const known = kernels.get(wasm)
  if (known !== undefined) return known
  const memory = memoryOf(wasm)
  const shared = typeof SharedArrayBuffer !== 'undefined' && memory?.buffer instanceof SharedArrayBuffer
  const bytes = moduleOf(CODE, shared)
  const kernel =
    memory && WebAssembly.validate(bytes)
      ? (new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports[
          'run'
        ] as Kernel)
      : null
  kernels.set(wasm, kernel)
  return kernel
}

// Locals: the parameters, then where the loops are (first row of the stretch, tile's row and column, row), the end of the
// stretch and addresses, then the tile and two vectors of b.
const [A, B, C, K, M, N] = [0, 1, 2, 3, 4, 5] as const
const [FIRST, ROW, COLUMN, AT, END, AT_A, AT_B, AT_C] = [6, 7, 8, 9, 10, 11, 12, 13] as const
const TILE = 14
const VECTORS = TILE_COLUMNS / LANES
const OF_B = TILE + TILE_ROWS * VECTORS
const VECTOR_BYTES = LANES * ELEMENT_BYTES

const bytes = (elements: Code): Code => times(elements, constant(ELEMENT_BYTES))
/** Address of element [row, column] of a matrix with rows of `width`. */
const element = (base: number, row: Code, width: number, column: number): Code =>
  add(get(base), bytes(add(times(row, get(width)), get(column))))

/** Something for each vector of the tile; AT_C goes down its rows. */
const eachOfTile = (what: (local: number, offset: number) => Code): Code => [
  ...set(AT_C, element(C, get(ROW), N, COLUMN)),
  ...Array.from({ length: TILE_ROWS }, (_, row) => [
    ...Array.from({ length: VECTORS }, (__, v) => what(TILE + row * VECTORS + v, v * VECTOR_BYTES)).flat(),
    ...set(AT_C, add(get(AT_C), bytes(get(N)))),
  ]).flat(),
]

/** tile += a[at, row ..]^T b[at, column ..] */
const oneRow: Code = [
  ...Array.from({ length: VECTORS }, (_, v) => set(OF_B + v, load(get(AT_B), v * VECTOR_BYTES))).flat(),
  ...Array.from({ length: TILE_ROWS * VECTORS }, (_, i) => {
    const a = loadSplat(get(AT_A), Math.floor(i / VECTORS) * ELEMENT_BYTES)
    return set(TILE + i, addFloats(get(TILE + i), timesFloats(a, get(OF_B + (i % VECTORS)))))
  }).flat(),
  ...set(AT_A, add(get(AT_A), bytes(get(M)))),
  ...set(AT_B, add(get(AT_B), bytes(get(N)))),
]

const oneTile: Code = [
  ...either(
    get(FIRST),
    eachOfTile((local, offset) => set(local, load(get(AT_C), offset))),
    eachOfTile((local) => set(local, zeros)),
  ),
  ...set(AT_A, element(A, get(FIRST), M, ROW)),
  ...set(AT_B, element(B, get(FIRST), N, COLUMN)),
  ...loop(AT, get(FIRST), get(END), 1, oneRow),
  ...eachOfTile((local, offset) => store(get(AT_C), offset, get(local))),
]

const CODE = {
  parameters: 6,
  integers: 8,
  vectors: TILE_ROWS * VECTORS + VECTORS,
  body: loop(FIRST, constant(0), get(K), STRETCH, [
    ...set(END, add(get(FIRST), constant(STRETCH))),
    ...either(below(get(K), get(END)), set(END, get(K)), []),
    ...loop(ROW, constant(0), get(M), TILE_ROWS, loop(COLUMN, constant(0), get(N), TILE_COLUMNS, oneTile)),
  ]),
}
