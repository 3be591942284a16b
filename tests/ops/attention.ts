// Attention: grouped heads, padding, packed segments, one query against cached keys, and more rows than 65,535.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { AttentionLayout, PADDING } from '../../src/core/ops/layout.ts'
import * as oracle from './oracle.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, tapeIsSlow, tensor } from './support.ts'

interface Case {
  name: string
  batch: number
  /** Segment of each token of each sequence; positions restart with each segment. */
  segments: number[][]
  h: number
  hkv: number
  hd: number
  causal: boolean
}

const CASES: Case[] = [
  { name: 'one token', batch: 1, segments: [[0]], h: 1, hkv: 1, hd: 2, causal: true },
  { name: 'causal', batch: 2, segments: [row(5, 0), row(5, 0)], h: 2, hkv: 2, hd: 4, causal: true },
  { name: 'grouped heads', batch: 2, segments: [row(7, 0), row(7, 0)], h: 6, hkv: 2, hd: 3, causal: true },
  {
    name: 'padded',
    batch: 2,
    segments: [
      [0, 0, 0, PADDING],
      [0, 0, 0, 0],
    ],
    h: 4,
    hkv: 1,
    hd: 8,
    causal: true,
  },
  { name: 'packed', batch: 1, segments: [[0, 0, 0, 1, 1, 2, 2, 2, 2]], h: 2, hkv: 1, hd: 4, causal: true },
  {
    name: 'bidirectional',
    batch: 2,
    segments: [[0, 0, PADDING], row(3, 0)],
    h: 1,
    hkv: 1,
    hd: 5,
    causal: false,
  },
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
  test.each(CASES)('attention, $name', async ({ batch, segments, h, hkv, hd, causal }) => {
    const length = segments[0]!.length
    const positions = segments.map(positionsOf)
    const scale = 1 / Math.sqrt(hd)
    const sees = (b: number, t: number, s: number): boolean =>
      segments[b]![t] === segments[b]![s] && (!causal || positions[b]![s]! <= positions[b]![t]!)
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
      ops().attentionProbabilities(tq, tk, layout, { scale, causal, window: null }),
      { ...ops().attention(tq, tk, tv, layout, { scale, causal, window: null }) },
    ])
    const { output, logSumExp } = counted(() =>
      ops().attention(tq, tk, tv, layout, { scale, causal, window: null }),
    )
    expect(logSumExp.shape).toEqual([rows, h])
    await expectClose(output, expected.output)
    await expectClose(logSumExp, expected.logSumExp)
    const p = counted(() => ops().attentionProbabilities(tq, tk, layout, { scale, causal, window: null }))
    expect(p.shape).toEqual([batch, h, length, length])
    await expectClose(p, expected.probabilities)
    const values = await p.data()
    expected.probabilities.forEach((value, at) => {
      if (value === 0) expect(values[at]).toBe(0)
    })

    const { dq, dk, dv } = counted(() =>
      ops().attentionBackward(tdO, tq, tk, tv, output, logSumExp, layout, { scale, causal, window: null }),
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

  test('attention over more keys than a tile, and heads wider than a workgroup', async () => {
    const [length, h, hkv, hd, scale] = [70, 2, 1, 66, 0.1]
    const layout = new AttentionLayout({
      batch: 1,
      queryPositions: Int32Array.from({ length }, (_, i) => i),
      querySegments: new Int32Array(length),
    })
    const [q, k, v, dO] = [data(length * h * hd), data(length * hd), data(length * hd), data(length * h * hd)]
    const [tq, tdO] = [tensor(q, [length, h, hd]), tensor(dO, [length, h, hd])]
    const [tk, tv] = [tensor(k, [length, hkv, hd]), tensor(v, [length, hkv, hd])]
    const sees = (_: number, t: number, s: number): boolean => s <= t
    const sizes: oracle.AttentionSizes = { batch: 1, queries: length, keys: length, h, hkv, hd, scale, sees }
    const { output, logSumExp } = ops().attention(tq, tk, tv, layout, { scale, causal: true, window: null })
    const expected = oracle.attention(sizes, q, k, v)
    await expectClose(output, expected.output)
    await expectClose(logSumExp, expected.logSumExp)
    const { dq, dk, dv } = ops().attentionBackward(tdO, tq, tk, tv, output, logSumExp, layout, {
      scale,
      causal: true,
      window: null,
    })
    const gradients = oracle.attentionBackward(sizes, q, k, v, dO)
    await expectClose(dq, gradients.dq)
    await expectClose(dk, gradients.dk)
    await expectClose(dv, gradients.dv)
    tf.dispose([tq, tk, tv, tdO, output, logSumExp, dq, dk, dv])
    layout.dispose()
  })

  test('attention of one query to cached keys, some of them unused', async () => {
    const [keys, h, hkv, hd, scale] = [6, 4, 2, 4, 0.5]
    const layout = new AttentionLayout({
      batch: 1,
      queryPositions: Int32Array.from([3]),
      querySegments: Int32Array.from([0]),
      keyPositions: Int32Array.from([0, 1, 2, 3, 0, 0]),
      keySegments: Int32Array.from([0, 0, 0, 0, PADDING, PADDING]),
    })
    const [q, k, v] = [data(h * hd), data(keys * hkv * hd), data(keys * hkv * hd)]
    const [tq, tk, tv] = [tensor(q, [1, h, hd]), tensor(k, [keys, hkv, hd]), tensor(v, [keys, hkv, hd])]
    const { output, logSumExp } = ops().attention(tq, tk, tv, layout, { scale, causal: true, window: null })
    const sizes = {
      batch: 1,
      queries: 1,
      keys,
      h,
      hkv,
      hd,
      scale,
      sees: (_b: number, _t: number, s: number) => s < 4,
    }
    const expected = oracle.attention(sizes, q, k, v)
    await expectClose(output, expected.output)
    await expectClose(logSumExp, expected.logSumExp)
    tf.dispose([tq, tk, tv, output, logSumExp])
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
