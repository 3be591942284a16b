// A worker that only registers the WASM backend and computes: what wasm-threads.test.ts runs in a browser.
import * as tf from '@tensorflow/tfjs-core'
import { registerWasm, type WasmInfo } from '../../../src/core/backend/wasm.ts'
import { AttentionLayout } from '../../../src/core/ops/layout.ts'
import { referenceOps } from '../../../src/core/ops/reference/index.ts'
import { wasmKernels } from '../../../src/core/ops/reference/wasmKernels.ts'

export interface WasmReport extends WasmInfo {
  isolated: boolean
  cores: number
  /** Speed of a product of two 1024 x 1024 matrices, best of some. */
  gigaflops: number
  /** The bits of the product, of attention and its gradients, and of a gate, as one number. */
  hash: number
  /** Threads that share our own kernels. */
  sharing: number
}

const SIZE = 1024
const REPEATS = 6

function matrix(step: number): tf.Tensor2D {
  return tf.tensor2d(
    Float32Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i * step)),
    [SIZE, SIZE],
  ) // (1024, 1024)
}

/** Results of every kind of kernel. */
function results(): tf.Tensor[] {
  const [batch, tokens, heads, size] = [2, 150, 4, 32]
  const rows = batch * tokens
  const heads3d = (step: number) =>
    tf.reshape(tf.slice(matrix(step), [0, 0], [rows, heads * size]), [rows, heads, size])
  const layout = new AttentionLayout({
    batch,
    queryPositions: Int32Array.from({ length: rows }, (_, i) => i % tokens),
    querySegments: new Int32Array(rows),
  })
  const mask = { scale: 0.2, causal: true, window: null }
  const [q, k, v, dO] = [heads3d(0.3), heads3d(0.5), heads3d(0.7), heads3d(0.9)] as const
  const { output, logSumExp } = referenceOps.attention(q, k, v, layout, mask)
  const { dq, dk, dv } = referenceOps.attentionBackward(dO, q, k, v, output, logSumExp, layout, mask)
  const [a, b] = [matrix(0.37), matrix(0.11)]
  const product = referenceOps.matmul(a, b, true, false)
  const normed = referenceOps.rmsNorm(product, tf.ones([SIZE]), 1e-5)
  return [product, output, logSumExp, dq, dk, dv, normed, referenceOps.gated('silu', a, normed)]
}

async function measure(threads: number): Promise<WasmReport> {
  const info = await registerWasm({ threads })
  await tf.setBackend('wasm')
  const a = matrix(0.37)
  const b = matrix(0.11)
  let best = Infinity
  for (let i = 0; i < REPEATS; i++) {
    const start = performance.now()
    referenceOps.matmul(a, b, false, true).dispose()
    best = Math.min(best, performance.now() - start)
  }
  let hash = 0
  for (const result of results())
    for (const bits of new Int32Array(((await result.data()) as Float32Array).buffer))
      hash = (Math.imul(hash, 31) + bits) | 0
  const gigaflops = (2 * SIZE ** 3) / best / 1e6
  const sharing = wasmKernels()?.threads ?? 0
  return {
    ...info,
    isolated: crossOriginIsolated,
    cores: navigator.hardwareConcurrency,
    gigaflops,
    hash,
    sharing,
  }
}

addEventListener('message', ({ data }: MessageEvent<number>) => {
  measure(data).then(
    (report) => postMessage(report),
    (error: unknown) => reportError(error),
  )
})
