// What is drawn of a film: maps and their differences, one scale for all frames, tiles, lines.
import { expect, it } from 'vitest'
import {
  frameMatrix,
  frameScores,
  mosaic,
  nearestFrame,
  probabilityLines,
  TILE,
  TILE_GAP,
  topOf,
} from '../../../src/charts/film.ts'
import type { FilmFrame } from '../../../src/protocol/explain.ts'

const shape = { layers: 2, heads: 1, tokens: ['a', 'b'] }
const output = (index: number, probability: number) => ({
  name: `o${index}`,
  index,
  logit: Math.log(probability),
  probability,
})
const frame = (
  at: number,
  attention: number[],
  saliency: number[],
  outputs: [number, number][],
): FilmFrame => ({
  at,
  attention: Float32Array.from(attention),
  saliency: Float32Array.from(saliency),
  prediction: output(...outputs[0]!),
  explained: output(...outputs[0]!),
  outputs: outputs.map((each) => output(...each)),
})
const first = frame(
  0,
  [1, 0, 0.5, 0.5, 1, 0, 0.25, 0.75],
  [1, -2],
  [
    [3, 0.6],
    [1, 0.4],
  ],
)
const last = frame(
  8,
  [1, 0, 0.25, 0.75, 1, 0, 0.5, 0.5],
  [3, 1],
  [
    [1, 0.9],
    [2, 0.1],
  ],
)
const frames = [first, last]

it('maps of one head, of means, and what has changed', () => {
  expect([...frameMatrix(shape, first, { layer: 1, head: 0 }).values]).toEqual([1, 0, 0.25, 0.75])
  expect([...frameMatrix(shape, first, { layer: 'mean', head: 'mean' }).values]).toEqual([1, 0, 0.375, 0.625])
  expect([...frameMatrix(shape, last, { layer: 0, head: 0 }, first).values]).toEqual([0, 0, -0.25, 0.25])
  expect([...frameScores(shape, last, first)]).toEqual([2, 3])
  expect(topOf(frames, (each) => frameScores(shape, each))).toBe(3)
  expect(topOf(frames, (each) => frameScores(shape, each, first))).toBe(3)
})

it('takes the head that was asked for out of several, and means over some of them', () => {
  const several = { layers: 2, heads: 3, tokens: ['a'] }
  const of = frame(0, [1, 2, 3, 4, 5, 6], [-4], [[0, 1]])
  const value = (layer: number | 'mean', head: number | 'mean') =>
    frameMatrix(several, of, { layer, head }).values[0]
  expect([value(0, 1), value(1, 0), value(1, 2)]).toEqual([2, 4, 6])
  expect([value(1, 'mean'), value('mean', 2), value('mean', 'mean')]).toEqual([5, 4.5, 3.5])
  expect(topOf([of], (each) => frameScores(several, each))).toBe(4)
})

it('tiles of heads stand beside each other, and of many cells none is lost', () => {
  const n = 2 * TILE
  const tokens = Array.from({ length: n }, String)
  const attention = new Array<number>(2 * n * n).fill(0)
  // One cell of each head, at an odd row and column; the second head's beside an even one that is less.
  attention[5 * n + 7] = 1
  attention[n * n + 5 * n + 6] = 0.5
  attention[n * n + 5 * n + 7] = 1
  const { width, height, pixels } = mosaic({ layers: 1, heads: 2, tokens }, frame(0, attention, [], [[0, 1]]), 'magnitude') // prettier-ignore
  expect([width, height]).toEqual([2 * TILE + TILE_GAP, TILE])
  const at = (x: number, y: number) => [...pixels.subarray((y * width + x) * 4, (y * width + x) * 4 + 4)]
  const full = at(3, 2)
  expect(at(TILE + TILE_GAP + 3, 2)).toEqual(full)
  expect(at(4, 2)).not.toEqual(full)
  // Between the tiles nothing is painted.
  expect(at(TILE, 2)[3]).toBe(0)
  expect(at(TILE + TILE_GAP, 2)[3]).toBe(255)
})

it('tiles keep their places and their signs', () => {
  const { width, height, pixels } = mosaic(shape, last, 'signed', first)
  expect([width, height]).toEqual([TILE, 2 * TILE + TILE_GAP])
  const at = (x: number, y: number) => [...pixels.subarray((y * width + x) * 4, (y * width + x) * 4 + 4)]
  // Of the lower left quarter the first layer looks less, the second more; the upper row has not changed.
  expect(at(2, TILE - 2)).toEqual([0, 114, 214, 255])
  expect(at(2, 2 * TILE + TILE_GAP - 2)).toEqual([222, 92, 0, 255])
  expect(at(2, 2)[3]).toBe(0)
  expect(at(2, TILE)[3]).toBe(0)
})

it('lines of what was the answer at some time', () => {
  const lines = probabilityLines(frames, (name) => name.toUpperCase())
  expect(lines.map(({ name, points }) => [name, points])).toEqual([
    [
      'O1',
      [
        { x: 0, y: 0.4 },
        { x: 8, y: 0.9 },
      ],
    ],
    ['O3', [{ x: 0, y: 0.6 }]],
  ])
  expect([-5, 3, 4, 5, 99].map((at) => nearestFrame(frames, at))).toEqual([0, 0, 0, 1, 1])
  // The explained output first, then what was most likely, the last frame's first.
  const explained = { ...frame(9, [], [], [[1, 0.5], [7, 0.1]]), explained: output(7, 0.1) } // prettier-ignore
  const told = probabilityLines([first, frame(4, [], [], [[5, 0.6]]), explained], String)
  expect(told.map(({ name }) => name)).toEqual(['o7', 'o1', 'o5', 'o3'])
})
