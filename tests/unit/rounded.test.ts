// Quantised bases against PyTorch on the two backends that Node has.
import { fileURLToPath } from 'node:url'
import { beforeAll, describe } from 'vitest'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { roundedSuite } from '../golden/rounded.ts'

const wasmPaths = fileURLToPath(
  new URL('../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
)

for (const backend of ['cpu', 'wasm'] as const) {
  describe(backend, () => {
    beforeAll(async () => {
      await startBackend(backend, {
        wasmPaths,
        onFault: (error) => {
          throw error
        },
      })
    })
    roundedSuite('quantised bases', () => opsFor(backend))
  })
}
