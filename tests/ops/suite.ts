// Everything an implementation of Ops must do, run by the unit tests on cpu and wasm and by the gpu tests in Chromium.
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import * as tf from '@tensorflow/tfjs-core'
// For tf.grads, which the product itself never uses.
import '@tensorflow/tfjs-core/dist/register_all_gradients'
import { startBackend } from '../../src/core/backend/register.ts'
import type { Ops } from '../../src/core/ops/ops.ts'
import { currentTuner } from '../../src/core/ops/webgpu/tuning/tuner.ts'
import type { BackendName } from '../../src/protocol/engine.ts'
import { activationTests } from './activation.ts'
import { attentionTests } from './attention.ts'
import { columnTests } from './columns.ts'
import { elementwiseTests } from './elementwise.ts'
import { fusedTests } from './fused.ts'
import { linearTests } from './linear.ts'
import { lossTests } from './loss.ts'
import { normTests } from './norm.ts'
import { optimizerTests } from './optimizer.ts'
import { precisionTests } from './precision.ts'
import { pytorchTests } from './pytorch.ts'
import { stepTests } from './step.ts'

/** The ops under test, once the backend has been started. */
export type OpsOf = () => Ops

const PARTS = {
  linear: linearTests,
  elementwise: elementwiseTests,
  activation: activationTests,
  norm: normTests,
  columns: columnTests,
  attention: attentionTests,
  loss: lossTests,
  optimizer: optimizerTests,
  precision: precisionTests,
  fused: fusedTests,
  step: stepTests,
  pytorch: pytorchTests,
}
export type Part = keyof typeof PARTS

interface SuiteOptions {
  backend: BackendName
  ops: Ops
  /** All of them, if absent. */
  parts?: Part[]
  wasmPaths?: string
  /** Of the kernels, wherever they have it (ops/webgpu/tuning/settings.ts). */
  setting?: string
}

export function defineOpsSuite(
  name: string,
  { backend, ops, parts, wasmPaths, setting }: SuiteOptions,
): void {
  describe(name, () => {
    const faults: Error[] = []
    let tensors = 0
    beforeAll(async () => {
      const onFault = (fault: Error): void => void faults.push(fault)
      await startBackend(backend, wasmPaths === undefined ? { onFault } : { onFault, wasmPaths })
      expect(tf.getBackend()).toBe(backend)
      if (setting) currentTuner()!.force(setting)
      tensors = tf.memory().numTensors
    })
    afterEach(() => expect(faults).toEqual([]))
    afterAll(() => expect(tf.memory().numTensors, 'tensors left by the suite').toBe(tensors))
    for (const part of parts ?? (Object.keys(PARTS) as Part[])) PARTS[part](() => ops)
  })
}
