// The scene of a heat map: a matrix of numbers as square cells, with labels where they can be read, seen through a window
// that zooms and moves. Cells are painted into a canvas once; hit testing is index arithmetic under the zoom, so a map of
// 512 x 512 costs the same as one of 8 x 8.
import { MAGNITUDE_TABLE, MIDDLE, SIGNED_TABLE } from './colours.ts'

export interface Matrix {
  rows: number
  columns: number
  /** Row by row. */
  values: Float32Array
}

export interface Cell {
  row: number
  column: number
}

/** Where the map is seen from: a point p of the whole map is drawn at k p + (x, y), in pixels of the scene. */
export interface View {
  k: number
  x: number
  y: number
}

export const WHOLE: View = { k: 1, x: 0, y: 0 }

/** How values become colours: from 0 up, or both ways from 0. */
export type HeatScale = 'magnitude' | 'signed'

export interface HeatOptions {
  /** Room for the whole map with its labels, in pixels. */
  width: number
  maxHeight: number
  rowLabels: string[]
  columnLabels: string[]
  /** Value at the top of the colour scale; the largest magnitude when absent. */
  max?: number
  /** Largest side of a cell, in pixels. */
  maxCell?: number
  view?: View
}

export interface HeatScene {
  width: number
  height: number
  /** Side of a cell, in pixels; may be below 1. */
  cell: number
  /** The window that cells are seen in. */
  plot: { x: number; y: number; width: number; height: number }
  /** Corner of the first cell; outside of the window where the map is moved. */
  origin: { x: number; y: number }
  rowLabels: Label[]
  columnLabels: Label[]
  max: number
  rows: number
  columns: number
}

export interface Label {
  at: number
  text: string
  index: number
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
  const { k, x, y } = options.view ?? WHOLE
  const left = labelSpace(options.rowLabels, options.width)
  const top = labelSpace(options.columnLabels, options.width)
  const base = Math.min(
    options.maxCell ?? MAX_CELL,
    (options.width - left) / Math.max(1, columns),
    (options.maxHeight - top) / Math.max(1, rows),
  )
  const plot = { x: left, y: top, width: base * columns, height: base * rows }
  const origin = { x: k * plot.x + x, y: k * plot.y + y }
  const cell = base * k
  const every = Math.max(1, Math.ceil(MIN_LABELLED_CELL / cell))
  const labels = (texts: string[], start: number, from: number, length: number, space: number) => {
    const made: Label[] = []
    const first = Math.max(0, Math.ceil(Math.ceil((from - start) / cell - 0.5) / every) * every)
    for (let index = first; index < texts.length; index += every) {
      const at = start + (index + 0.5) * cell
      if (at > from + length) break
      made.push({ at, text: cut(texts[index]!, space), index })
    }
    return made
  }
  return {
    width: left + plot.width,
    height: top + plot.height,
    cell,
    plot,
    origin,
    rowLabels: labels(options.rowLabels, origin.y, plot.y, plot.height, left),
    columnLabels: labels(options.columnLabels, origin.x, plot.x, plot.width, top),
    max: options.max ?? largest(matrix.values),
    rows,
    columns,
  }
}

/** The cell under a point of the scene, or null. */
export function cellAt({ plot, origin, cell, rows, columns }: HeatScene, x: number, y: number): Cell | null {
  if (x < plot.x || x >= plot.x + plot.width || y < plot.y || y >= plot.y + plot.height) return null
  const column = Math.floor((x - origin.x) / cell)
  const row = Math.floor((y - origin.y) / cell)
  return row >= 0 && row < rows && column >= 0 && column < columns ? { row, column } : null
}

/** The cells in the window, row by row. */
export function visibleCells({ plot, origin, cell, rows, columns }: HeatScene): Cell[] {
  const range = (start: number, from: number, length: number, count: number) => {
    const first = Math.max(0, Math.floor((from - start) / cell))
    const end = Math.min(count, Math.ceil((from + length - start) / cell))
    return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i)
  }
  const across = range(origin.x, plot.x, plot.width, columns)
  return range(origin.y, plot.y, plot.height, rows).flatMap((row) =>
    across.map((column) => ({ row, column })),
  )
}

