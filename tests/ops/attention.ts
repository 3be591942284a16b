// Attention: grouped heads, padding, packed segments, one query against cached keys, and more rows than 65,535.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { AttentionLayout, PADDING } from '../../src/core/ops/layout.ts'
import * as oracle from './oracle.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, tapeIsSlow, tensor } from './support.ts'

interface Case {
  name: string
  /** Segment of each token of each sequence; positions restart with each segment. */
  segments: number[][]
  h: number
  hkv: number
  hd: number
  causal: boolean
  window?: number
}

const CASES: Case[] = [
  { name: 'one token', segments: [[0]], h: 1, hkv: 1, hd: 2, causal: true },
  { name: 'causal', segments: [row(5, 0), row(5, 0)], h: 2, hkv: 2, hd: 4, causal: true },
  { name: 'grouped heads', segments: [row(7, 0), row(7, 0)], h: 6, hkv: 2, hd: 3, causal: true },
  { name: 'padded', segments: [[0, 0, 0, PADDING], row(4, 0)], h: 4, hkv: 1, hd: 8, causal: true },
  { name: 'packed', segments: [[0, 0, 0, 1, 1, 2, 2, 2, 2]], h: 2, hkv: 1, hd: 4, causal: true },
  { name: 'bidirectional', segments: [[0, 0, PADDING], row(3, 0)], h: 1, hkv: 1, hd: 5, causal: false },
  { name: 'bidirectional, grouped heads', segments: [row(7, 0)], h: 4, hkv: 2, hd: 3, causal: false },
  { name: 'a window of two', segments: [row(5, 0)], h: 1, hkv: 1, hd: 2, causal: true, window: 2 },
  { name: 'a window', segments: [row(7, 0), row(7, 0)], h: 5, hkv: 1, hd: 3, causal: true, window: 3 },
  { name: 'a window over all', segments: [row(3, 0)], h: 3, hkv: 3, hd: 2, causal: true, window: 9 },
  {
    name: 'a window, packed and padded',
    segments: [
      [0, 0, 0, 1, 1, 1, 1],
      [0, 0, 0, 0, 0, PADDING, PADDING],
    ],
    h: 4,
    hkv: 2,
    hd: 4,
    causal: true,
    window: 2,
  },
  { name: 'a window both ways', segments: [row(7, 0)], h: 3, hkv: 1, hd: 4, causal: false, window: 3 },
]

function row(length: number, segment: number): number[] {
  return Array.from({ length }, () => segment)
}

function positionsOf(segments: number[]): number[] {
  let start = 0
  return segments.map((segment, i) => {
    if (i > 0 && segment !== segments[i - 1]) start = i
    return i - start
  })
}

