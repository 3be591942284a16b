// rope and add: ops that work element by element.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import * as oracle from './oracle.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, ints, tensor } from './support.ts'

export function elementwiseTests(ops: OpsOf): void {
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
