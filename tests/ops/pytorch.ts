// The ops against numbers that PyTorch computed in float64 (tests/golden/vectors.json).
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { SLOT_ALIGNMENT, type Activation, type Slot } from '../../src/core/ops/ops.ts'
import { VECTORS } from '../golden/load.ts'
import { adamw } from './optimizer.ts'
import type { OpsOf } from './suite.ts'
import { expectClose, ints, tensor } from './support.ts'

const ACTIVATIONS = Object.keys(VECTORS.activations) as Activation[]
const GATES = [
  { act: 'silu', golden: VECTORS.swiglu },
  { act: 'geluTanh', golden: VECTORS.geglu },
] as const

function table(rows: number[][]): tf.Tensor {
  return tensor(Float64Array.from(rows.flat()), [rows.length, rows[0]!.length])
}

function vector(values: number[]): tf.Tensor {
  return tensor(Float64Array.from(values), [values.length])
}

export function pytorchTests(ops: OpsOf): void {
  test('rmsNorm as PyTorch has it', async () => {
    const { eps, ...golden } = VECTORS.rmsNorm
    const [x, w, dy] = [table(golden.x), vector(golden.w), table(golden.dy)]
    const y = ops().rmsNorm(x, w, eps)
    const dx = ops().rmsNormBackward(dy, x, w, eps)
    await expectClose(y, golden.y.flat())
    await expectClose(dx, golden.dx.flat())
    tf.dispose([x, w, dy, y, dx])
  })

  test('the gradient of an rmsNorm weight as PyTorch has it', async () => {
    const { eps, ...golden } = VECTORS.rmsNormWeight
    const [x, dy] = [table(golden.x), table(golden.dy)]
    const dw = ops().rmsNormWeightGradient(dy, x, eps)
    await expectClose(dw, golden.dw)
    tf.dispose([x, dy, dw])
  })

  test('layerNorm as PyTorch has it', async () => {
    const { eps, ...golden } = VECTORS.layerNorm
    const [x, w, b, dy] = [table(golden.x), vector(golden.w), vector(golden.b), table(golden.dy)]
    const y = ops().layerNorm(x, w, b, eps)
    const dx = ops().layerNormBackward(dy, x, w, eps)
    const { dw, db } = ops().layerNormWeightGradients(dy, x, eps)
    await expectClose(y, golden.y.flat())
    await expectClose(dx, golden.dx.flat())
    await expectClose(dw, golden.dw)
    await expectClose(db, golden.db)
    tf.dispose([x, w, b, dy, y, dx, dw, db])
  })

  test.each(ACTIVATIONS)('%s as PyTorch has it', async (act) => {
    const golden = VECTORS.activations[act]
    const [x, dy] = [table([golden.x]), table([golden.dy])]
    const y = ops().activation(act, x)
    const dx = ops().activationBackward(act, dy, x)
    const [values, slopes] = [await y.data(), await dx.data()]
    golden.x.forEach((at, i) => {
      // Point by point: at 60 the values are large, and at -9 their tails are small.
      expect(Math.abs(values[i]! - golden.y[i]!), `${act}(${at})`).toBeLessThan(
        4e-7 * Math.max(1, Math.abs(at)),
      )
      expect(Math.abs(slopes[i]! - golden.dx[i]!), `slope of ${act} at ${at}`).toBeLessThan(2e-6)
    })
    tf.dispose([x, dy, y, dx])
  })

  test.each(VECTORS.rope)(
    'rope with theta $theta as transformers has it',
    async ({ theta, positions, ...golden }) => {
      const [heads, size] = [golden.x[0]!.length, golden.x[0]![0]!.length]
      const half = size / 2
      const length = Math.max(...positions) + 1
      const angles = Float64Array.from(
        { length: length * half },
        (_, at) => Math.floor(at / half) / theta ** ((2 * (at % half)) / size),
      )
      const [cos, sin] = [
        tensor(angles.map(Math.cos), [length, half]),
        tensor(angles.map(Math.sin), [length, half]),
      ]
      const x = tensor(Float64Array.from(golden.x.flat(2)), [positions.length, heads, size])
      const at = ints(positions)
      const y = ops().rope(x, at, { cos, sin })
      await expectClose(y, golden.y.flat(2))
      tf.dispose([cos, sin, x, at, y])
    },
  )

  test.each(GATES)('gated by $act as PyTorch has it', async ({ act, golden }) => {
    const [gate, up, dh] = [table(golden.gate), table(golden.up), table(golden.dh)]
    const h = ops().gated(act, gate, up)
    const { dGate, dUp } = ops().gatedBackward(act, dh, gate, up)
    await expectClose(h, golden.h.flat())
    await expectClose(dGate, golden.dGate.flat())
    await expectClose(dUp, golden.dUp.flat())
    tf.dispose([gate, up, dh, h, dGate, dUp])
  })

  test('crossEntropy as PyTorch has it', async () => {
    const golden = VECTORS.crossEntropy
    const [logits, labels] = [table(golden.logits), ints(golden.labels)]
    const factor = 1 / golden.labels.filter((label) => label >= 0).length
    const { loss, dLogits } = ops().crossEntropy(logits, labels, factor)
    await expectClose(loss, [golden.loss])
    await expectClose(dLogits, golden.dLogits.flat())
    const { smoothing, ...expected } = golden.smoothed
    const smoothed = ops().crossEntropy(logits, labels, factor, { smoothing })
    await expectClose(smoothed.loss, [expected.loss])
    await expectClose(smoothed.dLogits, expected.dLogits.flat())
    tf.dispose([logits, labels, loss, dLogits, smoothed])
  })

  test('four steps of AdamW as PyTorch takes them', async () => {
    const { hyper, start, steps } = VECTORS.adamw
    const count = start.length
    const slots: Slot[] = [{ name: 'p', shape: [count], offset: 0, size: count, decay: true, rate: 1 }]
    const padded = (values: number[]): Float64Array<ArrayBuffer> => {
      const row = new Float64Array(SLOT_ALIGNMENT)
      row.set(values)
      return row
    }
    const values = new Float64Array(3 * SLOT_ALIGNMENT)
    values.set(start)
    let state = tensor(values, [3, SLOT_ALIGNMENT])
    for (const [i, golden] of steps.entries()) {
      const gradient = tensor(padded(golden.gradient), [SLOT_ALIGNMENT])
      const norm = ops().globalNorm(gradient)
      await expectClose(norm, [golden.norm])
      state = adamw(ops(), state, gradient, norm, slots, {
        ...hyper,
        learningRate: golden.learningRate,
        step: i + 1,
      })
      const rows = [golden.value, golden.first, golden.second]
      for (const [row, expected] of rows.entries()) {
        const actual = tf.slice(state, [row, 0], [1, count])
        await expectClose(actual, expected)
        actual.dispose()
      }
      tf.dispose([gradient, norm])
    }
    expect(state.shape).toEqual([3, SLOT_ALIGNMENT])
    state.dispose()
  })
}
