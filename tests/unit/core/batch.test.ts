// Flat batches: buckets of lengths, packing, and which rows meet the head.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, describe, expect, it } from 'vitest'
import { bucketOf, rowLength, tokenBatch } from '../../../src/core/nn/batch.ts'
import { PADDING } from '../../../src/core/ops/layout.ts'
import { exampleBatch, type Example } from '../../../src/core/train/objective.ts'

const read = async (tensor: tf.Tensor) => [...(await tensor.data())]

beforeAll(() => tf.setBackend('cpu'))

describe('buckets', () => {
  it('are few, and at most an eighth longer', () => {
    expect([1, 8, 9, 64, 65, 127, 129, 200, 257].map(bucketOf)).toEqual([
      8, 8, 16, 64, 72, 128, 144, 208, 288,
    ])
    const seen = new Set<number>()
    for (let count = 1; count <= 4096; count++) {
      const bucket = bucketOf(count)
      expect(bucket).toBeGreaterThanOrEqual(count)
      expect(bucket - count).toBeLessThan(Math.max(8, count / 8))
      seen.add(bucket)
    }
    expect(seen.size).toBe(8 + 6 * 8)
  })

  it('end at what the model reads', () => {
    expect(rowLength(61, 62)).toBe(62)
    expect(rowLength(0)).toBe(8)
    expect(rowLength(70, 64)).toBe(70)
  })
})

describe('packing', () => {
  const sequence = (length: number, first: number) => Array.from({ length }, (_, t) => first + t)

  it('puts each sequence where it fits first, the longest first, with positions of its own', async () => {
    const lengths = [3, 16, 5, 9, 4]
    const batch = tokenBatch(
      lengths.map((length, b) => sequence(length, 100 * (b + 1))),
      7,
      64,
      true,
    )
    // 16 | 9 5 | 4 3
    expect(batch.length).toBe(16)
    expect(batch.batch).toBe(3)
    expect(batch.starts).toEqual([32 + 4, 0, 16 + 9, 16, 32])
    const ids = await read(batch.ids)
    const positions = await read(batch.positions)
    const segments = await read(batch.layout.querySegments)
    lengths.forEach((length, b) => {
      const start = batch.starts[b]!
      const end = start + length
      expect(ids.slice(start, end)).toEqual(sequence(length, 100 * (b + 1)))
      expect(positions.slice(start, end)).toEqual(sequence(length, 0))
      expect(new Set(segments.slice(start, end)).size).toBe(1)
    })
    expect(new Set(segments.slice(16, 30)).size).toBe(2)
    expect(segments.slice(30, 32)).toEqual([PADDING, PADDING])
    expect(ids.slice(30, 32)).toEqual([7, 7])
    batch.dispose()
  })

  it('leaves each sequence a row of its own where it is not wanted', () => {
    const batch = tokenBatch([[1], [2, 3]], 0)
    expect(batch).toMatchObject({ batch: 2, length: 8, starts: [0, 8], lengths: [1, 2] })
    batch.dispose()
  })

  it('finds the rows and labels of every example wherever it lies', async () => {
    const examples: Example[] = [3, 9, 0, 4].map((length, b) => {
      const ids = sequence(length, 10 * (b + 1))
      return { ids, labels: ids.map((id, t) => (t === 1 ? -100 : id + 500)) }
    })
    for (const packing of [false, true]) {
      const batch = exampleBatch(examples, 0, 64, 'last', packing)
      const ids = await read(batch.tokens.ids)
      const rows = await read(batch.rows)
      const labels = await read(batch.labels)
      const pairs = rows.map((row, i) => [ids[row], labels[i]]).filter(([, label]) => label !== -100)
      expect(pairs).toEqual(
        examples.flatMap((example) =>
          example.ids.flatMap((id, t) =>
            t + 1 < example.ids.length && t > 0 ? [[id, example.ids[t + 1]! + 500]] : [],
          ),
        ),
      )
      expect(batch.labelCount).toBe(pairs.length)
      expect(rows.length).toBe(bucketOf(pairs.length))
      const inverse = await read(batch.inverse)
      const back = inverse.flatMap((at, row) => (at < rows.length ? [[at, row]] : []))
      expect(back.sort((a, b) => a[0]! - b[0]!)).toEqual(
        rows.slice(0, pairs.length).map((row, i) => [i, row]),
      )
      batch.dispose()
    }
  })

  it('reads a class from its own last or first token', async () => {
    const examples: Example[] = [
      { ids: [1, 2, 3], label: 0 },
      { ids: [4, 5], label: 1 },
      { ids: [], label: 2 },
    ]
    for (const [row, seen] of [
      ['last', [3, 5]],
      ['first', [1, 4]],
    ] as const) {
      const batch = exampleBatch(examples, 9, 64, row, true)
      const ids = await read(batch.tokens.ids)
      expect(batch.tokens.batch).toBe(1)
      expect((await read(batch.rows)).slice(0, 2).map((at) => ids[at])).toEqual(seen)
      expect(await read(batch.labels)).toEqual([0, 1, -100])
      batch.dispose()
    }
  })
})
