// Column scales and sums, the gradient of a trained table, and dropout on its own.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { uniforms, type RngKey } from '../../src/core/rng.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, ints, tensor } from './support.ts'

export function columnTests(ops: OpsOf): void {
  test.each([
    [1, 1],
    [5, 3],
    [33, 17],
    [3, 300],
  ])('scaleColumns and columnSums of [%i, %i]', async (n, d) => {
    const [x, s] = [data(n * d), data(d)]
    const [tx, ts] = [tensor(x, [n, d]), tensor(s, [d])]
    const scaled = counted(() => ops().scaleColumns(tx, ts))
    expect(scaled.shape).toEqual([n, d])
    await expectClose(
      scaled,
      x.map((value, at) => value * s[at % d]!),
    )
    const sums = counted(() => ops().columnSums(tx))
    expect(sums.shape).toEqual([d])
    const expected = new Float64Array(d)
    x.forEach((value, at) => (expected[at % d]! += value))
    await expectClose(sums, expected)
    tf.dispose([tx, ts, scaled, sums])
  })

  test.each([
    { ids: [0], rows: 1, d: 1 },
    { ids: [4, 0, 4, 2, 4, 0, 6], rows: 7, d: 5 },
    { ids: Array.from({ length: 90 }, (_, i) => (i * i) % 23), rows: 301, d: 33 },
  ])('embeddingGradient of $rows rows of $d', async ({ ids, rows, d }) => {
    const dy = data(ids.length * d)
    const [tdy, tids] = [tensor(dy, [ids.length, d]), ints(ids)]
    const gradient = counted(() => ops().embeddingGradient(tdy, tids, rows))
    expect(gradient.shape).toEqual([rows, d])
    const expected = new Float64Array(rows * d)
    dy.forEach((value, at) => (expected[ids[Math.floor(at / d)]! * d + (at % d)]! += value))
    await expectClose(gradient, expected)
    const values = await gradient.data()
    expected.forEach((value, at) => {
      if (value === 0) expect(values[at]).toBe(0)
    })
    tf.dispose([tdy, tids, gradient])
  })

  test('sums over rows are added up in a fixed order: the same bits each time', async ({ skip }) => {
    skip(
      ops().name === 'reference' && tf.getBackend() === 'webgpu',
      'tfjs scatters by atomics there; our kernel stands in its place',
    )
    const [n, d, rows] = [130, 20, 11]
    const [tdy, tids] = [
      tensor(data(n * d), [n, d]),
      ints(Array.from({ length: n }, (_, i) => (i * 7) % rows)),
    ]
    for (const sum of [() => ops().columnSums(tdy), () => ops().embeddingGradient(tdy, tids, rows)]) {
      const [first, second] = [sum(), sum()]
      expect(await first.data()).toEqual(await second.data())
      tf.dispose([first, second])
    }
    tf.dispose([tdy, tids])
  })

  test.each([0, 0.1, 0.5])('dropout of %d', async (rate) => {
    const [n, d] = [7, 13]
    const key: RngKey = { seed: 5, purpose: 'dropout', step: 2, layer: 1 }
    const x = data(n * d)
    const tx = tensor(x, [n, d])
    const y = counted(() => ops().dropout(tx, { rate, key }))
    const drawn = uniforms(key, n * d)
    await expectClose(
      y,
      x.map((value, at) => (drawn[at]! >= rate ? value / (1 - rate) : 0)),
    )
    tf.dispose([tx, y])
  })
}
