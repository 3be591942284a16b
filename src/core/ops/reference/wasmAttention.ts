// Attention on the wasm backend (attention.ts has the formulas), some queries at a time: their scores [B, H, some, seen] stay
// in a near cache, and of the keys only those are looked at that some of these queries sees. Heads are read where they lie
// in [B T, H, hd], by strides, so that nothing is transposed; masks, softmax and its way back are one pass each.
import { tidy, type Tensor } from '@tensorflow/tfjs-core'
import { floatsOf } from './hostArrays.ts'
import { emptyOnWasm } from './matmul.ts'
import { addressOf, ELEMENT_BYTES, wasmBackend } from './wasmHeap.ts'
import { wasmKernels, type Matrix, type WasmKernels } from './wasmKernels.ts'

/** Queries at a time. */
export const QUERIES = 64

export interface Sizes {
  batch: number
  heads: number
  /** Key heads. */
  groups: number
  headSize: number
  queries: number
  keys: number
}

/** The first key that a query sees in any sequence, and the one behind the last. */
export interface Reach {
  begins: Int32Array
  ends: Int32Array
}

/** With what is added to the scores, [B, 1, Tq, Tk]. */
export interface Sight extends Reach {
  bias: Tensor
}

/** Scores below this are of what is not seen: half of what attention.ts adds to them. */
const HARDLY_SEEN = -(2 ** 99)

/** Queries from `first` on, and the keys from `begin` on that they see. */
interface Block {
  first: number
  count: number
  begin: number
  width: number
}

function blocksOf({ queries, keys }: Sizes, { begins, ends }: Reach, size = QUERIES): Block[] {
  const blocks: Block[] = []
  for (let first = 0; first < queries; first += size) {
    const count = Math.min(size, queries - first)
    const begin = begins.subarray(first, first + count).reduce((a, b) => Math.min(a, b), keys - 1)
    const end = ends.subarray(first, first + count).reduce((a, b) => Math.max(a, b), begin + 1)
    blocks.push({ first, count, begin, width: end - begin })
  }
  return blocks
}

/** Where the matrix of a pair of batch and head begins, in bytes; and its strides. */
interface Place extends Omit<Matrix, 'address'> {
  at(batch: number, head: number): number
}

const turned = ({ at, row, column }: Place): Place => ({ at, row: column, column: row })
const address = (x: Tensor): number => addressOf(wasmBackend(), x.dataId)

/** Queries, keys or values [B T, count, hd] from a token on: matrices [tokens, hd]. */
function headsOf(x: Tensor, length: number, from: number, { heads, headSize }: Sizes): Place {
  const count = x.shape[1]!
  const start = address(x)
  const share = heads / count
  return {
    at: (batch, head) =>
      start + ((batch * length + from) * count + Math.floor(head / share)) * headSize * ELEMENT_BYTES,
    row: count * headSize * ELEMENT_BYTES,
    column: ELEMENT_BYTES,
  }
}

/** The scores of a block: matrices [count, width]. */
function scoresOf(s: Tensor, { heads }: Sizes, { count, width }: Block): Place {
  const start = address(s)
  return {
    at: (batch, head) => start + (batch * heads + head) * count * width * ELEMENT_BYTES,
    row: width * ELEMENT_BYTES,
    column: ELEMENT_BYTES,
  }
}

interface Factors {
  /** Rows, columns and the inner dimension of a pair. */
  extents: [number, number, number]
  a: Place
  b: Place
  c: Place
  alpha?: number
  /** C is added to, and the heads of a group share it: one after the other. */
  sum?: boolean
}

/** C = alpha A B for every batch and head. */
function multiply(kernels: WasmKernels, { batch, heads, groups }: Sizes, factors: Factors): void {
  const { extents, a, b, c, alpha = 1, sum = false } = factors
  const [rows, columns, inner] = extents
  const turns = sum ? heads / groups : 1
  const matrix = ({ row, column }: Place): Matrix => ({ address: 0, row, column })
  for (let turn = 0; turn < turns; turn++) {
    const pairs: [number, number, number][] = []
    for (let index = 0; index < batch; index++)
      for (let head = turn; head < heads; head += turns)
        pairs.push([a.at(index, head), b.at(index, head), c.at(index, head)])
    const operands = { a: matrix(a), b: matrix(b), c: matrix(c) }
    kernels.multiply({ rows, columns, inner, ...operands, alpha, more: sum, pairs })
  }
}

/** What the row kernels want to know of a block (wasmRowCode.ts, attentionRow). */
const rowNumbers = ({ heads, queries, keys }: Sizes, { count, first }: Block): number[] => [
  count,
  heads,
  queries,
  keys,
  first,
]

/** Room for the scores of any of the blocks. */
const scratchFor = ({ batch, heads }: Sizes, blocks: readonly Block[]): Tensor =>
  emptyOnWasm([Math.max(...blocks.map(({ count, width }) => batch * heads * count * width))])

/** scale Q K^T of a block, without the mask. */
function rawScores(
  kernels: WasmKernels,
  { q, k, s }: Record<'q' | 'k' | 's', Tensor>,
  sizes: Sizes,
  block: Block,
  alpha: number,
): void {
  multiply(kernels, sizes, {
    extents: [block.count, block.width, sizes.headSize],
    a: headsOf(q, sizes.queries, block.first, sizes),
    b: turned(headsOf(k, sizes.keys, block.begin, sizes)),
    c: scoresOf(s, sizes, block),
    alpha,
  })
}

