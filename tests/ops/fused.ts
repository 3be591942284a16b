// Ops that make several layers at once, against the same layers one by one; and what every op that
// takes an addend does with it.
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { placeMatrix } from '../../src/core/backend/placeMatrix.ts'
import { ropeTable } from '../../src/core/nn/rope.ts'
import type { JoinedLayer, JointHeads } from '../../src/core/ops/fused.ts'
import { AttentionLayout, type AttentionMask } from '../../src/core/ops/layout.ts'
import { disposeMatrix, type WholeMatrix } from '../../src/core/ops/matrix.ts'
import { SLOT_ALIGNMENT, type Ops } from '../../src/core/ops/ops.ts'
import { referenceOps } from '../../src/core/ops/reference/index.ts'
import { jointBackward, jointForward } from '../../src/core/ops/webgpu/joint.ts'
import type { Precision } from '../../src/protocol/model.ts'
import { standsFor } from './precision.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, frozen, ints, tensor } from './support.ts'

interface Spec {
  out: number
  /** Rank of the adapter; none where it is absent. */
  r?: number
  precision?: Precision
}

interface Group {
  n: number
  inner: number
  layers: Spec[]
  bias?: boolean
  plus?: boolean
}

const GROUPS: Group[] = [
  { n: 1, inner: 4, layers: [{ out: 4, r: 4 }] },
  { n: 5, inner: 33, layers: [{ out: 19, r: 3 }, { out: 7 }, { out: 5, r: 2 }], bias: true, plus: true },
  {
    n: 70,
    inner: 64,
    layers: [
      { out: 64, r: 8 },
      { out: 32, r: 8 },
      { out: 32, r: 8 },
    ],
    bias: true,
  },
  { n: 33, inner: 24, layers: [{ out: 72 }, { out: 20 }], plus: true },
  {
    n: 18,
    inner: 36,
    layers: [
      { out: 10, r: 20 },
      { out: 130, r: 5 },
    ],
  },
  {
    n: 150,
    inner: 132,
    layers: [
      { out: 68, r: 16 },
      { out: 260, r: 32 },
    ],
    plus: true,
  },
  ...(['f16', 'int8', 'nf4'] as const).flatMap((precision) => [
    {
      n: 19,
      inner: 40,
      layers: [
        { out: 36, r: 4, precision },
        { out: 12, r: 8, precision },
        { out: 20, precision },
      ],
      bias: true,
    },
    {
      n: 3,
      inner: 23,
      layers: [
        { out: 9, r: 2, precision },
        { out: 6, precision: 'f32' as const },
      ],
      plus: true,
    },
    { n: 6, inner: 30, layers: [{ out: 14, r: 1, precision }] },
  ]),
]

/** The group on the device: frozen layers, factors and zeroed gaps in one flat tensor, and the plain matrices beside. */
async function groupOf(group: Group) {
  const { n, inner, layers, bias, plus } = group
  const width = layers.reduce((sum, { out }) => sum + out, 0)
  const flat: number[] = []
  const put = (values: Float64Array): number => {
    const at = flat.length
    flat.push(
      ...values,
      ...new Array<number>((SLOT_ALIGNMENT - (values.length % SLOT_ALIGNMENT)) % SLOT_ALIGNMENT).fill(0),
    )
    return at
  }
  const made = []
  for (const { out, r, precision = 'f32' } of layers) {
    const values = Float32Array.from(data(out * inner, 0.3))
    const w = await placeMatrix('A test', [out, inner], precision, (begin, end) =>
      Promise.resolve(values.slice(begin * inner, end * inner)),
    )
    const plain = standsFor(values, [out, inner], precision)
    const a = r === undefined ? null : data(r * inner)
    const b = r === undefined ? null : data(out * r)
    made.push({ w, plain, out, r: r ?? 0, a, b, aAt: a ? put(a) : 0, bAt: b ? put(b) : 0 })
  }
  if (flat.length === 0) flat.push(0)
  const parameters = tensor(Float64Array.from(flat), [flat.length])
  const joined = made.map(({ w, r, aAt, bAt }, j): JoinedLayer => ({
    w: w as WholeMatrix,
    ...(r > 0 && { lora: { scale: 0.5 + j, places: { parameters, r, a: aAt, b: bAt } } }),
  }))
  const numbers = {
    flat,
    x: data(n * inner),
    dy: data(n * width),
    bias: bias ? data(width) : undefined,
    plusY: plus ? data(n * width) : undefined,
    plusX: plus ? data(n * inner) : undefined,
  }
  return {
    group,
    made,
    joined,
    width,
    numbers,
    parameters,
    x: tensor(numbers.x, [n, inner]),
    dy: tensor(numbers.dy, [n, width]),
    bias: numbers.bias && tensor(numbers.bias, [width]),
    plusY: numbers.plusY && tensor(numbers.plusY, [n, width]),
    plusX: numbers.plusX && tensor(numbers.plusX, [n, inner]),
  }
}

