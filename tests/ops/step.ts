// What one token's row goes through, against plain loops: products of few rows in every precision and at odd shapes with all
// that may stand beside them, attention over a cache, and the choice of the next token.
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { GREEDY, sample, type SamplingSettings } from '../../src/core/generate/sampler.ts'
import { ropeTable } from '../../src/core/nn/rope.ts'
import { AttentionLayout } from '../../src/core/ops/layout.ts'
import { disposeMatrix, type FrozenMatrix } from '../../src/core/ops/matrix.ts'
import { referenceOps } from '../../src/core/ops/reference/index.ts'
import { KeyValueCache, type StepLayer } from '../../src/core/ops/step.ts'
import { gatedRowProduct, rowProduct } from '../../src/core/ops/webgpu/rowProduct.ts'
import { stepAttention } from '../../src/core/ops/webgpu/stepAttention.ts'
import type { Precision } from '../../src/protocol/model.ts'
import * as oracle from './oracle.ts'
import { matrices } from './precision.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, ints, tensor } from './support.ts'

interface Product {
  inner: number
  layers: { out: number; r?: number; precision?: Precision }[]
  norm?: 'rms' | 'layer'
  bias?: boolean
  gain?: boolean
  plus?: boolean
  split?: boolean
}

/** Rows of weights that are whole pieces and that are not; one team of threads and many; two and four rows a team. */
const PRODUCTS: Product[] = [
  { inner: 1, layers: [{ out: 3 }] },
  {
    inner: 33,
    layers: [{ out: 19, r: 3 }, { out: 7 }, { out: 5, r: 2 }],
    bias: true,
    plus: true,
    gain: true,
  },
  { inner: 36, layers: [{ out: 10, r: 20, precision: 'int8' }], norm: 'rms', gain: true },
  {
    inner: 40,
    layers: [
      { out: 9, r: 8, precision: 'int8' },
      { out: 30, precision: 'int8' },
    ],
    norm: 'layer',
  },
  { inner: 64, layers: [{ out: 21, r: 4, precision: 'nf4' }], norm: 'rms', bias: true, plus: true },
  { inner: 130, layers: [{ out: 150, precision: 'nf4' }], norm: 'rms' },
  {
    inner: 132,
    layers: [
      { out: 9, r: 70, precision: 'f16' },
      { out: 12, precision: 'nf4' },
    ],
  },
  { inner: 35, layers: [{ out: 33, precision: 'f16' }], norm: 'layer', plus: true },
  { inner: 21, layers: [{ out: 37, r: 5, precision: 'int8' }], split: true, bias: true },
  { inner: 1040, layers: [{ out: 6, precision: 'int8' }], norm: 'rms' },
  { inner: 8, layers: [{ out: 4100, precision: 'int8' }], norm: 'rms' },
  { inner: 4, layers: [{ out: 16_400, precision: 'f16' }] },
]

/** Bytes that a part of the split matrix may have. */
const LIMIT = 240

interface Made {
  x: tf.Tensor
  layers: StepLayer[]
  beside: {
    norm?: { kind: 'rms' | 'layer'; weight: tf.Tensor; bias?: tf.Tensor; eps: number }
    bias?: tf.Tensor
    gain?: tf.Tensor
  }
  plus?: tf.Tensor
  /** [1, sum of out] */
  expected: oracle.Vector
  free(): void
}

const EPS = 1e-5
const NO_STEP = 'these ops compute tokens as they compute texts'

