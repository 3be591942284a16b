// A worker that only registers the WASM backend and multiplies: what wasm-threads.test.ts runs in a browser.
import * as tf from '@tensorflow/tfjs-core'
import { registerWasm, type WasmInfo } from '../../../src/core/backend/wasm.ts'

export interface WasmReport extends WasmInfo {
  isolated: boolean
  cores: number
  /** Speed of a product of two 1024 x 1024 matrices, best of some. */
  gigaflops: number
  /** The product's bits as one number. */
  hash: number
}

const SIZE = 1024
const REPEATS = 6

function matrix(step: number): tf.Tensor2D {
  return tf.tensor2d(
    Float32Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i * step)),
    [SIZE, SIZE],
  ) // (1024, 1024)
}

async function measure(threads: number): Promise<WasmReport> {
  const info = await registerWasm({ threads })
  await tf.setBackend('wasm')
  const a = matrix(0.37)
  const b = matrix(0.11)
  let best = Infinity
  for (let i = 0; i < REPEATS; i++) {
    const start = performance.now()
    tf.matMul(a, b).dispose()
    best = Math.min(best, performance.now() - start)
  }
  const values = await tf.matMul(a, b).data()
  let hash = 0
  for (const bits of new Int32Array((values as Float32Array).buffer)) hash = (Math.imul(hash, 31) + bits) | 0
  const gigaflops = (2 * SIZE ** 3) / best / 1e6
  return { ...info, isolated: crossOriginIsolated, cores: navigator.hardwareConcurrency, gigaflops, hash }
}

addEventListener('message', ({ data }: MessageEvent<number>) => {
  void measure(data).then((report) => postMessage(report))
})
