// Frozen matrices in every precision, whole and in parts: each op gives what the same op gives on the float32 matrix that
// the packed one stands for.
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { placeMatrix } from '../../src/core/backend/placeMatrix.ts'
import { disposeMatrix, matrixBytes, matrixTensors, type FrozenMatrix } from '../../src/core/ops/matrix.ts'
import type { LoraFactors } from '../../src/core/ops/ops.ts'
import { packHalves, unpackHalves } from '../../src/core/ops/quantise/f16.ts'
import { dequantiseInt8, quantiseInt8 } from '../../src/core/ops/quantise/int8.ts'
import { dequantiseNf4, meanOf, quantiseAbsmax, quantiseNf4 } from '../../src/core/ops/quantise/nf4.ts'
import { hasHostArrays } from '../../src/core/ops/reference/hostArrays.ts'
import { times, timesTransposed } from '../../src/core/ops/reference/frozen.ts'
import { PRECISIONS, type Precision } from '../../src/protocol/model.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, frozen, ints, tensor } from './support.ts'

const TOLERANCE = 1e-5
const IGNORED = -100

/** The weights that a matrix stands for, by the quantisers alone. */
export function standsFor(
  values: Float32Array,
  [rows, columns]: [number, number],
  precision: Precision,
): Float32Array {
  const out = new Float32Array(values.length)
  if (precision === 'f16') unpackHalves(packHalves(values, columns), columns, 0, rows, out)
  if (precision === 'int8') {
    const { words, scales } = quantiseInt8(values, columns)
    dequantiseInt8(words, scales, columns, 0, rows, out)
  }
  if (precision === 'nf4') {
    const { words, absmax } = quantiseNf4(values)
    const offset = meanOf([absmax])
    dequantiseNf4(words, quantiseAbsmax(absmax, offset), offset, values.length, 0, values.length, out)
  }
  return precision === 'f32' ? values : out
}

export interface Given {
  packed: FrozenMatrix
  plain: FrozenMatrix
}

export async function matrices(
  shape: [number, number],
  precision: Precision,
  limit?: number,
): Promise<Given> {
  const [rows, columns] = shape
  const values = Float32Array.from(data(rows * columns, 0.3))
  const packed = await placeMatrix(
    'A test',
    shape,
    precision,
    (begin, end) => Promise.resolve(values.slice(begin * columns, end * columns)),
    undefined,
    limit,
  )
  return { packed, plain: frozen(Float64Array.from(standsFor(values, shape, precision)), shape) }
}

async function expectSame(actual: tf.Tensor, expected: tf.Tensor): Promise<void> {
  expect(actual.shape).toEqual(expected.shape)
  await expectClose(actual, await expected.data(), TOLERANCE)
}

/** Each result of both, compared and disposed. */
async function compare(given: Given, run: (w: FrozenMatrix) => tf.NamedTensorMap): Promise<void> {
  const actual = counted(() => run(given.packed))
  const expected = run(given.plain)
  expect(Object.keys(actual)).toEqual(Object.keys(expected))
  for (const [name, value] of Object.entries(actual)) await expectSame(value, expected[name]!)
  tf.dispose([actual, expected])
}

function free(...given: Given[]): void {
  for (const { packed, plain } of given) {
    disposeMatrix(packed)
    disposeMatrix(plain)
  }
}

/** By precision, a limit that leaves a few rows to a part. NF4 parts are multiples of 16,384 weights. */
const SPLIT_SHAPE: Record<Precision, [number, number]> = {
  f32: [37, 24],
  f16: [37, 23],
  int8: [37, 21],
  nf4: [300, 128],
}
const SPLIT_LIMIT: Record<Precision, number> = { f32: 960, f16: 480, int8: 240, nf4: 9000 }

const SHAPES: { n: number; shape: [number, number] }[] = [
  { n: 1, shape: [5, 7] },
  { n: 5, shape: [19, 33] },
  { n: 17, shape: [21, 40] },
  { n: 3, shape: [130, 1] },
  // Two groups of absmax, and rows that are no whole words.
  { n: 2, shape: [150, 130] },
]

