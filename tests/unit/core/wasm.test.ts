// Registration of the WASM backend where there are no threads; tests/e2e/wasm-threads.test.ts has them.
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { registerWasm } from '../../../src/core/backend/wasm.ts'

const paths = fileURLToPath(
  new URL('../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
)

it('runs with SIMD and one thread in Node, says why, and can be registered again', async () => {
  for (let round = 0; round < 2; round++) {
    expect(await registerWasm({ paths, threads: 4 })).toEqual({
      simd: true,
      threads: 1,
      reason: 'In Node the backend has one thread.',
    })
    expect(await tf.setBackend('wasm')).toBe(true)
    const a = tf.tensor2d([1, 2, 3, 4], [2, 2]) // (2, 2)
    const b = tf.tensor2d([5, 6, 7, 8], [2, 2]) // (2, 2)
    expect([...(await tf.matMul(a, b).data())]).toEqual([19, 22, 43, 50])
  }
})
