// rmsNorm, rope, swiglu and add: ops that work row by row or element by element.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import * as oracle from './oracle.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, ints, tensor } from './support.ts'

export function elementwiseTests(ops: OpsOf): void {
  test.each([
    [1, 2],
    [3, 7],
    [5, 64],
    [2, 300],
  ])('rmsNorm of [%i, %i]', async (n, d) => {
    const [x, w, dy] = [data(n * d, 3), data(d), data(n * d)]
    const [tx, tw, tdy] = [tensor(x, [n, d]), tensor(w, [d]), tensor(dy, [n, d])]
    const eps = 1e-5
    const y = counted(() => ops().rmsNorm(tx, tw, eps))
    await expectClose(y, oracle.rmsNorm(x, w, d, eps))
    const dx = counted(() => ops().rmsNormBackward(tdy, tx, tw, eps))
    await expectClose(
      dx,
      oracle.difference((v) => oracle.rmsNorm(v, w, d, eps), x, dy),
    )
    const [taped] = tf.grads((px: tf.Tensor) =>
      tf.mul(tf.mul(px, tf.rsqrt(tf.add(tf.mean(tf.square(px), 1, true), eps))), tw),
    )([tx], tdy)
    await expectClose(dx, await taped!.data())
    tf.dispose([tx, tw, tdy, y, dx, taped!])
  })

  test.each([
    [1, 1, 2],
    [5, 3, 8],
    [7, 2, 34],
  ])('rope of [%i, %i, %i]', async (n, h, hd) => {
    const [x, angles] = [data(n * h * hd), data((12 * hd) / 2)]
    const positions = Int32Array.from({ length: n }, (_, i) => (i * 5) % 12)
    const [cos, sin] = [
      angles.map((a) => Math.fround(Math.cos(a))),
      angles.map((a) => Math.fround(Math.sin(a))),
    ]
    const table = { cos: tensor(cos, [12, hd / 2]), sin: tensor(sin, [12, hd / 2]) }
    const [tx, tp] = [tensor(x, [n, h, hd]), ints(positions)]
    const y = counted(() => ops().rope(tx, tp, table))
    expect(y.shape).toEqual([n, h, hd])
    await expectClose(y, oracle.rope(x, positions, cos, sin, h, hd))
    // The backward is the rotation by the negative angle: it undoes the forward, and is its transpose.
    const back = counted(() => ops().rope(y, tp, table, true))
    await expectClose(back, x)
    const dy = data(n * h * hd)
    const tdy = tensor(dy, [n, h, hd])
    const dx = ops().rope(tdy, tp, table, true)
    await expectClose(
      dx,
      oracle.difference((v) => oracle.rope(v, positions, cos, sin, h, hd), x, dy),
    )
    tf.dispose([tx, tp, table.cos, table.sin, y, back, tdy, dx])
  })

  test.each([
    [1, 1],
    [3, 67],
  ])('swiglu of [%i, %i]', async (n, d) => {
    const [gate, up, dh] = [data(n * d, 3), data(n * d), data(n * d)]
    const [tg, tu, tdh] = [tensor(gate, [n, d]), tensor(up, [n, d]), tensor(dh, [n, d])]
    const h = counted(() => ops().gated('silu', tg, tu))
    await expectClose(h, oracle.swiglu(gate, up))
    const { dGate, dUp } = counted(() => ops().gatedBackward('silu', tdh, tg, tu))
    await expectClose(
      dGate,
      oracle.difference((v) => oracle.swiglu(v, up), gate, dh),
    )
    await expectClose(
      dUp,
      oracle.difference((v) => oracle.swiglu(gate, v), up, dh),
    )
    const [tapedGate, tapedUp] = tf.grads((g: tf.Tensor, u: tf.Tensor) =>
      tf.mul(tf.mul(g, tf.sigmoid(g)), u),
    )([tg, tu], tdh)
    await expectClose(dGate, await tapedGate!.data())
    await expectClose(dUp, await tapedUp!.data())
    tf.dispose([tg, tu, tdh, h, dGate, dUp, tapedGate!, tapedUp!])
  })

  test('swiglu of large numbers stays finite', async () => {
    const gate = Float64Array.from([-200, -90, 0, 90, 200])
    const [tg, one] = [tensor(gate, [1, 5]), tensor(new Float64Array(5).fill(1), [1, 5])]
    const h = ops().gated('silu', tg, one)
    await expectClose(h, [0, 0, 0, 90, 200])
    const { dGate, dUp } = ops().gatedBackward('silu', one, tg, one)
    await expectClose(dGate, [0, 0, 0.5, 1, 1])
    await expectClose(dUp, [0, 0, 0, 90, 200])
    tf.dispose([tg, one, h, dGate, dUp])
  })

  test('add', async () => {
    const [a, b] = [data(15), data(15)]
    const [ta, tb] = [tensor(a, [3, 5]), tensor(b, [3, 5])]
    const sum = counted(() => ops().add(ta, tb))
    await expectClose(
      sum,
      a.map((value, i) => value + b[i]!),
    )
    tf.dispose([ta, tb, sum])
  })
}