async function make({ inner, layers: specs, norm, bias, gain, plus, split }: Product): Promise<Made> {
  const width = specs.reduce((sum, { out }) => sum + out, 0)
  const values = {
    x: data(inner),
    w: data(inner),
    b: data(inner),
    bias: data(width),
    gain: data(width),
    plus: data(width),
  }
  const factors: number[] = []
  const expected: number[] = []
  const owned: FrozenMatrix[] = []
  const row =
    norm === 'rms'
      ? oracle.rmsNorm(values.x, values.w, inner, EPS)
      : norm === 'layer'
        ? oracle.layerNorm(values.x, values.w, values.b, inner, EPS)
        : values.x
  const made: Omit<StepLayer, 'lora'>[] = []
  const places: StepLayer['lora'][] = []
  for (const { out, r, precision = 'f32' } of specs) {
    const { packed, plain } = await matrices([out, inner], precision, split ? LIMIT : undefined)
    owned.push(packed, plain)
    made.push({ w: packed })
    const weights = Float64Array.from(await (plain as { data: tf.Tensor }).data.data())
    let y = oracle.timesTransposed(row, weights, 1, inner, out)
    const first = expected.length
    if (gain) y = y.map((value, i) => value * values.gain[first + i]!)
    if (r) {
      const [a, b] = [data(r * inner), data(out * r)]
      const u = oracle.timesTransposed(row, a, 1, inner, r)
      oracle.timesTransposed(u, b, 1, r, out).forEach((value, i) => (y[i]! += 1.5 * value))
      places.push({
        parameters: tf.scalar(0),
        r,
        a: factors.length,
        b: factors.length + a.length,
        scale: 1.5,
      })
      factors.push(...a, ...b)
    } else places.push(undefined)
    expected.push(...Array.from(y, (value, i) => value + (bias ? values.bias[first + i]! : 0)))
  }
  const parameters = tensor(Float64Array.from(factors), [factors.length])
  const layers = made.map((layer, j): StepLayer => {
    const lora = places[j]
    lora?.parameters.dispose()
    return { ...layer, ...(lora && { lora: { ...lora, parameters } }) }
  })
  const beside = {
    ...(norm && {
      norm: {
        kind: norm,
        weight: tensor(values.w, [inner]),
        ...(norm === 'layer' && { bias: tensor(values.b, [inner]) }),
        eps: EPS,
      },
    }),
    ...(bias && { bias: tensor(values.bias, [width]) }),
    ...(gain && { gain: tensor(values.gain, [width]) }),
  }
  const x = tensor(values.x, [1, inner])
  const added = plus ? tensor(values.plus, [1, width]) : undefined
  return {
    x,
    layers,
    beside,
    ...(added && { plus: added }),
    expected: Float64Array.from(expected, (value, i) => value + (plus ? values.plus[i]! : 0)),
    free() {
      owned.forEach(disposeMatrix)
      tf.dispose([x, parameters, beside as tf.TensorContainerObject, ...(added ? [added] : [])])
    },
  }
}

interface Heads {
  h: number
  hkv: number
  hd: number
  length: number
  window?: number
  norms?: boolean
  rope?: boolean
  /** Keys of a workgroup at most. */
  share?: number
}

const HEADS: Heads[] = [
  { h: 1, hkv: 1, hd: 3, length: 1 },
  { h: 6, hkv: 2, hd: 8, length: 7, rope: true },
  { h: 4, hkv: 4, hd: 20, length: 70, norms: true, rope: true },
  { h: 3, hkv: 1, hd: 34, length: 150, window: 9, rope: true, share: 4 },
  { h: 2, hkv: 1, hd: 130, length: 67, norms: true },
  { h: 2, hkv: 2, hd: 256, length: 5, rope: true },
  { h: 4, hkv: 2, hd: 64, length: 140, share: 32 },
]

