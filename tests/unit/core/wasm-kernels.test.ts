// Our own WASM kernels in every form that an engine may accept: with the fused multiply-add of relaxed SIMD, without, and not
// at all. Attention over more queries than one block has is held against the cpu backend, whose path is another.
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { registerWasm } from '../../../src/core/backend/wasm.ts'
import { AttentionLayout, type AttentionMask } from '../../../src/core/ops/layout.ts'
import { referenceOps } from '../../../src/core/ops/reference/index.ts'
import { QUERIES } from '../../../src/core/ops/reference/wasmAttention.ts'
import { addressOf, wasmBackend } from '../../../src/core/ops/reference/wasmHeap.ts'
import {
  kernelBytes,
  useKernels,
  WasmKernels,
  wasmKernels,
} from '../../../src/core/ops/reference/wasmKernels.ts'

const paths = fileURLToPath(
  new URL('../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
)

// Node 20 has relaxed SIMD behind a flag; later versions have it anyway.
setFlagsFromString('--experimental-wasm-relaxed-simd')

beforeAll(async () => {
  await registerWasm({ paths })
  await tf.setBackend('wasm')
})
afterEach(async () => {
  await tf.setBackend('wasm')
  useKernels(wasmBackend().wasm, WasmKernels.over(wasmBackend().wasm, 1))
})

const random = (shape: number[], seed: number): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
      Math.sin((i + 1) * (seed + 0.137)),
    ),
    shape,
  )

/** a and b as lists of rows. */
function expected(a: number[][], b: number[][]): number[][] {
  return a.map((row) => (b[0] ?? []).map((_, j) => row.reduce((sum, x, k) => sum + x * b[k]![j]!, 0)))
}
const flipped = (x: number[][]): number[][] => (x[0] ?? []).map((_, j) => x.map((row) => row[j]!))

it('is made with fused multiply-add, else without, else not at all', () => {
  const tried: number[] = []
  const engine = (refused: number) => (bytes: Uint8Array<ArrayBuffer>) => {
    tried.push(bytes.length)
    return tried.length > refused && WebAssembly.validate(bytes)
  }
  for (const [refused, features] of [
    [0, { fused: true, shared: false }],
    [1, { fused: false, shared: false }],
    [2, null],
  ] as const) {
    tried.length = 0
    expect(kernelBytes(false, engine(refused))?.features ?? null).toEqual(features)
  }
  expect(kernelBytes(true)?.features.shared).toBe(true)
})

describe.each([true, false])('with fused multiply-add: %s', (fused) => {
  const use = () => {
    let tries = 0
    const made = kernelBytes(false, (bytes) => (fused || ++tries > 1) && WebAssembly.validate(bytes))
    expect(made?.features.fused).toBe(fused)
    const { wasm } = wasmBackend()
    useKernels(wasm, WasmKernels.over(wasm, 1, made))
  }

  it.each([
    [1, 1, 1],
    [7, 9, 5],
    [6, 8, 4],
    [13, 71, 33],
    [5, 300, 3],
    [3, 10, 1030],
    [2, 3, 0],
  ])('multiplies %i x %i over %i, whichever is transposed', async (rows, columns, inner) => {
    use()
    for (const [ta, tb] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ] as const) {
      const a = random(ta ? [inner, rows] : [rows, inner], 1)
      const b = random(tb ? [columns, inner] : [inner, columns], 2)
      const lists = [(await a.array()) as number[][], (await b.array()) as number[][]] as const
      const want =
        inner === 0
          ? Array.from({ length: rows }, () => new Array<number>(columns).fill(0))
          : expected(ta ? flipped(lists[0]) : lists[0], tb ? flipped(lists[1]) : lists[1])
      const got = (await referenceOps.matmul(a, b, ta, tb).array()) as number[][]
      got.forEach((row, i) => row.forEach((x, j) => expect(Math.abs(x - want[i]![j]!)).toBeLessThan(2e-4)))
    }
  })

  it('adds to a part of a wider matrix and leaves the rest', async () => {
    use()
    const [a, b, c] = [random([5, 11], 3), random([11, 6], 4), tf.fill([5, 9], 0.5)]
    const at = (x: tf.Tensor) => addressOf(wasmBackend(), x.dataId)
    wasmKernels()!.multiply({
      rows: 5,
      columns: 6,
      inner: 11,
      a: { address: at(a), row: 44, column: 4 },
      b: { address: at(b), row: 24, column: 4 },
      c: { address: at(c) + 8, row: 36, column: 4 },
      alpha: 0.25,
      more: true,
    })
    const want = expected((await a.array()) as number[][], (await b.array()) as number[][])
    const got = (await c.array()) as number[][]
    got.forEach((row, i) =>
      row.forEach((x, j) => expect(x).toBeCloseTo(j < 2 || j > 7 ? 0.5 : 0.5 + 0.25 * want[i]![j - 2]!, 5)),
    )
  })

  it.each<[string, AttentionMask]>([
    ['causal', { scale: 0.3, causal: true, window: null }],
    ['in a window', { scale: 0.3, causal: true, window: 20 }],
    ['of all', { scale: 0.3, causal: false, window: null }],
  ])('has attention %s over several blocks, with packed sequences and padding', async (_, mask) => {
    const [batch, tokens, heads, groups, size] = [2, 2 * QUERIES + 9, 4, 2, 12]
    const count = batch * tokens
    const row = (at: number) => at % tokens
    const make = async () => {
      const layout = new AttentionLayout({
        batch,
        queryPositions: Int32Array.from({ length: count }, (_, at) =>
          row(at) < 50 ? row(at) : row(at) - 50,
        ),
        // The second row has padding behind, the first a second sequence.
        querySegments: Int32Array.from({ length: count }, (_, at) =>
          at >= tokens && row(at) > 120 ? -1 : row(at) < 50 ? 0 : 1,
        ),
      })
      const [q, dO] = [random([count, heads, size], 5), random([count, heads, size], 6)]
      const [k, v] = [random([count, groups, size], 7), random([count, groups, size], 8)]
      const { output, logSumExp } = referenceOps.attention(q, k, v, layout, mask)
      const back = referenceOps.attentionBackward(dO, q, k, v, output, logSumExp, layout, mask)
      const shares = referenceOps.attentionProbabilities(q, k, layout, mask)
      return Promise.all([output, logSumExp, back.dq, back.dk, back.dv, shares].map((x) => x.data()))
    }
    use()
    const ours = await make()
    const again = await make()
    await tf.setBackend('cpu')
    const theirs = await make()
    ours.forEach((values, i) => {
      expect(Buffer.from(values.buffer).equals(Buffer.from(again[i]!.buffer))).toBe(true)
      let worst = 0
      values.forEach((x, j) => (worst = Math.max(worst, Math.abs(x - theirs[i]![j]!))))
      expect(worst).toBeLessThan(2e-5)
    })
  })
})

it('multiplies without kernels of our own', async () => {
  useKernels(wasmBackend().wasm, null)
  const [a, b] = [random([5, 3], 1), random([7, 3], 2)]
  const want = expected((await a.array()) as number[][], flipped((await b.array()) as number[][]))
  const got = (await referenceOps.matmul(a, b, false, true).array()) as number[][]
  got.forEach((row, i) => row.forEach((x, j) => expect(x).toBeCloseTo(want[i]![j]!, 5)))
})
