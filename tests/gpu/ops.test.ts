// The ops in a real browser: WGSL on WebGPU, and the reference on WebGPU and WASM (with threads where there are cores).
import { opsFor } from '../../src/core/ops/index.ts'
import { referenceOps } from '../../src/core/ops/reference/index.ts'
import { defineOpsSuite } from '../ops/suite.ts'

defineOpsSuite('WGSL ops on webgpu', 'webgpu', opsFor('webgpu'))
defineOpsSuite('reference ops on webgpu', 'webgpu', referenceOps)
defineOpsSuite('reference ops on wasm', 'wasm', referenceOps)
