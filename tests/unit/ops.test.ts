// The reference ops on the two backends that Node has.
import { fileURLToPath } from 'node:url'
import { referenceOps } from '../../src/core/ops/reference/index.ts'
import { defineOpsSuite } from '../ops/suite.ts'

const binaries = fileURLToPath(
  new URL('../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
)

defineOpsSuite('reference ops on cpu', { backend: 'cpu', ops: referenceOps })
defineOpsSuite('reference ops on wasm', { backend: 'wasm', ops: referenceOps, wasmPaths: binaries })
