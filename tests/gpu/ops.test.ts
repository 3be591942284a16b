// The ops in a real browser: WGSL on WebGPU, and the reference on WebGPU and on WASM (with threads where there are
// cores). Node runs the whole suite on WASM and CPU; here only what differs.
import { opsFor } from '../../src/core/ops/index.ts'
import { referenceOps } from '../../src/core/ops/reference/index.ts'
import { defineOpsSuite } from '../ops/suite.ts'

defineOpsSuite('WGSL ops on webgpu', { backend: 'webgpu', ops: opsFor('webgpu') })
defineOpsSuite('reference ops on webgpu', {
  backend: 'webgpu',
  ops: referenceOps,
  parts: ['elementwise', 'activation', 'norm', 'columns', 'loss', 'optimizer'],
})
defineOpsSuite('reference ops on wasm', { backend: 'wasm', ops: referenceOps })
defineOpsSuite('reference ops on cpu', { backend: 'cpu', ops: referenceOps, parts: ['elementwise'] })