type Made = Awaited<ReturnType<typeof groupOf>>

/** y, dx and the flat gradients of the group, layer by layer, in float64. */
function oneByOne({ group, made, joined, width, numbers }: Made) {
  const { n, inner } = group
  const { x, dy, bias, plusY, plusX } = numbers
  const y = plusY ? plusY.slice() : new Float64Array(n * width)
  const dx = plusX ? plusX.slice() : new Float64Array(n * inner)
  const gradients = new Float64Array(numbers.flat.length)
  let first = 0
  made.forEach(({ plain, out, r, a, b, aAt, bAt }, j) => {
    const scale = joined[j]!.lora?.scale ?? 0
    for (let row = 0; row < n; row++) {
      const up = new Float64Array(r) // s x A^T
      const down = new Float64Array(r) // s dy B
      for (let k = 0; k < r; k++) {
        for (let i = 0; i < inner; i++) up[k]! += scale * x[row * inner + i]! * a![k * inner + i]!
        for (let o = 0; o < out; o++) down[k]! += scale * dy[row * width + first + o]! * b![o * r + k]!
      }
      for (let o = 0; o < out; o++) {
        const slope = dy[row * width + first + o]!
        let sum = bias?.[first + o] ?? 0
        for (let i = 0; i < inner; i++) {
          sum += x[row * inner + i]! * plain[o * inner + i]!
          dx[row * inner + i]! += slope * plain[o * inner + i]!
        }
        for (let k = 0; k < r; k++) {
          sum += up[k]! * b![o * r + k]!
          gradients[bAt + o * r + k]! += slope * up[k]!
        }
        y[row * width + first + o]! += sum
      }
      for (let k = 0; k < r; k++)
        for (let i = 0; i < inner; i++) {
          dx[row * inner + i]! += down[k]! * a![k * inner + i]!
          gradients[aAt + k * inner + i]! += down[k]! * x[row * inner + i]!
        }
    }
    first += out
  })
  return { y, dx, gradients }
}

