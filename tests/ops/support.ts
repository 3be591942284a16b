// Tools of the ops suite: seeded data, tensors of it, comparison, and the count of tensors that an op leaves behind.
import * as tf from '@tensorflow/tfjs-core'
import { expect } from 'vitest'
import { normals } from '../../src/core/rng.ts'
import type { F32Matrix } from '../../src/core/ops/matrix.ts'
import type { Vector } from './oracle.ts'

let stream = 0

/** Standard normal numbers, exact in float32; each call draws others. */
export function data(count: number, scale = 1): Vector {
  return Float64Array.from(normals({ seed: 7, purpose: 'noise', step: stream++ }, count), (x) =>
    Math.fround(x * scale),
  )
}

export function tensor(values: Vector, shape: number[]): tf.Tensor {
  return tf.tensor(Float32Array.from(values), shape, 'float32')
}

export function ints(values: ArrayLike<number>): tf.Tensor {
  return tf.tensor1d(Int32Array.from(values), 'int32')
}

export function frozen(values: Vector, shape: [number, number]): F32Matrix {
  return { kind: 'f32', shape, data: tensor(values, shape) }
}

/** Largest difference allowed, relative to the largest expected number. */
export const TOLERANCE = 2e-5

export async function expectClose(
  actual: tf.Tensor,
  expected: ArrayLike<number>,
  tolerance = TOLERANCE,
): Promise<void> {
  const values = await actual.data()
  expect(values.length).toBe(expected.length)
  // Inputs are of the order of 1, where float32 has steps of 1e-7: a result that should be 0 may be off by as much.
  let largest = 1e-2
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]!))
  let worst = 0
  let where = -1
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(values[i]! - expected[i]!)
    // Not <=: NaN must lose.
    if (!(off <= worst)) {
      worst = off
      where = i
    }
  }
  expect(
    worst / largest,
    `element ${where} of [${actual.shape.join(', ')}] is ${values[where]} instead of ${expected[where]}`,
  ).toBeLessThanOrEqual(tolerance)
}

/** Runs an op and checks that it leaves exactly the tensors it returns. */
export function counted<T extends tf.TensorContainer>(run: () => T): T {
  const before = tf.memory().numTensors
  const result = run()
  expect(tf.memory().numTensors - before, 'tensors that an op left behind, beside its result').toBe(
    countOf(result),
  )
  return result
}

function countOf(container: tf.TensorContainer): number {
  if (container instanceof tf.Tensor) return 1
  if (container === null || typeof container !== 'object') return 0
  return Object.values(container).reduce(
    (count: number, value) => count + countOf(value as tf.TensorContainer),
    0,
  )
}

/** tfjs's own gradients compile many shaders, which SwiftShader does slowly; the other backends check against them. */
export function tapeIsSlow(): boolean {
  return tf.getBackend() === 'webgpu'
}
