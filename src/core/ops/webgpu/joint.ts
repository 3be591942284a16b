// Frozen layers that share an input, side by side: y = [x W_0^T | x W_1^T | ...] and dx = sum over j of dy_j W_j, each with
// its low-rank part, biases and an addend, in one dispatch, or in as few as the device's number of bindings allows.
import type { Tensor } from '@tensorflow/tfjs-core'
import {
  backwardKernel,
  backwardShape,
  forwardKernel,
  forwardShape,
  type Backward,
  type Forward,
  type JointLayer,
} from './jointKernels.ts'
import { maxBindings, runInPlace, scratch } from './runner.ts'
import { sizeClass, tileSettings } from './tuning/settings.ts'
import { settingFor, type Tunable } from './tuning/tuner.ts'

export type { JointLayer, LowRank } from './jointKernels.ts'

/** y [rows, width]; `bindings`: buffers that a kernel may be bound to. */
export function jointForward(given: Forward, bindings = maxBindings()): Tensor {
  const y = scratch([given.rows, given.width])
  jointForwardInto(y, given, bindings)
  return y
}

/** The same into the columns of an existing tensor. */
export function jointForwardInto(y: Tensor, given: Forward, bindings = maxBindings()): void {
  const others = 2 + (given.low ? 2 : 0) + (given.bias ? 1 : 0) + (given.plus ? 1 : 0)
  for (const layers of chunks(given.layers, bindings - others)) {
    const setting = settingFor(forwardWork(given, layers))
    if (setting !== null) runInPlace(forwardKernel(given, layers, setting), y)
  }
}

/** dx [rows, inner] */
export function jointBackward(given: Backward, bindings = maxBindings()): Tensor {
  const dx = scratch([given.rows, given.inner])
  jointBackwardInto(dx, given, bindings)
  return dx
}

/** The same into rows of an existing tensor. */
export function jointBackwardInto(dx: Tensor, given: Backward, bindings = maxBindings()): void {
  const others = 2 + (given.low ? 2 : 0) + (given.plus ? 1 : 0)
  chunks(given.layers, bindings - others).forEach((layers, index) => {
    const setting = settingFor(backwardWork(given, layers))
    if (setting !== null) runInPlace(backwardKernel(given, layers, index > 0, setting), dx)
  })
}

/** Rows of a matrix, and multiplications, that trying a setting out takes at most. */
const TRIED_ROWS = 8192
const TRIED_PRODUCTS = 1e9

const kindsOf = (layers: readonly JointLayer[]): string =>
  [...new Set(layers.map(({ w }) => w.kind))].sort().join('+')
const outOf = (layers: readonly JointLayer[]): number => layers.reduce((sum, { w }) => sum + w.shape[0], 0)
const keyOf = (name: string, layers: readonly JointLayer[], sizes: readonly number[]): string =>
  `${name} ${kindsOf(layers)} ${sizes.map(sizeClass).join('x')}`

/** The frozen products alone, on the true weights and on as much of them as shows the speed. */
function triedLayers(layers: readonly JointLayer[]): { layers: JointLayer[]; width: number } {
  let width = 0
  const tried = layers.map(({ w }) => {
    const rows = Math.min(w.shape[0], TRIED_ROWS)
    const first = width
    width += rows
    return { w: { ...w, shape: [rows, w.shape[1]] as [number, number] }, first }
  })
  return { layers: tried, width }
}

const triedRows = (rows: number, inner: number, width: number): number =>
  Math.min(rows, Math.max(64, Math.floor(TRIED_PRODUCTS / (inner * width))))

function forwardWork({ rows, inner }: Forward, layers: readonly JointLayer[]): Tunable {
  return {
    key: keyOf('joint', layers, [rows, outOf(layers), inner]),
    settings: (abilities) => tileSettings(forwardShape(rows, layers), abilities),
    trial() {
      const { layers: tried, width } = triedLayers(layers)
      const some = triedRows(rows, inner, width)
      const x = scratch([some, inner])
      const given = { x, rows: some, inner, width, layers: tried }
      return {
        kernel: (setting) => forwardKernel(given, tried, setting),
        written: { result: scratch([some, width]) },
        tensors: [x],
      }
    },
  }
}

function backwardWork({ rows, inner }: Backward, layers: readonly JointLayer[]): Tunable {
  return {
    key: keyOf('jointBackward', layers, [rows, inner, outOf(layers)]),
    settings: (abilities) => tileSettings(backwardShape(rows, inner, layers), abilities),
    trial() {
      const { layers: tried, width } = triedLayers(layers)
      const some = triedRows(rows, inner, width)
      const dy = scratch([some, width])
      const given = { dy, rows: some, inner, width, layers: tried }
      return {
        kernel: (setting) => backwardKernel(given, tried, false, setting),
        written: { result: scratch([some, inner]) },
        tensors: [dy],
      }
    },
  }
}

/** Layers whose weights fit the bindings, in order. */
function chunks(layers: readonly JointLayer[], bindings: number): JointLayer[][] {
  const all: JointLayer[][] = []
  let left = 0
  for (const layer of layers) {
    const { kind } = layer.w
    const own = kind === 'f32' || kind === 'f16' ? 1 : 2
    if (own > left) {
      all.push([])
      left = bindings
    }
    all.at(-1)!.push(layer)
    left -= own
  }
  return all
}