export function precisionTests(ops: OpsOf): void {
  describe.each(PRECISIONS.filter((precision) => precision !== 'f32'))('%s', (precision) => {
    test.each(SHAPES)('linear and its gradient, $n rows by $shape', async ({ n, shape }) => {
      const given = await matrices(shape, precision)
      expect(given.packed.kind).toBe(precision)
      await everyLinear(ops, given, n)
      free(given)
    })

    test('tiles of every size', async () => {
      const wide = await matrices([500, 40], precision)
      const deep = await matrices([40, 504], precision)
      const [x, dy] = [tensor(data(520 * 40), [520, 40]), tensor(data(520 * 40), [520, 40])]
      await compare(wide, (w) => ({ y: ops().linear(x, w) }))
      await compare(deep, (w) => ({ dx: ops().linearBackward(dy, x, w).dx }))
      tf.dispose([x, dy])
      free(wide, deep)
    })

    test('embedding and head', async () => {
      const given = await matrices([41, 12], precision)
      await everyTable(ops, given)
      free(given)
    })

    test('tensors take the bytes that are estimated', async () => {
      const shape: [number, number] = [13, 37]
      const given = await matrices(shape, precision)
      const bytes = matrixTensors(given.packed).reduce((sum, { size }) => sum + 4 * size, 0)
      expect(bytes).toBe(matrixBytes(shape, precision))
      free(given)
    })

    test('unpacked by tiles', async ({ skip }) => {
      skip(!hasHostArrays(), 'the GPU unpacks in its kernels')
      const given = await matrices([23, 10], precision)
      const [x, dy] = [tensor(data(30), [3, 10]), tensor(data(69), [3, 23])]
      await compare(given, (w) => ({
        y: timesTransposed(x, w, undefined, 70),
        dx: times(dy, w, undefined, 70),
      }))
      tf.dispose([x, dy])
      free(given)
    })
  })

  describe.each(PRECISIONS)('%s in parts', (precision) => {
    const shape = SPLIT_SHAPE[precision]

    test('linear and its gradient', async () => {
      const given = await matrices(shape, precision, SPLIT_LIMIT[precision])
      expectParts(given.packed)
      await everyLinear(ops, given, 5)
      free(given)
    })

    test('embedding and head', async () => {
      const given = await matrices(shape, precision, SPLIT_LIMIT[precision])
      expectParts(given.packed)
      await everyTable(ops, given)
      free(given)
    })
  })
}

function expectParts(matrix: FrozenMatrix): void {
  if (matrix.kind !== 'split') expect.fail('the matrix is in one piece')
  expect(matrix.parts.length).toBeGreaterThan(2)
  expect(matrix.parts.reduce((rows, part) => rows + part.shape[0], 0)).toBe(matrix.shape[0])
}

async function everyLinear(ops: OpsOf, given: Given, n: number): Promise<void> {
  const [out, inputs] = given.packed.shape
  const r = 3
  const [x, dy, bias] = [
    tensor(data(n * inputs), [n, inputs]),
    tensor(data(n * out), [n, out]),
    tensor(data(out), [out]),
  ]
  const lora: LoraFactors = {
    a: tensor(data(r * inputs), [r, inputs]),
    b: tensor(data(out * r), [out, r]),
    scale: 0.7,
  }
  const dropped: LoraFactors = {
    ...lora,
    dropout: { rate: 0.3, key: { seed: 5, purpose: 'dropout', step: 1, layer: 0 } },
  }
  await compare(given, (w) => ({ y: ops().linear(x, w) }))
  await compare(given, (w) => ({ y: ops().linear(x, w, bias) }))
  await compare(given, (w) => ({ y: ops().linear(x, w, bias, lora) }))
  await compare(given, (w) => ({ ...ops().linearBackward(dy, x, w) }))
  await compare(given, (w) => ({ ...ops().linearBackward(dy, x, w, lora) }) as tf.NamedTensorMap)
  await compare(given, (w) => ({ ...ops().linearBackward(dy, x, w, dropped) }) as tf.NamedTensorMap)
  tf.dispose([x, dy, bias, lora.a, lora.b])
}

async function everyTable(ops: OpsOf, given: Given): Promise<void> {
  const [words, d] = given.packed.shape
  const m = 9
  const ids = ints([words - 1, 0, 1, 11, 12, 5, 0, words - 2, 20])
  const labels = ints([3, words - 1, IGNORED, 0, 17, 4, 30, 9, 12])
  const h = tensor(data(m * d), [m, d])
  await compare(given, (w) => ({ rows: ops().embedding(w, ids) }))
  await compare(given, (w) => ({ ...ops().headCrossEntropy(h, w, labels, 0.4) }) as tf.NamedTensorMap)
  await compare(
    given,
    (w) => ({ ...ops().headCrossEntropy(h, w, labels, 0.4, { trained: true }) }) as tf.NamedTensorMap,
  )
  await compare(given, (w) => ({ loss: ops().headLoss(h, w, labels, 0.4) }))
  tf.dispose([ids, labels, h])
}