export function fusedTests(ops: OpsOf): void {
  describe.each(GROUPS)('joined: $n rows of $inner to $layers', (group) => {
    test('forward, backward, gradients in place', async ({ skip }) => {
      const { fused } = ops()
      skip(!fused, 'these ops have no fused kernels')
      const given = await groupOf(group)
      const { x, dy, joined, bias, plusY, plusX, parameters } = given
      const before = data(parameters.size)
      const expected = oneByOne(given)
      const runs = []
      for (const _ of [0, 1]) {
        const gradients = tensor(before, [parameters.size])
        const { y, dx } = counted(() => {
          const halves = fused!.joinedHalves(x, joined)
          const y = fused!.joined(x, joined, halves, bias, plusY)
          const dx = fused!.joinedBackward(dy, x, joined, halves, gradients, plusX)
          halves?.dispose()
          return { y, dx }
        })
        expect(y.shape).toEqual([group.n, given.width])
        await expectClose(y, expected.y)
        await expectClose(dx, expected.dx)
        await expectClose(
          gradients,
          before.map((value, at) => value + expected.gradients[at]!),
        )
        runs.push(await readAll({ y, dx, gradients }))
        tf.dispose([y, dx, gradients])
      }
      expect(runs[1], 'the same bits twice').toEqual(runs[0])
      freeGroup(given)
    })
  })

  test('a device with few bindings makes the layers in several dispatches', async ({ skip }) => {
    skip(ops().name !== 'webgpu', 'only kernels have bindings')
    const given = await groupOf({
      n: 20,
      inner: 24,
      layers: [{ out: 12, precision: 'int8' }, { out: 8 }, { out: 16, precision: 'nf4' }],
      bias: true,
      plus: true,
    })
    const { x, dy, width, bias, plusX, made } = given
    const expected = oneByOne({ ...given, numbers: { ...given.numbers, plusY: undefined } })
    let first = 0
    const layers = made.map(({ w, out }) => ({ w: w as WholeMatrix, first: (first += out) - out }))
    for (const bindings of [5, 6, 8]) {
      const y = jointForward({ x, rows: 20, inner: 24, width, layers, bias }, bindings)
      const dx = jointBackward({ dy, rows: 20, inner: 24, width, layers, plus: plusX }, bindings)
      await expectClose(y, expected.y)
      await expectClose(dx, expected.dx)
      tf.dispose([y, dx])
    }
    freeGroup(given)
  })

  describe.each(HEADS)(
    'attention side by side: %s',
    (_, { heads, keyValueHeads, headSize, rope, norms, window, lengths }) => {
      test('forward and backward', async ({ skip }) => {
        const { fused } = ops()
        skip(!fused, 'these ops have no fused kernels')
        const length = Math.max(...lengths)
        const n = lengths.length * length
        const width = (heads + 2 * keyValueHeads) * headSize
        const positions = Int32Array.from({ length: n }, (_, i) => i % length)
        const segments = Int32Array.from({ length: n }, (_, i) =>
          i % length < lengths[Math.floor(i / length)]! ? 0 : -1,
        )
        const layout = new AttentionLayout({
          batch: lengths.length,
          queryPositions: positions,
          querySegments: segments,
        })
        const mask: AttentionMask = { scale: 0.3, causal: true, window }
        const [tx, td, tp] = [
          tensor(data(n * width), [n, width]),
          tensor(data(n * heads * headSize), [n, heads * headSize]),
          ints(positions),
        ]
        const weights = norms
          ? { q: tensor(data(headSize), [headSize]), k: tensor(data(headSize), [headSize]), eps: 1e-5 }
          : undefined
        const table = rope ? ropeTable(length, headSize, { theta: 100, scaling: null }) : undefined
        const given: Omit<JointHeads, 'joint'> = {
          heads,
          keyValueHeads,
          headSize,
          layout,
          mask,
          ...(weights && { norms: weights }),
          ...(table && { rope: { table, positions: tp } }),
        }
        const expected = await readAll(separately(tx, td, given))
        for (const _ of [0, 1]) {
          const joint = tensor(await values(tx), [n, width]) // turned in place
          const { output, dJoint } = counted(() => {
            const seen = fused!.attention({ ...given, joint })
            const dJoint = fused!.attentionBackward(td, { ...given, joint }, seen)
            tf.dispose([seen.logSumExp, ...(seen.turned ? [seen.turned] : [])])
            // The kernels keep the positions with the layout.
            tf.dispose(layout.packed ?? [])
            layout.packed = null
            return { output: seen.output, dJoint }
          })
          expect(dJoint.shape).toEqual([n, width])
          await expectClose(output, expected.output)
          await expectClose(dJoint, expected.dJoint)
          tf.dispose([joint, output, dJoint])
        }
        layout.dispose()
        tf.dispose([tx, td, tp])
        if (weights) tf.dispose([weights.q, weights.k])
        if (table) tf.dispose([table.cos, table.sin])
      })
    },
  )

  test.each([
    [1, 1],
    [5, 7],
    [33, 40],
  ])('gate and up side by side: [%i, 2 x %i]', async (n, f) => {
    const { fused } = ops()
    if (!fused) return
    const [joint, dh] = [tensor(data(n * 2 * f), [n, 2 * f]), tensor(data(n * f), [n, f])]
    for (const act of ['silu', 'geluTanh'] as const) {
      const h = counted(() => fused.gated(act, joint))
      const dJoint = counted(() => fused.gatedBackward(act, dh, joint))
      const expected = await readAll(
        tf.tidy(() => {
          const [gate, up] = tf.split(joint, 2, 1) as [tf.Tensor, tf.Tensor]
          const { dGate, dUp } = referenceOps.gatedBackward(act, dh, gate, up)
          return { h: referenceOps.gated(act, gate, up), dJoint: tf.concat([dGate, dUp], 1) }
        }),
      )
      await expectClose(h, expected.h)
      await expectClose(dJoint, expected.dJoint)
      tf.dispose([h, dJoint])
    }
    tf.dispose([joint, dh])
  })

  test.each([
    [1, 3],
    [5, 70],
    [17, 24],
  ])('what is added, is added: [%i, %i]', async (n, d) => {
    const o = ops()
    const [x, dy, plus] = [0, 1, 2].map(() => tensor(data(n * d), [n, d])) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ]
    const [v, bias] = [tensor(data(d), [d]), tensor(data(d), [d])]
    const w = frozen(data(d * d), [d, d])
    const lora = { a: tensor(data(2 * d), [2, d]), b: tensor(data(d * 2), [d, 2]), scale: 0.5 }
    const cases: ((plus?: tf.Tensor) => tf.Tensor)[] = [
      (p) => o.linear(x, w, bias, lora, p),
      (p) => o.linear(x, w, undefined, undefined, p),
      (p) => o.linearBackward(dy, x, w, undefined, p).dx,
      (p) => withoutFactors(o, o.linearBackward(dy, x, w, lora, p)),
      (p) => o.rmsNorm(x, v, 1e-5, p),
      (p) => o.rmsNormBackward(dy, x, v, 1e-5, p),
      (p) => o.layerNorm(x, v, bias, 1e-5, p),
      (p) => o.layerNormBackward(dy, x, v, 1e-5, p),
    ]
    for (const make of cases) {
      const alone = make()
      const sum = counted(() => make(plus))
      const [left, right] = [await values(alone), await values(plus)]
      await expectClose(
        sum,
        left.map((value, i) => value + right[i]!),
      )
      tf.dispose([alone, sum])
    }
    tf.dispose([x, dy, plus, v, bias, w.data, lora.a, lora.b])
  })
}

