// A film's frames as what is drawn: the map of a layer and head, all heads as one mosaic, and probabilities as lines; each
// also as the difference from another frame.
import type { FilmFrame, FilmResult } from '../protocol/explain.ts'
import type { HeadChoice } from './attention.ts'
import { heatPixels, type HeatScale, type Matrix } from './heatmap.ts'
import type { Series } from './lineChart.ts'

type Shape = Pick<FilmResult, 'layers' | 'heads' | 'tokens'>

/** [T, T] of a layer and head, or means of them, of a frame; less those of `first`, where it is given. */
export function frameMatrix(shape: Shape, frame: FilmFrame, choice: HeadChoice, first?: FilmFrame): Matrix {
  const size = shape.tokens.length
  const values = new Float32Array(size * size)
  const layers = choice.layer === 'mean' ? range(shape.layers) : [choice.layer]
  const heads = choice.head === 'mean' ? range(shape.heads) : [choice.head]
  const share = 1 / (layers.length * heads.length)
  for (const [of, sign] of [
    [frame, share],
    [first, -share],
  ] as const) {
    if (!of?.attention) continue
    for (const layer of layers)
      for (const head of heads) {
        const start = (layer * shape.heads + head) * values.length
        for (let at = 0; at < values.length; at++) values[at]! += sign * of.attention[start + at]!
      }
  }
  return { rows: size, columns: size, values }
}

/** Saliency of a frame, less that of `first`; zeros where none was recorded. */
export function frameScores({ tokens }: Shape, frame: FilmFrame, first?: FilmFrame): Float32Array {
  return Float32Array.from(
    tokens,
    (_, at) => (frame.saliency?.[at] ?? 0) - (first ? (first.saliency?.[at] ?? 0) : 0),
  )
}

/** The largest magnitude of a number over all frames: one colour means the same in each of them. */
export function topOf(
  frames: readonly FilmFrame[],
  numbers: (frame: FilmFrame) => ArrayLike<number>,
): number {
  let top = 0
  for (const frame of frames) {
    const values = numbers(frame)
    for (let at = 0; at < values.length; at++) top = Math.max(top, Math.abs(values[at]!))
  }
  return top
}

/** Side of a head in the mosaic, in pixels, and the gap between two. */
export const TILE = 24
export const TILE_GAP = 2

/** Every head as a tile, layers down, heads across: RGBA, each tile on a scale of its own. */
export function mosaic(shape: Shape, frame: FilmFrame, scale: HeatScale, first?: FilmFrame) {
  const { layers, heads } = shape
  const step = TILE + TILE_GAP
  const [width, height] = [heads * step - TILE_GAP, layers * step - TILE_GAP]
  const pixels = new Uint8ClampedArray(width * height * 4)
  for (let layer = 0; layer < layers; layer++)
    for (let head = 0; head < heads; head++) {
      const small = tileOf(frameMatrix(shape, frame, { layer, head }, first))
      const top = small.values.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
      const painted = heatPixels(small, top, scale)
      for (let row = 0; row < TILE; row++)
        pixels.set(
          painted.subarray(row * TILE * 4, (row + 1) * TILE * 4),
          ((layer * step + row) * width + head * step) * 4,
        )
    }
  return { width, height, pixels }
}

/** TILE x TILE: of the cells that each pixel stands for, the one of largest magnitude; few cells are repeated. */
function tileOf({ rows, columns, values }: Matrix): Matrix {
  const out = new Float32Array(TILE * TILE)
  const span = (at: number, of: number): [number, number] => {
    const from = Math.floor((at * of) / TILE)
    return [from, Math.max(from + 1, Math.floor(((at + 1) * of) / TILE))]
  }
  for (let y = 0; y < TILE; y++)
    for (let x = 0; x < TILE; x++) {
      const [top, bottom] = span(y, rows)
      const [left, right] = span(x, columns)
      let best = 0
      for (let row = top; row < bottom; row++)
        for (let column = left; column < right; column++) {
          const value = values[row * columns + column]!
          if (Math.abs(value) > Math.abs(best)) best = value
        }
      out[y * TILE + x] = best
    }
  return { rows: TILE, columns: TILE, values: out }
}

/** Lines drawn: more could not be told apart. */
const LINES = 4

/** The outputs worth a line: the explained one of the last frame, then those that were the most likely in some frame, the
 *  last frame's first. A frame that does not name an output leaves its point out. */
export function probabilityLines(frames: readonly FilmFrame[], named: (name: string) => string): Series[] {
  const indices = new Set<number>()
  const last = frames.at(-1)
  if (last) indices.add(last.explained.index)
  for (const frame of frames.toReversed()) indices.add(frame.prediction.index)
  return [...indices].slice(0, LINES).map((index, line) => {
    const points = frames.flatMap(({ at, outputs }) => {
      const found = outputs.find((output) => output.index === index)
      return found ? [{ x: at, y: found.probability, name: found.name }] : []
    })
    return {
      name: named(points[0]?.name ?? String(index)),
      colour: `var(--series-${line + 1})`,
      marks: true,
      points: points.map(({ x, y }) => ({ x, y })),
    }
  })
}

/** The frame at `at`, or the nearest one. */
export function nearestFrame(frames: readonly FilmFrame[], at: number): number {
  let best = 0
  frames.forEach((frame, index) => {
    if (Math.abs(frame.at - at) < Math.abs(frames[best]!.at - at)) best = index
  })
  return best
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index)
}
