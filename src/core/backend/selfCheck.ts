// A backend that starts may still compute nonsense (a broken driver, an invalid shader that nobody reported):
// before it is chosen it must get one small product right.
import { matMul, tensor2d, tidy, type Tensor2D } from '@tensorflow/tfjs-core'
import { GraftError } from '../../protocol/errors.ts'
import { inErrorScopes } from './errorScopes.ts'

const ROWS = 8
const INNER = 33
const COLUMNS = 5

/** @throws E_GPU where the current backend computes a wrong product, or whatever it throws itself. */
export async function selfCheck(): Promise<void> {
  // Small integers: exact in float32 whatever the order of summation.
  const a = Float32Array.from({ length: ROWS * INNER }, (_, i) => ((i * 7) % 11) - 5)
  const b = Float32Array.from({ length: COLUMNS * INNER }, (_, i) => ((i * 5) % 13) - 6)
  const values = await inErrorScopes('The self-check', async () => {
    const y = tidy((): Tensor2D =>
      matMul(tensor2d(a, [ROWS, INNER]), tensor2d(b, [COLUMNS, INNER]), false, true),
    )
    try {
      return await y.data()
    } finally {
      y.dispose()
    }
  })
  for (let row = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      let expected = 0
      for (let i = 0; i < INNER; i++) expected += a[row * INNER + i]! * b[column * INNER + i]!
      if (values[row * COLUMNS + column] !== expected) {
        throw new GraftError(
          'E_GPU',
          'it computes a wrong matrix product: update the graphics driver or the browser.',
        )
      }
    }
  }
}