/** Scores to shares in place; of each row the largest score and the sum of the exponentials go to [B Tq, H]. */
function softmaxInPlace(
  kernels: WasmKernels,
  [s, bias, largest, sums]: [Tensor, Tensor, Tensor, Tensor],
  sizes: Sizes,
  block: Block,
): void {
  const { batch, heads } = sizes
  const mask = address(bias) + block.begin * ELEMENT_BYTES
  kernels.rows('softmax', batch * heads * block.count, block.width, [
    ...[address(s), mask, address(largest), address(sums)],
    ...rowNumbers(sizes, block),
  ])
}

/** Null where there are no kernels, as are the others here. */
export function attentionByKernels(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  sizes: Sizes,
  sight: () => Sight,
  scale: number,
): { output: Tensor; logSumExp: Tensor } | null {
  const kernels = wasmKernels()
  if (!kernels) return null
  const { batch, heads, headSize, queries, keys } = sizes
  return tidy(() => {
    const { bias, ...reach } = sight()
    const blocks = blocksOf(sizes, reach)
    const p = scratchFor(sizes, blocks)
    const logSumExp = emptyOnWasm([batch * queries, heads])
    const sums = emptyOnWasm(logSumExp.shape)
    const output = emptyOnWasm(q.shape) // [B Tq, H, hd]
    for (const block of blocks) {
      rawScores(kernels, { q, k, s: p }, sizes, block, scale)
      softmaxInPlace(kernels, [p, bias, logSumExp, sums], sizes, block)
      multiply(kernels, sizes, {
        extents: [block.count, headSize, block.width],
        a: scoresOf(p, sizes, block),
        b: headsOf(v, keys, block.begin, sizes),
        c: headsOf(output, queries, block.first, sizes),
      })
    }
    const [largest, totals] = [floatsOf(logSumExp), floatsOf(sums)]
    // Of a row that sees nothing it is 0: on the way back its shares are exp(scores of what is not seen).
    for (let i = 0; i < largest.length; i++)
      largest[i] = largest[i]! < HARDLY_SEEN ? 0 : largest[i]! + Math.log(totals[i]!)
    return { output, logSumExp }
  })
}

export function attentionBackwardByKernels(
  dOutput: Tensor,
  { q, k, v }: Record<'q' | 'k' | 'v', Tensor>,
  { output, logSumExp }: { output: Tensor; logSumExp: Tensor },
  sizes: Sizes,
  sight: () => Sight,
  scale: number,
): { dq: Tensor; dk: Tensor; dv: Tensor } | null {
  const kernels = wasmKernels()
  if (!kernels) return null
  const { batch, heads, headSize, queries, keys } = sizes
  return tidy(() => {
    const { bias, ...reach } = sight()
    const blocks = blocksOf(sizes, reach)
    const s = scratchFor(sizes, blocks)
    const dp = scratchFor(sizes, blocks)
    const d = emptyOnWasm([batch * queries, heads])
    const dq = emptyOnWasm(q.shape)
    const [dk, dv] = [k, v].map(({ shape }) => {
      const sum = emptyOnWasm(shape)
      floatsOf(sum).fill(0)
      return sum
    }) as [Tensor, Tensor]
    kernels.rows('dots', batch * queries * heads, headSize, [dOutput, output, d].map(address))
    for (const block of blocks) {
      const { first, begin, count, width } = block
      const dO = headsOf(dOutput, queries, first, sizes)
      const [shares, slopes] = [scoresOf(s, sizes, block), scoresOf(dp, sizes, block)]
      rawScores(kernels, { q, k, s }, sizes, block, scale)
      multiply(kernels, sizes, {
        extents: [count, width, headSize],
        a: dO,
        b: turned(headsOf(v, keys, begin, sizes)),
        c: slopes,
      })
      // s becomes P, and dP becomes dS without the scale.
      kernels.rows('attentionBackward', batch * heads * count, width, [
        ...[address(s), address(dp), address(bias) + begin * ELEMENT_BYTES],
        ...[address(logSumExp), address(d)],
        ...rowNumbers(sizes, block),
      ])
      multiply(kernels, sizes, {
        extents: [count, headSize, width],
        a: slopes,
        b: headsOf(k, keys, begin, sizes),
        c: headsOf(dq, queries, first, sizes),
        alpha: scale,
      })
      multiply(kernels, sizes, {
        extents: [width, headSize, count],
        a: turned(slopes),
        b: headsOf(q, queries, first, sizes),
        c: headsOf(dk, keys, begin, sizes),
        alpha: scale,
        sum: true,
      })
      multiply(kernels, sizes, {
        extents: [width, headSize, count],
        a: turned(shares),
        b: dO,
        c: headsOf(dv, keys, begin, sizes),
        sum: true,
      })
    }
    return { dq, dk, dv }
  })
}

/** [B, H, Tq, Tk] */
export function probabilitiesByKernels(
  q: Tensor,
  k: Tensor,
  sizes: Sizes,
  sight: () => Sight,
  scale: number,
): Tensor | null {
  const kernels = wasmKernels()
  if (!kernels) return null
  const { batch, heads, queries, keys } = sizes
  return tidy(() => {
    const { bias } = sight()
    const all = { first: 0, count: queries, begin: 0, width: keys }
    const p = emptyOnWasm([batch, heads, queries, keys])
    const [largest, sums] = [0, 1].map(() => emptyOnWasm([batch * queries, heads])) as [Tensor, Tensor]
    rawScores(kernels, { q, k, s: p }, sizes, all, scale)
    softmaxInPlace(kernels, [p, bias, largest, sums], sizes, all)
    return p
  })
}