export function stepTests(ops: OpsOf): void {
  describe.each(PRODUCTS)('products of one row: %o', (given) => {
    test('against loops', async ({ skip }) => {
      const { step } = ops()
      skip(!step, NO_STEP)
      const made = await make(given)
      const y = counted(() => step!.rows(made.x, made.layers, made.beside, made.plus))
      expect(y.shape).toEqual([1, made.expected.length])
      await expectClose(y, made.expected)
      y.dispose()
      if (!given.plus) {
        const smooth = counted(() => step!.rows(made.x, made.layers, { ...made.beside, then: 'geluTanh' }))
        await expectClose(smooth, made.expected.map(oracle.ACTIVATIONS.geluTanh))
        smooth.dispose()
      }
      made.free()
    })
  })

  test.for(['f32', 'f16', 'int8', 'nf4'] as const)('gate and up, %s', async (precision, { skip }) => {
    const { step } = ops()
    skip(!step, NO_STEP)
    for (const inner of [48, 18]) {
      const made = await make({
        inner,
        layers: [
          { out: 37, r: 3, precision },
          { out: 37, precision },
        ],
        norm: 'rms',
        bias: true,
        gain: true,
      })
      const act = ops().name === 'webgpu' ? 'silu' : 'gelu'
      const [gate, up] = made.layers as [StepLayer, StepLayer]
      const y = counted(() => step!.gatedRows(act, made.x, [gate, up], made.beside))
      const expected = Float64Array.from({ length: 37 }, (_, i) => {
        const value = oracle.ACTIVATIONS[act](made.expected[i]!)
        return value * made.expected[37 + i]!
      })
      await expectClose(y, expected)
      y.dispose()
      made.free()
    }
  })

  test('several rows, and a device with few bindings', async ({ skip }) => {
    skip(!ops().step, NO_STEP)
    const made = await make({
      inner: 24,
      layers: [
        { out: 9, precision: 'int8' },
        { out: 14, precision: 'int8' },
      ],
    })
    const weights = await Promise.all(
      made.layers.map(async ({ w }) => {
        const eye = tf.eye(24) as tf.Tensor
        const columns = ops().linear(eye, w) // [24, out]
        const values = await columns.data()
        tf.dispose([eye, columns])
        return Float64Array.from(values)
      }),
    )
    for (const rows of [2, 3, 8]) {
      const x = data(rows * 24)
      const given = {
        x: tensor(x, [rows, 24]),
        rows,
        inner: 24,
        width: 23,
        layers: made.layers.map(({ w }, j) => ({ w: w as never, first: 9 * j })),
      }
      const expected = new Float64Array(rows * 23)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < 23; column++)
          for (let k = 0; k < 24; k++) {
            const [layer, out] = column < 9 ? [0, 9] : [1, 14]
            expected[row * 23 + column]! +=
              x[row * 24 + k]! * weights[layer!]![k * out! + column - 9 * layer!]!
          }
      for (const bindings of [8, 4]) {
        const y = counted(() => rowProduct(given, bindings))
        await expectClose(y, expected)
        y.dispose()
      }
      given.x.dispose()
    }
    const few = { x: made.x, rows: 1, inner: 24, width: 23, layers: [] }
    expect(
      gatedRowProduct(
        'silu',
        { ...few, layers: made.layers.map(({ w }) => ({ w: w as never, first: 0 })) },
        4,
      ),
    ).toBeNull()
    made.free()
  })

  test.each(HEADS)('attention over a cache: %o', async (given) => {
    const { h, hkv, hd, length, window = null, share } = given
    const { step } = ops()
    const size = (h + 2 * hkv) * hd
    const mask = { scale: 0.7, causal: true, window }
    const cache = new KeyValueCache(hkv, hd, length)
    const table = given.rope ? ropeTable(length, hd, { theta: 100, scaling: null }) : null
    const norms = given.norms ? { q: tensor(data(hd), [hd]), k: tensor(data(hd), [hd]), eps: EPS } : null
    const rows = data(length * size)
    // The whole text at once, by the reference.
    const all = tensor(rows, [length, size])
    const positions = ints(Array.from({ length }, (_, t) => t))
    const layout = new AttentionLayout({
      batch: 1,
      queryPositions: Int32Array.from({ length }, (_, t) => t),
      querySegments: new Int32Array(length),
    })
    const heads = (from: number, count: number, norm: tf.Tensor | null, turned: boolean) => {
      const part = tf.reshape(tf.slice(all, [0, from * hd], [length, count * hd]), [length * count, hd])
      const normed = norm ? referenceOps.rmsNorm(part, norm, EPS) : part
      const split = tf.reshape(normed, [length, count, hd]) as tf.Tensor
      return turned && table ? referenceOps.rope(split, positions, table) : split
    }
    const [q, k, v, expected] = tf.tidy(() => {
      const q = heads(0, h, norms?.q ?? null, true)
      const k = heads(h, hkv, norms?.k ?? null, true)
      const v = heads(h + hkv, hkv, null, false)
      return [q, k, v, referenceOps.attention(q, k, v, layout, mask).output] as const
    })
    const wanted = await expected.data()
    const single = new AttentionLayout({
      batch: 1,
      queryPositions: new Int32Array(1),
      querySegments: new Int32Array(1),
    })
    // A prompt of some tokens, then one at a time.
    const prompt = Math.min(length - 1, 5)
    const begin = (x: tf.Tensor, count: number, from = 0) =>
      tf.slice(x, [from, 0, 0], [count, x.shape[1]!, hd]) as tf.Tensor
    if (prompt > 0) {
      const positions = Int32Array.from({ length: prompt }, (_, t) => t)
      const own = new AttentionLayout({
        batch: 1,
        queryPositions: positions,
        querySegments: new Int32Array(prompt),
      })
      const output = tf.tidy(() =>
        ops().cachedAttention(begin(q, prompt), begin(k, prompt), begin(v, prompt), cache, own, mask),
      )
      await expectClose(output, wanted.slice(0, prompt * h * hd))
      output.dispose()
      own.dispose()
    }
    for (let t = prompt; t < length; t++) {
      const output = tf.tidy(() => {
        if (!step)
          return ops().cachedAttention(begin(q, 1, t), begin(k, 1, t), begin(v, 1, t), cache, single, mask)
        cache.reserve(1)
        const position = ints([t])
        return stepAttention(
          {
            joint: tf.slice(all, [t, 0], [1, size]) as tf.Tensor,
            heads: h,
            keyValueHeads: hkv,
            headSize: hd,
            mask,
            ...(norms && { norms }),
            ...(table && { rope: { table, positions: position } }),
          },
          position,
          cache,
          share,
        )
      })
      if (step) cache.length++
      if (t < prompt + 3 || t % 16 === 0 || t === length - 1)
        await expectClose(output, wanted.slice(t * h * hd, (t + 1) * h * hd))
      output.dispose()
    }
    expect(cache.length).toBe(length)
    expect(cache.capacity).toBe(length)
    cache.dispose()
    layout.dispose()
    single.dispose()
    tf.dispose([all, positions, q, k, v, expected])
    if (norms) tf.dispose([norms.q, norms.k])
    if (table) tf.dispose([table.cos, table.sin])
  })

  const draws: Partial<SamplingSettings>[] = [
    {},
    { repetitionPenalty: 1.5 },
    { temperature: 1 },
    { temperature: 1, topK: 5 },
    { temperature: 0.8, topP: 0.6 },
    { temperature: 3, minP: 0.2, repetitionPenalty: 0.7 },
    { temperature: 1.3, topK: 300, topP: 0.97, minP: 0.001, repetitionPenalty: 1.1 },
  ]
  test.for(draws)('the next token: %o', async (change, { skip }) => {
    const { step } = ops()
    skip(!step, NO_STEP)
    const settings = { ...GREEDY, seed: 3, ...change }
    // Fewer logits than threads, several stretches, and many of one value.
    for (const row of [data(31, 2), data(2500, 2), data(1100, 3).map(Math.round)]) {
      const logits = Float32Array.from(row)
      const prompt = [2, 9, 9, 30]
      const bits = new Int32Array(Math.ceil(logits.length / 32))
      for (const id of prompt) bits[id >> 5]! |= 1 << (id & 31)
      const state = { token: ints([30]), position: ints([3]), seen: ints(bits), origin: 3 }
      const given = tensor(row, [1, row.length])
      const text = [...prompt]
      for (let t = 0; t < 8; t++) {
        counted(() => {
          step!.choose(given, settings, state)
          return []
        })
        const id = await step!.read(state)
        expect(id, `token ${t} of ${row.length}`).toBe(sample(logits, settings, t, text))
        text.push(id)
      }
      expect([...(await state.position.data())]).toEqual([11])
      tf.dispose([given, state.token, state.position, state.seen])
    }
  })
}
