// Frozen matrices from streamed rows: bounded pieces, parts that equal the whole, refusals by name, nothing left behind.
import * as tf from '@tensorflow/tfjs-core'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { placeMatrix } from '../../../src/core/backend/placeMatrix.ts'
import { startBackend } from '../../../src/core/backend/register.ts'
import { memoryFile, openWeights } from '../../../src/core/models/weights.ts'
import { disposeMatrix, partsOf, type Nf4Matrix } from '../../../src/core/ops/matrix.ts'
import { unpackRows } from '../../../src/core/ops/reference/frozen.ts'
import { normals } from '../../../src/core/rng.ts'
import { writeSafetensors } from '../../../src/formats/safetensors.ts'
import { PRECISIONS } from '../../../src/protocol/model.ts'

const PIECE_BYTES = 8 * 1024 * 1024

function weights(count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(normals({ seed: 3, purpose: 'noise', step: 0 }, count))
}

function rowsOf(values: Float32Array, columns: number, asked: [number, number][] = []) {
  return (begin: number, end: number) => {
    asked.push([begin, end])
    return Promise.resolve(values.slice(begin * columns, end * columns))
  }
}

describe('on the cpu backend', () => {
  beforeAll(async () => {
    await startBackend('cpu', { onFault: (fault) => expect.fail(fault.message) })
  })
  let before = 0
  beforeAll(() => void (before = tf.memory().numTensors))
  afterEach(() => expect(tf.memory().numTensors).toBe(before))

  test.each(PRECISIONS)('%s: rows are asked for in order, a bounded piece at a time', async (precision) => {
    const shape: [number, number] = [3000, 1021]
    const values = weights(shape[0] * shape[1])
    const asked: [number, number][] = []
    const matrix = await placeMatrix('A test', shape, precision, rowsOf(values, shape[1], asked))
    expect(asked[0]![0]).toBe(0)
    expect(asked.at(-1)![1]).toBe(3000)
    expect(asked.length).toBeGreaterThan(1)
    asked.forEach(([begin, end], i) => {
      expect((end - begin) * shape[1] * 4).toBeLessThanOrEqual(PIECE_BYTES)
      if (i > 0) expect(begin).toBe(asked[i - 1]![1])
    })
    disposeMatrix(matrix)
  })

  test.each(PRECISIONS)('%s: a matrix in parts stands for the same weights', async (precision) => {
    const shape: [number, number] = precision === 'nf4' ? [400, 128] : [40, 33]
    const values = weights(shape[0] * shape[1])
    const whole = await placeMatrix('A test', shape, precision, rowsOf(values, shape[1]))
    const limit = precision === 'nf4' ? 9000 : 600
    const split = await placeMatrix('A test', shape, precision, rowsOf(values, shape[1]), undefined, limit)
    expect(split.kind).toBe('split')
    const [one, other] = [whole, split].map((matrix) => {
      const out = new Float32Array(values.length)
      for (const { part, begin } of partsOf(matrix))
        unpackRows(part, 0, part.shape[0], out.subarray(begin * shape[1], (begin + part.shape[0]) * shape[1]))
      return out
    })
    expect(other).toEqual(one)
    if (precision === 'nf4' && split.kind === 'split')
      expect(new Set(split.parts.map((part) => (part as Nf4Matrix).absmaxOffset)).size).toBe(1)
    disposeMatrix(whole)
    disposeMatrix(split)
  })

  test('a row that no buffer can hold is refused', async () => {
    const work = placeMatrix('Loading (big)', [4, 100], 'f32', rowsOf(weights(400), 100), undefined, 300)
    await expect(work).rejects.toMatchObject({
      code: 'E_MEMORY',
      message: expect.stringContaining('big') as string,
    })
  })

  test.each([
    ['f16', 7e4, 'E_MODEL_FILES', '65504'],
    ['f16', NaN, 'E_MODEL_FILES', 'NaN'],
    ['int8', Infinity, 'E_MODEL_FILES', 'Infinity'],
    ['nf4', -Infinity, 'E_MODEL_FILES', 'Infinity'],
  ] as const)('%s refuses %d and names the row', async (precision, value, code, words) => {
    const values = weights(300)
    values[2 * 30 + 4] = value
    const work = placeMatrix('Loading (layer.weight)', [10, 30], precision, rowsOf(values, 30))
    await expect(work).rejects.toMatchObject({ code })
    await expect(work).rejects.toThrow(/layer\.weight.*row 2/)
    await expect(work).rejects.toThrow(words)
  })

  test('the largest half is no overflow', async () => {
    const values = Float32Array.of(65504, -65519)
    const matrix = await placeMatrix('A test', [1, 2], 'f16', rowsOf(values, 2))
    const out = new Float32Array(2)
    unpackRows(partsOf(matrix)[0]!.part, 0, 1, out)
    expect([...out]).toEqual([65504, -65504])
    disposeMatrix(matrix)
  })

  test('stops between pieces when cancelled', async () => {
    const cancel = new AbortController()
    let pieces = 0
    const work = placeMatrix(
      'A test',
      [3000, 1021],
      'nf4',
      (begin, end) => {
        if (++pieces === 2) cancel.abort()
        return Promise.resolve(new Float32Array((end - begin) * 1021))
      },
      cancel.signal,
    )
    await expect(work).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(pieces).toBe(2)
  })

  test('what the source throws leaves nothing behind', async () => {
    const work = placeMatrix('A test', [4, 4], 'int8', () => Promise.reject(new Error('cut')))
    await expect(work).rejects.toThrow('cut')
  })
})

describe('rows of a checkpoint', () => {
  const values = weights(6 * 5)
  const file = writeSafetensors([
    { name: 'a.weight', shape: [6, 5], data: values },
    { name: 'b', shape: [3], data: Float32Array.of(1, 2, 3) },
  ])

  test('only their bytes are read', async () => {
    const reads: number[] = []
    const memory = memoryFile('model.safetensors', file)
    const source = await openWeights([
      {
        ...memory,
        read(begin, end) {
          reads.push(end - begin)
          return memory.read(begin, end)
        },
      },
    ])
    reads.length = 0
    expect(await source.rows('a.weight', 2, 4)).toEqual(values.slice(10, 20))
    expect(await source.rows('b', 1, 3)).toEqual(Float32Array.of(2, 3))
    expect(reads).toEqual([40, 8])
    expect(() => source.rows('a.weight', 5, 7)).toThrow(/Rows 5 to 7 of a\.weight/)
    expect(() => source.rows('c', 0, 1)).toThrow(/no tensor c/)
  })

  test('a file that has shrunk since it was opened is named', async () => {
    let cut = false
    const memory = memoryFile('model.safetensors', file)
    const source = await openWeights([
      {
        ...memory,
        read: async (begin, end) => (await memory.read(begin, end)).subarray(0, cut ? 6 : undefined),
      },
    ])
    cut = true
    await expect(source.rows('a.weight', 0, 2)).rejects.toMatchObject({ code: 'E_MODEL_FILES' })
  })
})
