// Where points of a scatter plot lie, which one is under a pixel, and where the arrow keys go.
import { expect, it } from 'vitest'
import { neighbour, pointAt, scatterScene } from '../../../src/charts/scatter.ts'
import { binsOf, rowsOfRegion } from '../../../src/views/explain/training/regions.ts'

it('puts points on the axes of the given ranges, upwards', () => {
  const scene = scatterScene([0, 0.5, 0.25], [0, 1, 0.5], {
    width: 452,
    height: 232,
    xRange: [0, 0.5],
    yRange: [0, 1],
  })
  expect(scene.plot).toEqual({ x: 40, y: 8, width: 400, height: 200 })
  expect([...scene.px]).toEqual([40, 440, 240])
  expect([...scene.py]).toEqual([208, 8, 108])
  expect(scene.xTicks.map(({ label }) => label)).toEqual(['0', '0.1', '0.2', '0.3', '0.4', '0.5'])
  expect(scene.yTicks[0]).toEqual({ at: 208, label: '0' })
})

it('finds the nearest point in reach, and neighbours by direction', () => {
  const points = { px: Float32Array.of(10, 30, 30, 80), py: Float32Array.of(50, 52, 10, 50) }
  expect(pointAt(points, 28, 50)).toBe(1)
  expect(pointAt(points, 55, 50)).toBeNull()
  expect(neighbour(points, 0, [1, 0])).toBe(1)
  expect(neighbour(points, 1, [1, 0])).toBe(3)
  expect(neighbour(points, 1, [0, -1])).toBe(2)
  expect(neighbour(points, 0, [-1, 0])).toBeNull()
})

it('counts values in bins, the ends included, and lists regions with the most telling rows first', () => {
  const bins = binsOf([0, 0.024, 0.5, 0.49], 0.5)
  expect(bins.map(({ count }) => count)).toEqual([2, ...new Array<number>(18).fill(0), 2])
  const map = {
    rows: Int32Array.of(4, 5, 6, 7),
    confidence: Float64Array.of(0.9, 0.4, 0.1, 0.95),
    variability: Float64Array.of(0.1, 0.4, 0.05, 0.2),
    correctness: Float64Array.of(1, 0.5, 0, 1),
    region: Uint8Array.of(0, 1, 2, 0),
    epochs: Uint16Array.of(3, 3, 3, 3),
    label: null,
    labels: null,
    recorded: 3,
    neverLearnt: 1,
    tooFew: 0,
  }
  expect(rowsOfRegion(map, 'easy')).toEqual([3, 0])
  expect(rowsOfRegion(map, 'ambiguous')).toEqual([1])
  expect(rowsOfRegion(map, 'hard')).toEqual([2])
  expect(rowsOfRegion(map, 'never')).toEqual([2])
  expect(rowsOfRegion(map, 'all')).toEqual([2, 1, 0, 3])
})
