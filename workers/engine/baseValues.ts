// What a plan takes from its base at step 0: whole tensors from the stored checkpoint, in full precision whatever the base
// has on the device, and row norms from the device, where DoRA will measure them again.
import { sqrt, tidy } from '@tensorflow/tfjs-core'
import type { BaseValues } from '../../src/core/adapters/parameters.ts'
import { rowSquares } from '../../src/core/nn/dora.ts'
import { storedName } from '../../src/core/models/tensors.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { LoadedModel } from './models.ts'

export function baseValues({ family, model, weights }: LoadedModel): BaseValues {
  return {
    async tensor({ name, shape, transposed }) {
      const stored = storedName(family, weights, name)
      if (stored === null)
        throw new GraftError(
          'E_ARGUMENT',
          `The base has no tensor ${name} in its checkpoint, so it cannot be trained on. Leave its module out.`,
          { tensor: name },
        )
      const values = await weights.read(stored)
      return transposed ? turned(values, shape as [number, number]) : values
    },
    async rowNorms({ path }) {
      const linear = model.linears('classify').find((candidate) => candidate.path === path)
      if (!linear)
        throw new GraftError('E_INTERNAL', `The base has no linear layer ${path} on the device.`, { path })
      const norms = tidy(() => sqrt(rowSquares(linear.weight, model.ops))) // [out]
      try {
        return (await norms.data()) as Float32Array
      } finally {
        norms.dispose()
      }
    },
  }
}

/** W [out, in] of what is stored as [in, out]. */
function turned(stored: Float32Array, [out, inputs]: readonly [number, number]): Float32Array {
  const values = new Float32Array(stored.length)
  for (let row = 0; row < out; row++)
    for (let column = 0; column < inputs; column++)
      values[row * inputs + column] = stored[column * out + row]!
  return values
}
