// The scene of a heat map: a matrix of numbers as square cells, with labels where they can be read. Cells are painted
// into a canvas; hit testing is index arithmetic, so a map of 512 x 512 costs the same as one of 8 x 8.
import { ABOVE, BELOW, magnitude } from './colours.ts'

export interface Matrix {
  rows: number
  columns: number
  /** Row by row. */
  values: Float32Array
}

/** How values become colours: from 0 up, or both ways from 0. */
export type HeatScale = 'magnitude' | 'signed'

export interface HeatOptions {
  /** Room for the whole map with its labels, in pixels. */
  width: number
  maxHeight: number
  rowLabels: string[]
  columnLabels: string[]
  /** Value at the top of the colour scale; the largest value when absent. */
  max?: number
  /** Largest side of a cell, in pixels. */
  maxCell?: number
}

export interface HeatScene {
  width: number
  height: number
  /** Side of a cell, in pixels; may be below 1. */
  cell: number
  plot: { x: number; y: number; width: number; height: number }
  rowLabels: { at: number; text: string; index: number }[]
  columnLabels: { at: number; text: string; index: number }[]
  max: number
  rows: number
  columns: number
}

/** Cells larger than this do not help; smaller than the second, labels would overlap. */
const MAX_CELL = 44
const MIN_LABELLED_CELL = 13
/** Labels take at most this many pixels, and at most this share of the width. */
const LABEL_SPACE = 136
const LABEL_SHARE = 0.36
/** Width of a character of the label's 12 pixel monospace, and the gap between label and cell. */
const CHARACTER = 7.25
const GAP = 12

export function heatScene(matrix: Matrix, options: HeatOptions): HeatScene {
  const { rows, columns } = matrix
  const left = labelSpace(options.rowLabels, options.width)
  const top = labelSpace(options.columnLabels, options.width)
  const cell = Math.min(
    options.maxCell ?? MAX_CELL,
    (options.width - left) / Math.max(1, columns),
    (options.maxHeight - top) / Math.max(1, rows),
  )
  const plot = { x: left, y: top, width: cell * columns, height: cell * rows }
  const every = Math.max(1, Math.ceil(MIN_LABELLED_CELL / cell))
  const labels = (texts: string[], start: number, space: number) =>
    texts.flatMap((text, index) =>
      index % every === 0 ? [{ at: start + (index + 0.5) * cell, text: cut(text, space), index }] : [],
    )
  return {
    width: left + plot.width,
    height: top + plot.height,
    cell,
    plot,
    rowLabels: labels(options.rowLabels, top, left),
    columnLabels: labels(options.columnLabels, left, top),
    max: options.max ?? largest(matrix.values),
    rows,
    columns,
  }
}

/** The cell under a point of the scene, or null. */
export function cellAt(scene: HeatScene, x: number, y: number): { row: number; column: number } | null {
  const column = Math.floor((x - scene.plot.x) / scene.cell)
  const row = Math.floor((y - scene.plot.y) / scene.cell)
  return row >= 0 && row < scene.rows && column >= 0 && column < scene.columns ? { row, column } : null
}

/** One pixel a cell, RGBA; the caller scales it up without smoothing. */
export function heatPixels(
  { rows, columns, values }: Matrix,
  max: number,
  scale: HeatScale = 'magnitude',
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(rows * columns * 4)
  for (let index = 0; index < rows * columns; index++) {
    const share = max > 0 ? values[index]! / max : 0
    const [red, green, blue] = scale === 'magnitude' ? magnitude(share) : share < 0 ? BELOW : ABOVE
    pixels[index * 4] = red
    pixels[index * 4 + 1] = green
    pixels[index * 4 + 2] = blue
    // Of both signs, how far a value is from 0 is how much it covers the page.
    pixels[index * 4 + 3] = scale === 'magnitude' ? 255 : 255 * Math.min(1, Math.abs(share))
  }
  return pixels
}

/** At most `size` rows and columns, each the largest of the cells it stands for: a bright cell is never lost. */
export function maxPool(matrix: Matrix, size: number): Matrix {
  const rows = Math.min(size, matrix.rows)
  const columns = Math.min(size, matrix.columns)
  const values = new Float32Array(rows * columns)
  for (let row = 0; row < matrix.rows; row++) {
    const to = Math.floor((row * rows) / matrix.rows) * columns
    for (let column = 0; column < matrix.columns; column++) {
      const index = to + Math.floor((column * columns) / matrix.columns)
      values[index] = Math.max(values[index]!, matrix.values[row * matrix.columns + column]!)
    }
  }
  return { rows, columns, values }
}

export function largest(values: Float32Array): number {
  let max = 0
  for (const value of values) if (value > max) max = value
  return max
}

/** A label that fits its space: what is left out is marked. */
function cut(text: string, space: number): string {
  const characters = Math.max(2, Math.floor((space - GAP / 2) / CHARACTER))
  return text.length <= characters ? text : `${text.slice(0, characters - 1)}…`
}

function labelSpace(labels: string[], width: number): number {
  const longest = labels.reduce((length, text) => Math.max(length, text.length), 0)
  return Math.round(Math.min(LABEL_SPACE, width * LABEL_SHARE, longest * CHARACTER + GAP))
}
