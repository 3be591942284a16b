// Which rows a step takes, and how long a run is.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RowOrder, stepsPerEpoch, totalSteps } from '../../../src/core/train/plan.ts'
import { scheduleFactor, warmupSteps } from '../../../src/core/optim/schedule.ts'
import { defaultTraining } from '../../../src/protocol/settings.ts'

describe('row order', () => {
  it('takes every row once an epoch, whatever the sizes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        fc.nat(),
        (rows, batchSize, accumulation, shuffle, seed) => {
          const settings = { batchSize, accumulation, shuffle, seed }
          const order = new RowOrder(rows, settings)
          const steps = stepsPerEpoch(rows, settings)
          for (const epoch of [0, 1]) {
            const seen = Array.from({ length: steps }, (_, k) => order.microBatches(epoch * steps + k)).flat(
              2,
            )
            expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, i) => i))
          }
        },
      ),
    )
  })

  it('keeps the order of the rows without shuffling', () => {
    expect(
      new RowOrder(5, { batchSize: 2, accumulation: 2, shuffle: false, seed: 0 }).microBatches(0),
    ).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(
      new RowOrder(5, { batchSize: 2, accumulation: 2, shuffle: false, seed: 0 }).microBatches(1),
    ).toEqual([[4]])
  })

  it('counts steps as the Trainer of transformers does', () => {
    const training = defaultTraining({ hidden: 256, context: 1024 }, 'classify')
    expect(totalSteps(480, training)).toBe(90)
    expect(totalSteps(481, { ...training, accumulation: 4 })).toBe(24)
    expect(totalSteps(480, { ...training, steps: 7 })).toBe(7)
  })
})

describe('schedules', () => {
  // get_linear_schedule_with_warmup(3, 10) and get_cosine_schedule_with_warmup(3, 10) of transformers 5.23.
  it('linear', () => {
    const factors = Array.from({ length: 10 }, (_, k) => scheduleFactor('linear', k, 10, 3))
    expect(factors).toEqual(
      [0, 1 / 3, 2 / 3, 1, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7].map((f) => expect.closeTo(f, 12)),
    )
  })
  it('cosine', () => {
    expect(scheduleFactor('cosine', 3, 10, 3)).toBe(1)
    expect(scheduleFactor('cosine', 6, 10, 3)).toBeCloseTo(0.6112604669781572, 12)
    expect(scheduleFactor('cosine', 10, 10, 3)).toBeCloseTo(0, 12)
  })
  it('reads a warm-up below 1 as a share', () => {
    expect(warmupSteps(0.05, 90)).toBe(5)
    expect(warmupSteps(7, 90)).toBe(7)
    expect(warmupSteps(0, 90)).toBe(0)
  })
})
