// The ops in each setting of the products and row kernels that the adapter offers: all are right at every shape.
import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import * as tf from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { abilitiesOf } from '../../src/core/ops/webgpu/tuning/start.ts'
import { defineOpsSuite, type Part } from '../ops/suite.ts'

interface Case {
  setting: string
  /** Of the suite: those whose kernels have the setting. */
  parts: Part[]
  /** What it needs, and what then shows in its code. */
  extension?: 'f16' | 'subgroups'
}

const CASES: Case[] = [
  { setting: 'default', parts: ['linear', 'precision', 'fused', 'loss', 'norm', 'attention'] },
  ...['32x64', '64x64', '128x64', '64x128'].map((setting): Case => ({ setting, parts: ['linear', 'fused'] })),
  ...['f16', '64x128 f16'].map((setting): Case => ({
    setting,
    parts: ['precision', 'fused'],
    extension: 'f16',
  })),
  { setting: 'subgroups', parts: ['loss', 'norm', 'attention', 'fused'], extension: 'subgroups' },
]

await startBackend('webgpu', {
  onFault(fault) {
    throw fault
  },
})
const { device } = tf.backend() as WebGPUBackend
const { half, subgroups } = abilitiesOf({
  info: device.adapterInfo,
  features: [...device.features],
  limits: device.limits,
})

for (const { setting, parts, extension } of CASES) {
  const offered = extension === 'f16' ? half : extension === 'subgroups' ? subgroups : true
  describe.skipIf(!offered)(setting, () => {
    const codes: string[] = []
    beforeAll(() => {
      const original = GPUDevice.prototype.createShaderModule
      vi.spyOn(GPUDevice.prototype, 'createShaderModule').mockImplementation(function (
        this: GPUDevice,
        given,
      ) {
        codes.push(given.code)
        return original.call(this, given)
      })
    })
    afterAll(() => {
      vi.restoreAllMocks()
      if (extension) expect(codes.some((code) => code.includes(`enable ${extension}`))).toBe(true)
    })
    defineOpsSuite('WGSL ops', { backend: 'webgpu', ops: opsFor('webgpu'), parts, setting })
  })
}
