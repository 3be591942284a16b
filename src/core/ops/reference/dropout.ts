// Inverted dropout (Srivastava et al. 2014) with masks that are a pure function of the key: equal on every backend
// and after every resume.
import { clone, mul, tensor, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { uniforms } from '../../rng.ts'
import type { Dropout } from '../ops.ts'

/** f32 of the given shape: 1 / (1 - rate) where the element is kept, 0 elsewhere. */
export function dropoutMask(dropout: Dropout, shape: number[]): Tensor {
  const { rate, key } = dropout
  const kept = 1 / (1 - rate)
  const mask = uniforms(
    key,
    shape.reduce((product, extent) => product * extent, 1),
  )
  for (let i = 0; i < mask.length; i++) mask[i] = mask[i]! >= rate ? kept : 0
  return tensor(mask, shape, 'float32')
}

/** The mask, or null where nothing is dropped. */
export function maskFor(dropout: Dropout | undefined, shape: number[]): Tensor | null {
  return dropout && dropout.rate > 0 ? dropoutMask(dropout, shape) : null
}

/** x [N, d] with what the dropout leaves out set to 0; without a rate a copy of x. */
export function dropout(x: Tensor, dropout: Dropout): Tensor {
  return tidy(() => {
    const mask = maskFor(dropout, x.shape)
    return mask ? mul(x, mask) : clone(x)
  })
}

/** x with the mask applied; x itself without one. Forward and backward are the same product. */
export function masked(x: Tensor, mask: Tensor | null): Tensor {
  return mask ? tidy(() => mul(x, mask)) : x
}
