// linear, linearBackward, matmul and the dropout inside.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { uniforms, type RngKey } from '../../src/core/rng.ts'
import type { LoraFactors } from '../../src/core/ops/ops.ts'
import * as oracle from './oracle.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, frozen, tapeIsSlow, tensor } from './support.ts'

const SHAPES: oracle.LinearSizes[] = [
  { n: 1, i: 7, o: 5, r: 2 },
  { n: 5, i: 33, o: 19, r: 3 },
  { n: 17, i: 34, o: 20, r: 8 },
  { n: 3, i: 130, o: 1, r: 1 },
]
const key: RngKey = { seed: 3, purpose: 'dropout', step: 4, layer: 2 }

export function linearTests(ops: OpsOf): void {
  test.each(SHAPES)('linear n=$n in=$i out=$o r=$r', async (sizes) => {
    const { n, i, o } = sizes
    const [x, w, bias, dy] = [data(n * i), data(o * i), data(o), data(n * o)]
    const [tx, tw, tbias, tdy] = [tensor(x, [n, i]), frozen(w, [o, i]), tensor(bias, [o]), tensor(dy, [n, o])]
    const y = counted(() => ops().linear(tx, tw))
    await expectClose(y, oracle.linear(sizes, x, w, null, null))
    const yBias = counted(() => ops().linear(tx, tw, tbias))
    await expectClose(yBias, oracle.linear(sizes, x, w, bias, null))
    const { dx } = counted(() => ({ ...ops().linearBackward(tdy, tx, tw) }))
    await expectClose(
      dx,
      oracle.difference((v) => oracle.linear(sizes, v, w, null, null), x, dy),
    )
    tf.dispose([tx, tw.data, tbias, tdy, y, yBias, dx])
  })

  test.each(SHAPES.flatMap((sizes) => [0, 0.25].map((rate) => ({ ...sizes, rate }))))(
    'linear with LoRA n=$n in=$i out=$o r=$r dropout=$rate',
    async ({ rate, ...sizes }) => {
      const { n, i, o, r } = sizes
      const [x, w, bias, dy, a, b] = [
        data(n * i),
        data(o * i),
        data(o),
        data(n * o),
        data(r * i),
        data(o * r),
      ]
      const scale = 1.5
      const mask =
        rate > 0 ? Float64Array.from(uniforms(key, n * i), (u) => (u >= rate ? 1 / (1 - rate) : 0)) : null
      const lora: LoraFactors = { a: tensor(a, [r, i]), b: tensor(b, [o, r]), scale, dropout: { rate, key } }
      const [tx, tw, tbias, tdy] = [
        tensor(x, [n, i]),
        frozen(w, [o, i]),
        tensor(bias, [o]),
        tensor(dy, [n, o]),
      ]
      const y = counted(() => ops().linear(tx, tw, tbias, lora))
      await expectClose(y, oracle.linear(sizes, x, w, bias, { a, b, scale, mask }))
      const { dx, da, db } = counted(() => ({ ...ops().linearBackward(tdy, tx, tw, lora) }))
      const f = (vx: oracle.Vector, va: oracle.Vector, vb: oracle.Vector): oracle.Vector =>
        oracle.linear(sizes, vx, w, null, { a: va, b: vb, scale, mask })
      expect(da!.shape).toEqual([r, i])
      expect(db!.shape).toEqual([o, r])
      await expectClose(
        dx,
        oracle.difference((v) => f(v, a, b), x, dy),
      )
      await expectClose(
        da!,
        oracle.difference((v) => f(x, v, b), a, dy),
      )
      await expectClose(
        db!,
        oracle.difference((v) => f(x, a, v), b, dy),
      )
      if (rate === 0 && !tapeIsSlow()) {
        const grads = tf.grads((px: tf.Tensor, pa: tf.Tensor, pb: tf.Tensor) =>
          tf.add(
            tf.matMul(px, tw.data, false, true),
            tf.mul(tf.matMul(tf.matMul(px, pa, false, true), pb, false, true), scale),
          ),
        )([tx, lora.a, lora.b], tdy)
        await expectClose(dx, await grads[0]!.data())
        await expectClose(da!, await grads[1]!.data())
        await expectClose(db!, await grads[2]!.data())
        tf.dispose(grads)
      }
      tf.dispose([tx, tw.data, tbias, tdy, y, dx, da!, db!, lora.a, lora.b])
    },
  )

  test('the product that tfjs gets wrong: [64, 2048] by [16, 2048] transposed', async () => {
    const sizes = { n: 64, i: 2048, o: 16, r: 1 }
    const [x, w] = [data(sizes.n * sizes.i), data(sizes.o * sizes.i)]
    const [tx, tw] = [tensor(x, [64, 2048]), frozen(w, [16, 2048])]
    const expected = oracle.timesTransposed(x, w, 64, 2048, 16)
    const product = counted(() => ops().matmul(tx, tw.data, false, true))
    const layer = counted(() => ops().linear(tx, tw))
    await expectClose(product, expected)
    await expectClose(layer, expected)
    tf.dispose([tx, tw.data, product, layer])
  })

  test.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('matmul transposed %s, %s', async (ta, tb) => {
    const [m, k, n] = [5, 34, 7]
    const [a, b] = [data(m * k), data(k * n)] // a [m, k], b [n, k]
    const expected = oracle.timesTransposed(a, b, m, k, n)
    const tensorA = tensor(a, [m, k])
    const tensorB = tensor(b, [n, k])
    const left = ta ? tf.transpose(tensorA) : tensorA
    const right = tb ? tensorB : tf.transpose(tensorB)
    const product = counted(() => ops().matmul(left, right, ta, tb))
    expect(product.shape).toEqual([m, n])
    await expectClose(product, expected)
    tf.dispose([tensorA, tensorB, left, right, product])
  })

  // Tiles of 4 x 8 over stretches of 32 rows: fewer, as many, and more of each; and a product too large for them.
  test.each([
    [4, 1, 8],
    [4, 32, 16],
    [16, 33, 8],
    [8, 100, 40],
    [256, 7, 256],
  ])('matmul by a transposed matrix, %i x %i x %i', async (m, k, n) => {
    const [a, b] = [data(k * m), data(k * n)] // a [k, m], b [k, n]
    const left = tensor(a, [k, m])
    const right = tensor(b, [k, n])
    const product = counted(() => ops().matmul(left, right, true))
    const expected = new Float64Array(m * n)
    for (let row = 0; row < k; row++)
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) expected[i * n + j]! += a[row * m + i]! * b[row * n + j]!
    await expectClose(product, expected)
    tf.dispose([left, right, product])
  })
}
