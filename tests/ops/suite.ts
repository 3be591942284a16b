// Everything an implementation of Ops must do, run by the unit tests on cpu and wasm and by the gpu tests in Chromium.
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import * as tf from '@tensorflow/tfjs-core'
// For tf.grads, which the product itself never uses.
import '@tensorflow/tfjs-core/dist/register_all_gradients'
import { startBackend } from '../../src/core/backend/register.ts'
import type { Ops } from '../../src/core/ops/ops.ts'
import type { BackendName } from '../../src/protocol/engine.ts'
import type { WasmFiles } from '../../src/core/backend/wasm.ts'
import { attentionTests } from './attention.ts'
import { elementwiseTests } from './elementwise.ts'
import { linearTests } from './linear.ts'
import { lossTests } from './loss.ts'
import { optimizerTests } from './optimizer.ts'

/** The ops under test, once the backend has been started. */
export type OpsOf = () => Ops

export function defineOpsSuite(
  name: string,
  backend: BackendName,
  ops: Ops,
  wasmPaths?: string | WasmFiles,
): void {
  describe(name, () => {
    const faults: Error[] = []
    let tensors = 0
    beforeAll(async () => {
      await startBackend(backend, {
        ...(wasmPaths === undefined ? {} : { wasmPaths }),
        onFault: (fault) => faults.push(fault),
      })
      expect(tf.getBackend()).toBe(backend)
      tensors = tf.memory().numTensors
    })
    afterEach(() => expect(faults).toEqual([]))
    afterAll(() => expect(tf.memory().numTensors, 'tensors left by the suite').toBe(tensors))
    linearTests(() => ops)
    elementwiseTests(() => ops)
    attentionTests(() => ops)
    lossTests(() => ops)
    optimizerTests(() => ops)
  })
}
