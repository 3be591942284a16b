// Every kind of adapter against peft, on the backends that Node has.
import { fileURLToPath } from 'node:url'
import { beforeAll, describe } from 'vitest'
import { startBackend } from '../../../src/core/backend/register.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { variantSuite } from '../../golden/variants.ts'

const wasmPaths = fileURLToPath(
  new URL('../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
)

// Plain JavaScript is slow, so it follows the first steps alone.
for (const [backend, steps] of [
  ['cpu', 3],
  ['wasm', 30],
] as const) {
  describe(backend, () => {
    beforeAll(async () => {
      await startBackend(backend, {
        wasmPaths,
        onFault: (error) => {
          throw error
        },
      })
    })
    variantSuite(backend, () => opsFor(backend), undefined, steps)
  })
}
