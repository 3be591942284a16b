// Attention weights [L, H, T, T] as matrices to draw: one head, the mean of a layer's heads, of all layers, or of all; and
// all of them as thumbnails. What goes through every cell is a generator, done in slices (slices.ts).
import { bins, brightest, poolInto, type Matrix } from './heatmap.ts'

/** A layer and a head, each a number from 0 or the mean over all. */
export interface HeadChoice {
  layer: number | 'mean'
  head: number | 'mean'
}

export const MEAN: HeadChoice = { layer: 'mean', head: 'mean' }

/** Whether a model has the place. */
export function fitsIn({ layer, head }: HeadChoice, maps: { layers: number; heads: number }): boolean {
  return (layer === 'mean' || layer < maps.layers) && (head === 'mean' || head < maps.heads)
}

/** Maps of one text, or differences of two: weights [L, H, T, T]. */
export interface Maps {
  layers: number
  heads: number
  tokens: string[]
  weights: Float32Array
}

/** Maps with their means: of each layer's heads [L], of each head over the layers [H], and of all. */
export interface MeanMaps extends Maps {
  /** [L + H + 1, T, T] */
  means: Float32Array
}

/** Adds up the means; each step is a map. */
export function* withMeans(maps: Maps): Generator<void, MeanMaps> {
  const { layers, heads, weights } = maps
  const cells = maps.tokens.length ** 2
  const means = new Float32Array((layers + heads + 1) * cells)
  const all = (layers + heads) * cells
  for (let layer = 0; layer < layers; layer++)
    for (let head = 0; head < heads; head++) {
      const start = (layer * heads + head) * cells
      const [ofLayer, ofHead] = [layer * cells, (layers + head) * cells]
      for (let at = 0; at < cells; at++) {
        const value = weights[start + at]!
        means[ofLayer + at]! += value / heads
        means[ofHead + at]! += value / layers
      }
      yield
    }
  for (let layer = 0; layer < layers; layer++) {
    for (let at = 0; at < cells; at++) means[all + at]! += means[layer * cells + at]! / layers
    yield
  }
  return { ...maps, means }
}

/** The [T, T] matrix of a choice: a view into what is there. */
export function attentionMatrix(maps: MeanMaps, choice: HeadChoice): Matrix {
  const size = maps.tokens.length
  const { values, from } = placeOf(maps, choice)
  return { rows: size, columns: size, values: values.subarray(from, from + size * size) }
}

function placeOf({ weights, means, layers, heads, tokens }: MeanMaps, { layer, head }: HeadChoice) {
  const cells = tokens.length ** 2
  if (layer !== 'mean' && head !== 'mean') return { values: weights, from: (layer * heads + head) * cells }
  const at = layer !== 'mean' ? layer : head !== 'mean' ? layers + head : layers + heads
  return { values: means, from: at * cells }
}

/** The matrix without the rows and columns that are hidden, and the tokens that its rows and columns stand for. */
export function withoutHidden(matrix: Matrix, hidden: ArrayLike<number> | null): Matrix & { kept: number[] } {
  const kept = Array.from({ length: matrix.rows }, (_, index) => index).filter((index) => !hidden?.[index])
  if (kept.length === matrix.rows) return { ...matrix, kept }
  const values = new Float32Array(kept.length ** 2)
  let at = 0
  for (const row of kept)
    for (const column of kept) values[at++] = matrix.values[row * matrix.columns + column]!
  return { rows: kept.length, columns: kept.length, values, kept }
}

/** Side of a thumbnail at most. */
export const THUMBNAIL = 64

/** Share of the cells that may be beyond the brightest colour, of a map and of a thumbnail. */
export const BRIGHT = 0.005
const BRIGHT_OF_THUMBNAIL = 0.02

export interface Thumbnails {
  /** Side in cells. */
  size: number
  /** Rows of the grid: the mean over the layers, then each layer; columns: the mean over the heads, then each head. */
  rows: number
  columns: number
  /** [rows, columns, size, size]: of the cells that each stands for, the one of largest magnitude. */
  values: Float32Array
  /** [rows, columns]: the magnitude that each is brightest at. */
  tops: Float32Array
}

/** Every choice as a thumbnail; each step is one of them. */
export function* thumbnails(
  maps: MeanMaps,
  hidden: ArrayLike<number> | null = null,
): Generator<void, Thumbnails> {
  const { layers, heads, tokens } = maps
  const shown = hidden ? Array.from(hidden).filter((each) => !each).length : tokens.length
  const size = Math.min(THUMBNAIL, shown)
  const places = bins(tokens.length, size, hidden ?? undefined)
  const [rows, columns, cells] = [layers + 1, heads + 1, size * size]
  const values = new Float32Array(rows * columns * cells)
  const tops = new Float32Array(rows * columns)
  for (let at = 0; at < rows * columns; at++) {
    const choice = choiceAt(at, columns)
    const { values: source, from } = placeOf(maps, choice)
    poolInto(values, at * cells, size, source, from, places, places)
    tops[at] = brightest(values.subarray(at * cells, (at + 1) * cells), BRIGHT_OF_THUMBNAIL)
    yield
  }
  return { size, rows, columns, values, tops }
}

/** The choice at a place of the grid, whose first row and column are means. */
export function choiceAt(at: number, columns: number): HeadChoice {
  const [row, column] = [Math.floor(at / columns), at % columns]
  return { layer: row === 0 ? 'mean' : row - 1, head: column === 0 ? 'mean' : column - 1 }
}

export function choiceName({ layer, head }: HeadChoice): string {
  if (layer === 'mean' && head === 'mean') return 'Mean of all layers and heads'
  if (layer === 'mean') return `Head ${Number(head) + 1}, mean of all layers`
  if (head === 'mean') return `Layer ${layer + 1}, mean of its heads`
  return `Layer ${layer + 1}, head ${head + 1}`
}

export function sameChoice(a: HeadChoice, b: HeadChoice): boolean {
  return a.layer === b.layer && a.head === b.head
}

/** "3.0" for layer 3 (from 0), head 0; "mean" stands for means. Null for anything else. */
export function parseChoice(text: string | undefined): HeadChoice | null {
  const found = /^(mean|\d{1,3})\.(mean|\d{1,3})$/.exec(text ?? '')
  if (!found) return null
  const part = (name: string) => (name === 'mean' ? 'mean' : Number(name))
  return { layer: part(found[1]!), head: part(found[2]!) }
}
