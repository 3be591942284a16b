// RMSNorm and LayerNorm, with the gradients of their inputs and of their weights.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import * as oracle from './oracle.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, tensor } from './support.ts'

const SHAPES = [
  [1, 3],
  [3, 7],
  [37, 5],
  [5, 64],
  [2, 300],
] as const
const EPS = 1e-5

export function normTests(ops: OpsOf): void {
  test.each(SHAPES)('rmsNorm of [%i, %i]', async (n, d) => {
    const [x, w, dy] = [data(n * d, 3), data(d), data(n * d)]
    const [tx, tw, tdy] = [tensor(x, [n, d]), tensor(w, [d]), tensor(dy, [n, d])]
    const y = counted(() => ops().rmsNorm(tx, tw, EPS))
    await expectClose(y, oracle.rmsNorm(x, w, d, EPS))
    const dx = counted(() => ops().rmsNormBackward(tdy, tx, tw, EPS))
    await expectClose(
      dx,
      oracle.difference((v) => oracle.rmsNorm(v, w, d, EPS), x, dy),
    )
    const dw = counted(() => ops().rmsNormWeightGradient(tdy, tx, EPS))
    expect(dw.shape).toEqual([d])
    await expectClose(
      dw,
      oracle.difference((v) => oracle.rmsNorm(x, v, d, EPS), w, dy),
    )
    const [taped] = tf.grads((px: tf.Tensor) =>
      tf.mul(tf.mul(px, tf.rsqrt(tf.add(tf.mean(tf.square(px), 1, true), EPS))), tw),
    )([tx], tdy)
    await expectClose(dx, await taped!.data())
    tf.dispose([tx, tw, tdy, y, dx, dw, taped!])
  })

  test.each(SHAPES)('layerNorm of [%i, %i]', async (n, d) => {
    const [x, w, b, dy] = [data(n * d, 3), data(d), data(d), data(n * d)]
    const [tx, tw, tb, tdy] = [tensor(x, [n, d]), tensor(w, [d]), tensor(b, [d]), tensor(dy, [n, d])]
    const y = counted(() => ops().layerNorm(tx, tw, tb, EPS))
    await expectClose(y, oracle.layerNorm(x, w, b, d, EPS))
    const dx = counted(() => ops().layerNormBackward(tdy, tx, tw, EPS))
    await expectClose(
      dx,
      oracle.difference((v) => oracle.layerNorm(v, w, b, d, EPS), x, dy),
    )
    const { dw, db } = counted(() => ops().layerNormWeightGradients(tdy, tx, EPS))
    expect(dw.shape).toEqual([d])
    expect(db.shape).toEqual([d])
    await expectClose(
      dw,
      oracle.difference((v) => oracle.layerNorm(x, v, b, d, EPS), w, dy),
    )
    await expectClose(
      db,
      oracle.difference((v) => oracle.layerNorm(x, w, v, d, EPS), b, dy),
    )
    tf.dispose([tx, tw, tb, tdy, y, dx, dw, db])
  })

  test('layerNorm far from zero keeps its digits', async () => {
    const [n, d] = [2, 96]
    const x = data(n * d).map((value) => Math.fround(value + 1000))
    const [w, b] = [data(d), data(d)]
    const [tx, tw, tb] = [tensor(x, [n, d]), tensor(w, [d]), tensor(b, [d])]
    const y = ops().layerNorm(tx, tw, tb, EPS)
    // The mean of numbers near 1000 is good to 6e-5 in float32, the variance from raw squares would be off by 0.1.
    await expectClose(y, oracle.layerNorm(x, w, b, d, EPS), 2e-4)
    tf.dispose([tx, tw, tb, y])
  })
}
