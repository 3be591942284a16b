// A figure as a list of marks in drawing order: what is read from the page, and what becomes an SVG file or a picture.
import type { Colour } from '../colourSpace.ts'

/** In the figure's pixels, from its upper left corner. */
export interface Box {
  x: number
  y: number
  width: number
  height: number
}
/** a b c d e f of SVG's matrix(); what a mark's own coordinates go through. */
export type Matrix = readonly [number, number, number, number, number, number]

/** Along a line from one point to another, in shares of the box: stops have a place from 0 to 1. */
export interface Gradient {
  from: readonly [number, number]
  to: readonly [number, number]
  stops: { at: number; colour: Colour }[]
}
export type Fill = Colour | Gradient

export interface Stroke {
  colour: Colour
  width: number
  dash?: number[]
  cap?: 'butt' | 'round' | 'square'
  join?: 'miter' | 'round' | 'bevel'
}

export interface Font {
  /** A CSS list of families. */
  family: string
  /** Pixels. */
  size: number
  weight: string
  style: string
  /** All digits as wide. */
  tabular: boolean
}

interface Common {
  /** What is outside is not drawn. */
  clip?: Box
}
export interface BoxMark extends Common, Box {
  kind: 'box'
  radius: number
  fill?: Fill
  stroke?: Stroke
}
export interface PathMark extends Common {
  kind: 'path'
  /** SVG path data. */
  d: string
  matrix?: Matrix
  fill?: Colour
  stroke?: Stroke
}
export interface TextMark extends Common {
  kind: 'text'
  text: string
  /** Of the baseline, at the side that `anchor` names. */
  x: number
  y: number
  anchor: 'start' | 'middle' | 'end'
  font: Font
  fill: Colour
  matrix?: Matrix
}
export interface ImageMark extends Common, Box {
  kind: 'image'
  /** A data: URL. */
  href: string
  /** The same, for painting. */
  source?: CanvasImageSource
  /** Its pixels are cells: they stay squares. */
  pixelated: boolean
}
export type Mark = BoxMark | PathMark | TextMark | ImageMark

export interface Figure {
  width: number
  height: number
  background: Colour
  marks: Mark[]
}

export const isGradient = (fill: Fill): fill is Gradient => 'stops' in fill

/** The part that both have, or null. */
export function intersection(one: Box, other: Box): Box | null {
  const x = Math.max(one.x, other.x)
  const y = Math.max(one.y, other.y)
  const width = Math.min(one.x + one.width, other.x + other.width) - x
  const height = Math.min(one.y + one.height, other.y + other.height) - y
  return width > 0 && height > 0 ? { x, y, width, height } : null
}

/** Whether a box lies in another, rounding of layout aside. */
export function inside(box: Box, room: Box, slack = 1): boolean {
  return (
    box.x >= room.x - slack &&
    box.y >= room.y - slack &&
    box.x + box.width <= room.x + room.width + slack &&
    box.y + box.height <= room.y + room.height + slack
  )
}