/** The view that has a cell in its window, as near as possible to `view`. */
export function showing({ plot, origin, cell }: HeatScene, view: View, { row, column }: Cell): View {
  const into = (at: number, from: number, length: number) =>
    Math.max(0, from - at) - Math.max(0, at + cell - from - length)
  return {
    k: view.k,
    x: view.x + into(origin.x + column * cell, plot.x, plot.width),
    y: view.y + into(origin.y + row * cell, plot.y, plot.height),
  }
}

/** One pixel a cell, RGBA; the caller scales it up without smoothing. */
export function heatPixels(
  { rows, columns, values }: Matrix,
  max: number,
  scale: HeatScale = 'magnitude',
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint32Array(rows * columns)
  paint(pixels, values, 0, rows * columns, max, scale)
  return new Uint8ClampedArray(pixels.buffer)
}

/** Colours of values [from, from + count) into pixels from 0 on. */
export function paint(
  pixels: Uint32Array,
  values: Float32Array,
  from: number,
  count: number,
  max: number,
  scale: HeatScale,
): void {
  const [table, zero, steps] =
    scale === 'signed' ? [SIGNED_TABLE, MIDDLE, MIDDLE - 1] : [MAGNITUDE_TABLE, 0, 255]
  const low = scale === 'signed' ? 1 : 0
  const factor = max > 0 ? steps / max : 0
  for (let at = 0; at < count; at++) {
    const index = zero + Math.round(values[from + at]! * factor)
    pixels[at] = table[index < low ? low : index > 255 ? 255 : index]!
  }
}

/** At most `size` rows and columns, each the cell of largest magnitude among those it stands for: none is lost. */
export function maxPool(matrix: Matrix, size: number): Matrix {
  const rows = Math.min(size, matrix.rows)
  const columns = Math.min(size, matrix.columns)
  const values = new Float32Array(rows * columns)
  const row = bins(matrix.rows, rows)
  poolInto(values, 0, columns, matrix.values, 0, row, bins(matrix.columns, columns))
  return { rows, columns, values }
}

/** Which of `to` bins each of `count` places falls into; places that are hidden fall into none (-1). */
export function bins(count: number, to: number, hidden?: ArrayLike<number>): Int32Array {
  const shown = hidden ? count - Array.from(hidden).filter(Boolean).length : count
  let at = 0
  return Int32Array.from({ length: count }, (_, place) =>
    hidden?.[place] ? -1 : Math.floor((at++ * to) / shown),
  )
}

/** Largest magnitudes of a matrix that begins at `from` in `values`, into `out` from `to` on, `width` numbers a row. */
export function poolInto(
  out: Float32Array,
  to: number,
  width: number,
  values: Float32Array,
  from: number,
  rowBins: Int32Array,
  columnBins: Int32Array,
): void {
  const columns = columnBins.length
  for (let row = 0; row < rowBins.length; row++) {
    if (rowBins[row]! < 0) continue
    const begin = to + rowBins[row]! * width
    const source = from + row * columns
    for (let column = 0; column < columns; column++) {
      const value = values[source + column]!
      if (value === 0 || columnBins[column]! < 0) continue
      const at = begin + columnBins[column]!
      const best = out[at]!
      if ((value < 0 ? -value : value) > (best < 0 ? -best : best)) out[at] = value
    }
  }
}

/** The largest magnitude. */
export function largest(values: Float32Array): number {
  let max = 0
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!
    if (value > max) max = value
    else if (-value > max) max = -value
  }
  return max
}

/** Values that are looked at to find a top: more change it little. */
const SAMPLE = 4096

/**
 * The magnitude that a share of the values that are not 0 exceed: the top of a colour scale that a few large cells, such as
 * the first rows of a causal map, do not leave dark. Of few values it is the largest. Long maps are sampled at even steps.
 */
export function brightest(values: Float32Array, share: number): number {
  // Odd, and of no common measure with most widths: it does not stay in one column.
  const step = Math.max(1, Math.floor(values.length / SAMPLE / 2) * 2 + 1)
  const found: number[] = []
  for (let at = 0; at < values.length; at += step) if (values[at] !== 0) found.push(Math.abs(values[at]!))
  const above = Math.floor(found.length * share)
  if (above === 0) return largest(values)
  return Float32Array.from(found).sort()[found.length - 1 - above]!
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
