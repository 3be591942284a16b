// Smooth steps, alone and gating: silu, gelu in both forms, relu, tanh; SwiGLU and GeGLU.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import type { Activation } from '../../src/core/ops/ops.ts'
import * as oracle from './oracle.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, tensor } from './support.ts'

const ACTIVATIONS: Activation[] = ['silu', 'gelu', 'geluTanh', 'relu', 'tanh']
const GATES: Activation[] = ['silu', 'gelu', 'geluTanh']

export function activationTests(ops: OpsOf): void {
  test.each(ACTIVATIONS)('%s', async (act) => {
    for (const [n, d] of [
      [1, 5],
      [3, 67],
    ] as const) {
      const [x, dy] = [data(n * d, 3), data(n * d)]
      const [tx, tdy] = [tensor(x, [n, d]), tensor(dy, [n, d])]
      const y = counted(() => ops().activation(act, tx))
      expect(y.shape).toEqual([n, d])
      await expectClose(y, x.map(oracle.ACTIVATIONS[act]))
      const dx = counted(() => ops().activationBackward(act, tdy, tx))
      await expectClose(
        dx,
        oracle.difference((v) => v.map(oracle.ACTIVATIONS[act]), x, dy),
      )
      tf.dispose([tx, tdy, y, dx])
    }
  })

  test.each(ACTIVATIONS)('%s from -12 to 12, to the digits of float32', async (act) => {
    const x = Float64Array.from({ length: 2401 }, (_, i) => Math.fround((i - 1200) / 100))
    const tx = tensor(x, [1, x.length])
    const y = ops().activation(act, tx)
    const values = await y.data()
    x.forEach((at, i) => {
      const off = Math.abs(values[i]! - oracle.ACTIVATIONS[act](at))
      expect(off, `${act}(${at}) is ${values[i]}`).toBeLessThan(4e-7 * Math.max(1, Math.abs(at)))
    })
    tf.dispose([tx, y])
  })

  test.each(ACTIVATIONS)('%s of large numbers stays finite', async (act) => {
    const x = Float64Array.of(-1e6, -200, 0, 200, 1e6)
    const [tx, one] = [tensor(x, [1, 5]), tensor(new Float64Array(5).fill(1), [1, 5])]
    const y = ops().activation(act, tx)
    const dx = ops().activationBackward(act, one, tx)
    await expectClose(y, act === 'tanh' ? [-1, -1, 0, 1, 1] : [0, 0, 0, 200, 1e6])
    const atZero = { silu: 0.5, gelu: 0.5, geluTanh: 0.5, relu: 0, tanh: 1 }[act]
    const limit = act === 'tanh' ? 0 : 1
    await expectClose(dx, [0, 0, atZero, limit, limit])
    tf.dispose([tx, one, y, dx])
  })

  test.each(GATES)('gated by %s', async (act) => {
    for (const [n, d] of [
      [1, 5],
      [3, 67],
    ] as const) {
      const [gate, up, dh] = [data(n * d, 3), data(n * d), data(n * d)]
      const [tg, tu, tdh] = [tensor(gate, [n, d]), tensor(up, [n, d]), tensor(dh, [n, d])]
      const f = (g: oracle.Vector, u: oracle.Vector): oracle.Vector =>
        g.map((value, at) => oracle.ACTIVATIONS[act](value) * u[at]!)
      const h = counted(() => ops().gated(act, tg, tu))
      await expectClose(h, f(gate, up))
      const { dGate, dUp } = counted(() => ops().gatedBackward(act, tdh, tg, tu))
      await expectClose(
        dGate,
        oracle.difference((v) => f(v, up), gate, dh),
      )
      await expectClose(
        dUp,
        oracle.difference((v) => f(gate, v), up, dh),
      )
      tf.dispose([tg, tu, tdh, h, dGate, dUp])
    }
  })

  test('silu as a gate agrees with the tape of tf', async () => {
    const [gate, up, dh] = [data(20, 3), data(20), data(20)].map((x) => tensor(x, [4, 5])) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ]
    const { dGate, dUp } = ops().gatedBackward('silu', dh, gate, up)
    const taped = tf.grads((g: tf.Tensor, u: tf.Tensor) => tf.mul(tf.mul(g, tf.sigmoid(g)), u))(
      [gate, up],
      dh,
    )
    await expectClose(dGate, await taped[0]!.data())
    await expectClose(dUp, await taped[1]!.data())
    tf.dispose([gate, up, dh, dGate, dUp, ...taped])
  })
}
