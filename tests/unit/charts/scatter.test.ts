// Where points of a scatter plot lie, which one is under a pixel, and where the arrow keys go.
import { expect, it } from 'vitest'
import { isSeen, neighbour, pointAt, scatterScene } from '../../../src/charts/scatter.ts'
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

it('shows a part, enlarged about a place, with ticks of its own', () => {
  const options = { width: 452, height: 232, xRange: [0, 0.5], yRange: [0, 1] } as const
  const whole = scatterScene([0, 0.5, 0.25], [0, 1, 0.5], { ...options, xRange: [0, 0.5], yRange: [0, 1] })
  // Four times about the middle of the plot, which stays where it is.
  const view = { k: 4, x: 240 * -3, y: 108 * -3 }
  const part = scatterScene([0, 0.5, 0.25], [0, 1, 0.5], {
    ...options,
    xRange: [0, 0.5],
    yRange: [0, 1],
    view,
  })
  for (let i = 0; i < 3; i++) {
    expect(part.px[i]).toBeCloseTo(view.k * whole.px[i]! + view.x, 3)
    expect(part.py[i]).toBeCloseTo(view.k * whole.py[i]! + view.y, 3)
  }
  expect([0, 1, 2].map((point) => isSeen(part, point))).toEqual([false, false, true])
  expect([part.xTicks[0]!.label, part.xTicks.at(-1)!.label]).toEqual(['0.2', '0.3'])
  for (const { at } of part.xTicks) expect(at >= 40 && at <= 440).toBe(true)
  expect(pointAt(part, 240, 108)).toBe(2)
  // What is outside of the part cannot be pointed at.
  expect(pointAt({ ...part, px: Float32Array.of(446), py: Float32Array.of(108) }, 438, 108)).toBeNull()
})

it('finds the nearest point in reach, and neighbours by direction', () => {
  const points = {
    ...scatterScene([], [], { width: 152, height: 132, xRange: [0, 1], yRange: [0, 1] }),
    plot: { x: 0, y: 0, width: 100, height: 100 },
    px: Float32Array.of(10, 30, 30, 80),
    py: Float32Array.of(50, 52, 10, 50),
  }
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