export function attentionTests(ops: OpsOf): void {
  test.each(CASES)('attention, $name', async ({ segments, h, hkv, hd, causal, window = null }) => {
    const batch = segments.length
    const length = segments[0]!.length
    const positions = segments.map(positionsOf)
    const scale = 1 / Math.sqrt(hd)
    const mask = { scale, causal, window }
    const sees = (b: number, t: number, s: number): boolean => {
      const [p, q] = [positions[b]![t]!, positions[b]![s]!]
      if (segments[b]![t] !== segments[b]![s] || (causal && q > p)) return false
      return window === null || (p - q < window && q - p < window)
    }
    const sizes: oracle.AttentionSizes = { batch, queries: length, keys: length, h, hkv, hd, scale, sees }
    const rows = batch * length
    const before = tf.memory().numTensors
    const layout = new AttentionLayout({
      batch,
      queryPositions: Int32Array.from(positions.flat()),
      querySegments: Int32Array.from(segments.flat()),
    })
    const [q, k, v, dO] = [
      data(rows * h * hd),
      data(rows * hkv * hd),
      data(rows * hkv * hd),
      data(rows * h * hd),
    ]
    const [tq, tdO] = [tensor(q, [rows, h, hd]), tensor(dO, [rows, h, hd])]
    const [tk, tv] = [tensor(k, [rows, hkv, hd]), tensor(v, [rows, hkv, hd])]
    const expected = oracle.attention(sizes, q, k, v)

    // Whatever the layout keeps is made by the first calls.
    tf.dispose([
      ops().attentionProbabilities(tq, tk, layout, mask),
      { ...ops().attention(tq, tk, tv, layout, mask) },
    ])
    const { output, logSumExp } = counted(() => ops().attention(tq, tk, tv, layout, mask))
    expect(logSumExp.shape).toEqual([rows, h])
    await expectClose(output, expected.output)
    await expectClose(logSumExp, expected.logSumExp)
    const p = counted(() => ops().attentionProbabilities(tq, tk, layout, mask))
    expect(p.shape).toEqual([batch, h, length, length])
    await expectClose(p, expected.probabilities)
    const values = await p.data()
    expected.probabilities.forEach((value, at) => {
      if (value === 0) expect(values[at]).toBe(0)
    })

    const { dq, dk, dv } = counted(() =>
      ops().attentionBackward(tdO, tq, tk, tv, output, logSumExp, layout, mask),
    )
    const f = (vq: oracle.Vector, vk: oracle.Vector, vv: oracle.Vector): oracle.Vector =>
      oracle.attention(sizes, vq, vk, vv).output
    await expectClose(
      dq,
      oracle.difference((x) => f(x, k, v), q, dO),
    )
    await expectClose(
      dk,
      oracle.difference((x) => f(q, x, v), k, dO),
    )
    await expectClose(
      dv,
      oracle.difference((x) => f(q, k, x), v, dO),
    )
    tf.dispose([tq, tk, tv, tdO, output, logSumExp, p, dq, dk, dv])
    layout.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  test('attention agrees with the tape of tf', async ({ skip }) => {
    skip(tapeIsSlow(), 'checked on the other backends')
    const [rows, hd, scale] = [6, 4, 0.5]
    const layout = new AttentionLayout({
      batch: 1,
      queryPositions: Int32Array.from({ length: rows }, (_, i) => i),
      querySegments: new Int32Array(rows),
    })
    const [q, k, v, dO] = [1, 2, 3, 4].map(() => tensor(data(rows * hd), [rows, 1, hd])) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ]
    const { output, logSumExp } = ops().attention(q, k, v, layout, { scale, causal: false, window: null })
    const { dq, dk, dv } = ops().attentionBackward(dO, q, k, v, output, logSumExp, layout, {
      scale,
      causal: false,
      window: null,
    })
    const flat = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [rows, hd])
    const taped = tf.grads((pq: tf.Tensor, pk: tf.Tensor, pv: tf.Tensor) =>
      tf.reshape(tf.matMul(tf.softmax(tf.mul(tf.matMul(flat(pq), flat(pk), false, true), scale)), flat(pv)), [
        rows,
        1,
        hd,
      ]),
    )([q, k, v], dO)
    await expectClose(dq, await taped[0]!.data())
    await expectClose(dk, await taped[1]!.data())
    await expectClose(dv, await taped[2]!.data())
    tf.dispose([q, k, v, dO, output, logSumExp, dq, dk, dv, ...taped])
    layout.dispose()
  })

  test.each([
    { length: 70, h: 2, hkv: 1, hd: 66, causal: true, window: null },
    { length: 67, h: 2, hkv: 1, hd: 256, causal: true, window: 20 },
    { length: 150, h: 3, hkv: 3, hd: 4, causal: true, window: 10 },
    { length: 150, h: 2, hkv: 1, hd: 5, causal: false, window: 7 },
    { length: 65, h: 1, hkv: 1, hd: 3, causal: false, window: null },
  ])(
    'attention over $length keys, more than a tile, with $h heads of $hd, causal $causal, window $window',
    async ({ length, h, hkv, hd, causal, window }) => {
      const mask = { scale: 0.1, causal, window }
      const layout = new AttentionLayout({
        batch: 1,
        queryPositions: Int32Array.from({ length }, (_, i) => i),
        querySegments: new Int32Array(length),
      })
      const [nq, nk] = [length * h * hd, length * hkv * hd]
      const [q, k, v, dO] = [data(nq), data(nk), data(nk), data(nq)]
      const [tq, tdO] = [tensor(q, [length, h, hd]), tensor(dO, [length, h, hd])]
      const [tk, tv] = [tensor(k, [length, hkv, hd]), tensor(v, [length, hkv, hd])]
      const sees = (_: number, t: number, s: number): boolean =>
        (!causal || s <= t) && (window === null || Math.abs(t - s) < window)
      const sizes = { batch: 1, queries: length, keys: length, h, hkv, hd, scale: mask.scale, sees }
      const { output, logSumExp } = ops().attention(tq, tk, tv, layout, mask)
      const expected = oracle.attention(sizes, q, k, v)
      await expectClose(output, expected.output)
      await expectClose(logSumExp, expected.logSumExp)
      const { dq, dk, dv } = ops().attentionBackward(tdO, tq, tk, tv, output, logSumExp, layout, mask)
      const gradients = oracle.attentionBackward(sizes, q, k, v, dO)
      await expectClose(dq, gradients.dq)
      await expectClose(dk, gradients.dk)
      await expectClose(dv, gradients.dv)
      tf.dispose([tq, tk, tv, tdO, output, logSumExp, dq, dk, dv])
      layout.dispose()
    },
  )

  test.each([
    { at: [3], cache: 6, h: 4, hkv: 2, hd: 4, window: null },
    { at: [3], cache: 6, h: 4, hkv: 2, hd: 4, window: 2 },
    { at: [66, 40], cache: 71, h: 5, hkv: 1, hd: 6, window: 5 },
    { at: [64], cache: 65, h: 1, hkv: 1, hd: 256, window: 512 },
  ])(
    'attention of one query at $at to $cache cached keys, window $window',
    async ({ at, cache, h, hkv, hd, window }) => {
      const batch = at.length
      const mask = { scale: 0.3, causal: true, window }
      // Cells behind the query are not in use yet.
      const cells = at.flatMap((position) =>
        Array.from({ length: cache }, (_, i) => (i <= position ? i : null)),
      )
      const layout = new AttentionLayout({
        batch,
        queryPositions: Int32Array.from(at),
        querySegments: new Int32Array(batch),
        keyPositions: Int32Array.from(cells, (cell) => cell ?? 0),
        keySegments: Int32Array.from(cells, (cell) => (cell === null ? PADDING : 0)),
      })
      const [q, k, v] = [data(batch * h * hd), data(batch * cache * hkv * hd), data(batch * cache * hkv * hd)]
      const tq = tensor(q, [batch, h, hd])
      const [tk, tv] = [tensor(k, [batch * cache, hkv, hd]), tensor(v, [batch * cache, hkv, hd])]
      const { output, logSumExp } = ops().attention(tq, tk, tv, layout, mask)
      const sees = (b: number, _: number, s: number): boolean =>
        s <= at[b]! && (window === null || at[b]! - s < window)
      const sizes = { batch, queries: 1, keys: cache, h, hkv, hd, scale: mask.scale, sees }
      const expected = oracle.attention(sizes, q, k, v)
      await expectClose(output, expected.output)
      await expectClose(logSumExp, expected.logSumExp)
      tf.dispose([tq, tk, tv, output, logSumExp])
      layout.dispose()
    },
  )

  test('one layout serves layers with different masks', async () => {
    const [length, h, hkv, hd] = [9, 2, 1, 4]
    const before = tf.memory().numTensors
    const layout = new AttentionLayout({
      batch: 1,
      queryPositions: Int32Array.from({ length }, (_, i) => i),
      querySegments: new Int32Array(length),
    })
    const [q, k, v] = [data(length * h * hd), data(length * hkv * hd), data(length * hkv * hd)]
    const tq = tensor(q, [length, h, hd])
    const [tk, tv] = [tensor(k, [length, hkv, hd]), tensor(v, [length, hkv, hd])]
    for (const [causal, window, scale] of [
      [true, 3, 0.5],
      [true, null, 0.5],
      [false, 3, 0.5],
      [true, 3, 0.9],
    ] as const) {
      const sees = (_: number, t: number, s: number): boolean =>
        (!causal || s <= t) && (window === null || Math.abs(t - s) < window)
      const sizes = { batch: 1, queries: length, keys: length, h, hkv, hd, scale, sees }
      const result = { ...ops().attention(tq, tk, tv, layout, { scale, causal, window }) }
      await expectClose(result.output, oracle.attention(sizes, q, k, v).output)
      tf.dispose(result)
    }
    tf.dispose([tq, tk, tv])
    layout.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  test('a query that sees nothing gets zeros, and passes none on', async () => {
    const mask = { scale: 1, causal: true, window: 2 }
    const layout = new AttentionLayout({
      batch: 1,
      queryPositions: Int32Array.of(9, 1),
      querySegments: Int32Array.of(0, 0),
      keyPositions: Int32Array.of(0, 1, 2),
      keySegments: Int32Array.of(0, 0, 0),
    })
    const [tq, tdO] = [tensor(data(4), [2, 1, 2]), tensor(data(4), [2, 1, 2])]
    const [tk, tv] = [tensor(data(6), [3, 1, 2]), tensor(data(6), [3, 1, 2])]
    const { output, logSumExp } = ops().attention(tq, tk, tv, layout, mask)
    const { dq, dk, dv } = ops().attentionBackward(tdO, tq, tk, tv, output, logSumExp, layout, mask)
    expect([...(await output.data()).slice(0, 2)]).toEqual([0, 0])
    expect([...(await dq.data()).slice(0, 2)].map(Math.abs)).toEqual([0, 0])
    // The third key is behind the second query and out of the first one's window.
    for (const gradient of [dk, dv])
      expect([...(await gradient.data()).slice(4)].map(Math.abs)).toEqual([0, 0])
    tf.dispose([tq, tk, tv, tdO, output, logSumExp, dq, dk, dv])
    layout.dispose()
  })

  test('attention with 98,304 rows of scores', async () => {
    const [batch, length, h, hkv, hd] = [1536, 16, 4, 2, 2]
    const rows = batch * length
    const layout = new AttentionLayout({
      batch,
      queryPositions: Int32Array.from({ length: rows }, (_, i) => i % length),
      querySegments: new Int32Array(rows),
    })
    const [q, k, v] = [data(rows * h * hd), data(rows * hkv * hd), data(rows * hkv * hd)]
    const [tq, tk, tv] = [tensor(q, [rows, h, hd]), tensor(k, [rows, hkv, hd]), tensor(v, [rows, hkv, hd])]
    const { output, logSumExp } = ops().attention(tq, tk, tv, layout, {
      scale: 0.7,
      causal: true,
      window: null,
    })
    const sees = (_: number, t: number, s: number): boolean => s <= t
    const last = 8
    const sizes = { batch: last, queries: length, keys: length, h, hkv, hd, scale: 0.7, sees }
    const end = (x: oracle.Vector): oracle.Vector => x.slice((-last * x.length) / batch)
    const expected = oracle.attention(sizes, end(q), end(k), end(v))
    const tail = (x: tf.Tensor): tf.Tensor => tf.slice(x, rows - last * length, last * length)
    const [outputTail, lseTail] = [tail(output), tail(logSumExp)]
    await expectClose(outputTail, expected.output)
    await expectClose(lseTail, expected.logSumExp)
    tf.dispose([outputTail, lseTail])
    tf.dispose([tq, tk, tv, output, logSumExp])
    layout.dispose()
  })
}
