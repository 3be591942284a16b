// A random projection that fits beside any model: every number gets a random sign and a random one of k sums (Charikar, Chen &
// Farach-Colton 2002; Weinberger et al. 2009). Inner products keep their expected value, with a variance of at most
// (|x|^2 |y|^2 + <x, y>^2) / k; memory is eight bytes a number, where a dense projection would take 4 k. All sums get
// equally many numbers: a random order is cut into k stretches.
import {
  gather,
  keep,
  mul,
  reshape,
  sum,
  tensor1d,
  tidy,
  type Tensor,
  type Tensor1D,
} from '@tensorflow/tfjs-core'
import { permutation, words } from '../../rng.ts'

export interface Sketch {
  readonly size: number
  /** x [n] -> [size] */
  of(x: Tensor): Tensor
  dispose(): void
}

/** A projection of n numbers to `size`, the same for the same seed. Made once: drawing the order of n takes a while. */
export function randomSketch(n: number, size: number, seed: number): Sketch {
  const length = Math.ceil(n / size) * size
  const order = new Int32Array(length)
  order.set(permutation({ seed, purpose: 'sample', layer: 1 }, n))
  const bits = words({ seed, purpose: 'sample', layer: 2 }, Math.ceil(n / 32))
  // What fills up the last stretch counts nothing.
  const signs = Float32Array.from({ length }, (_, i) =>
    i >= n ? 0 : (bits[i >>> 5]! >>> (i & 31)) & 1 ? 1 : -1,
  )
  const [at, sign] = [keep(tensor1d(order, 'int32')), keep(tensor1d(signs))]
  return {
    size,
    of: (x) =>
      tidy(() => sum(reshape(mul(gather(reshape(x, [n]) as Tensor1D, at), sign), [size, length / size]), 1)),
    dispose() {
      at.dispose()
      sign.dispose()
    },
  }
}