const HEADS: [
  string,
  {
    heads: number
    keyValueHeads: number
    headSize: number
    rope?: boolean
    norms?: boolean
    window: number | null
    lengths: number[]
  },
][] = [
  ['plain', { heads: 3, keyValueHeads: 3, headSize: 5, window: null, lengths: [9] }],
  [
    'rotary, grouped, padded',
    { heads: 4, keyValueHeads: 2, headSize: 6, rope: true, window: null, lengths: [7, 4] },
  ],
  [
    'norms and rotary in a window',
    { heads: 6, keyValueHeads: 2, headSize: 10, rope: true, norms: true, window: 5, lengths: [70] },
  ],
  [
    'norms alone, wide heads',
    { heads: 2, keyValueHeads: 1, headSize: 72, norms: true, window: null, lengths: [5, 3] },
  ],
]

/** The same by the reference's ops, one after the other. */
function separately(joint: tf.Tensor, dOutput: tf.Tensor, given: Omit<JointHeads, 'joint'>) {
  const { heads, keyValueHeads, headSize, norms, rope, layout, mask } = given
  const n = joint.shape[0]!
  return tf.tidy(() => {
    const widths = [heads, keyValueHeads, keyValueHeads].map((count) => count * headSize)
    const parts = tf.split(joint, widths, 1)
    const place = (x: tf.Tensor, count: number, weight?: tf.Tensor) => {
      const rows = tf.reshape(x, [n * count, headSize])
      const normed = weight ? referenceOps.rmsNorm(rows, weight, norms!.eps) : rows
      const split = tf.reshape(normed, [n, count, headSize])
      return {
        y: rope ? referenceOps.rope(split, rope.positions, rope.table) : split,
        back: (dy: tf.Tensor) => {
          const unturned = rope ? referenceOps.rope(dy, rope.positions, rope.table, true) : dy
          const flat = tf.reshape(unturned, [n * count, headSize])
          return tf.reshape(weight ? referenceOps.rmsNormBackward(flat, rows, weight, norms!.eps) : flat, [
            n,
            -1,
          ])
        },
      }
    }
    const q = place(parts[0]!, heads, norms?.q)
    const k = place(parts[1]!, keyValueHeads, norms?.k)
    const v = tf.reshape(parts[2]!, [n, keyValueHeads, headSize])
    const { output, logSumExp } = referenceOps.attention(q.y, k.y, v, layout, mask)
    const dO = tf.reshape(dOutput, [n, heads, headSize])
    const { dq, dk, dv } = referenceOps.attentionBackward(dO, q.y, k.y, v, output, logSumExp, layout, mask)
    return {
      output: tf.clone(output),
      dJoint: tf.concat([q.back(dq), k.back(dk), tf.reshape(dv, [n, -1])], 1),
    }
  })
}

function withoutFactors(_: Ops, { dx, da, db }: ReturnType<Ops['linearBackward']>): tf.Tensor {
  tf.dispose([da!, db!])
  return dx
}

const values = async (t: tf.Tensor): Promise<Float64Array> =>
  Float64Array.from((await t.data()) as Float32Array)

/** The numbers of tensors by name; disposes them. */
async function readAll<T extends Record<string, tf.Tensor>>(
  tensors: T,
): Promise<Record<keyof T, Float64Array>> {
  const read: [string, Float64Array][] = []
  for (const [name, each] of Object.entries(tensors)) read.push([name, await values(each)])
  tf.dispose(tensors)
  return Object.fromEntries(read) as Record<keyof T, Float64Array>
}

function freeGroup({ made, parameters, x, dy, bias, plusX, plusY }: Made): void {
  for (const { w } of made) disposeMatrix(w)
  tf.dispose([parameters, x, dy, ...[bias, plusX, plusY].filter((each) => each !== undefined)])
}
