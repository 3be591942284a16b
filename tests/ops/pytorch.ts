// The ops against numbers that PyTorch computed in float64: tests/golden/vectors.json, and a few that are short enough to
// stand here (torch.nn.functional and autograd, PyTorch 2.15).
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { SLOT_ALIGNMENT, type Activation, type Slot } from '../../src/core/ops/ops.ts'
import { VECTORS } from '../golden/load.ts'
import type { OpsOf } from './suite.ts'
import { expectClose, ints, tensor } from './support.ts'

const POINTS = [-4, -2.5, -1, -0.1, 0, 0.3, 1, 2.5, 6]

/** F.silu, F.gelu with and without approximate='tanh', F.relu, torch.tanh at the points: values and slopes. */
const STEPS: { act: Activation; values: number[]; slopes: number[] }[] = [
  {
    act: 'silu',
    values: [
      -0.0719448398484, -0.189645450053, -0.26894142137, -0.0475020812521, 0, 0.172332755043, 0.73105857863,
      2.31035454995, 5.98516426106,
    ],
    slopes: [
      -0.0526646148911, -0.0994011113415, 0.0723294881285, 0.450083208502, 0.5, 0.647780010319,
      0.927670511871, 1.09940111134, 1.01232643259,
    ],
  },
  {
    act: 'gelu',
    values: [
      -0.000126684967332, -0.0155241633144, -0.158655253931, -0.0460172162723, 0, 0.185373426657,
      0.841344746069, 2.48447583669, 5.99999999408,
    ],
    slopes: [
      -0.000503649661226, -0.0376110859081, -0.0833154705877, 0.420476907975, 0.5, 0.732327766827,
      1.08331547059, 1.03761108591, 1.00000003547,
    ],
  },
  {
    act: 'geluTanh',
    values: [
      -7.02459481923e-5, -0.01508426609, -0.158808009392, -0.0460172489546, 0, 0.185370923543, 0.841191990608,
      2.48491573391, 5.99999999992,
    ],
    slopes: [
      -0.000335123197122, -0.0379515762127, -0.0829640838458, 0.420478210728, 0.5, 0.732295451639,
      1.08296408385, 1.03795157621, 1.00000000077,
    ],
  },
  { act: 'relu', values: [0, 0, 0, 0, 0, 0.3, 1, 2.5, 6], slopes: [0, 0, 0, 0, 0, 1, 1, 1, 1] },
  {
    act: 'tanh',
    values: [
      -0.999329299739, -0.986614298151, -0.761594155956, -0.099667994625, 0, 0.291312612452, 0.761594155956,
      0.986614298151, 0.999987711651,
    ],
    slopes: [
      0.00134095068303, 0.0265922266832, 0.419974341614, 0.990066290847, 1, 0.915136961827, 0.419974341614,
      0.0265922266832, 2.45765474053e-5,
    ],
  },
]

/** F.layer_norm with eps 1e-5. */
const LAYER_NORM = {
  x: [
    [1, -2, 0.5, 3],
    [0.25, 4, -1, 2],
  ],
  w: [0.5, 1, -2, 1.5],
  b: [0, 1, 0.25, -1],
  dy: [
    [1, 0.5, -1, 2],
    [0.75, -0.25, 1, 0],
  ],
  y: [
    0.105279194994, -0.47390872992, 0.390372259992, 1.00030470489, -0.282237469266, 2.42778955041,
    2.70712620303, -0.452127265542,
  ],
  dx: [
    -0.656914216358, 0.106487194749, 0.312552912114, 0.237874109495, 0.589844610407, -0.241911590125,
    -0.505352192908, 0.157419172626,
  ],
  dw: [-0.212797813911, -1.09390175256, -1.15837697152, 2.66707293986],
  db: [1.75, 0.25, 0, 2],
}

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

  test('layerNorm as PyTorch has it', async () => {
    const golden = LAYER_NORM
    const [x, w, b, dy] = [table(golden.x), vector(golden.w), vector(golden.b), table(golden.dy)]
    const y = ops().layerNorm(x, w, b, 1e-5)
    const dx = ops().layerNormBackward(dy, x, w, 1e-5)
    const { dw, db } = ops().layerNormWeightGradients(dy, x, 1e-5)
    await expectClose(y, golden.y)
    await expectClose(dx, golden.dx)
    await expectClose(dw, golden.dw)
    await expectClose(db, golden.db)
    tf.dispose([x, w, b, dy, y, dx, dw, db])
  })

  test.each(STEPS)('$act as PyTorch has it', async ({ act, values, slopes }) => {
    const [x, one] = [table([POINTS]), table([POINTS.map(() => 1)])]
    const y = ops().activation(act, x)
    const dx = ops().activationBackward(act, one, x)
    await expectClose(y, values, 1e-6)
    await expectClose(dx, slopes, 1e-6)
    tf.dispose([x, one, y, dx])
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

  test('gated by silu as PyTorch has it', async () => {
    const golden = VECTORS.swiglu
    const [gate, up, dh] = [table(golden.gate), table(golden.up), table(golden.dh)]
    const h = ops().gated('silu', gate, up)
    const { dGate, dUp } = ops().gatedBackward('silu', dh, gate, up)
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
    tf.dispose([logits, labels, loss, dLogits])
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
      state = ops().adamw(state, gradient, norm, slots, {
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
