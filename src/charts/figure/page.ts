// Reads a drawing from the page: boxes, text line by line, canvases and inline SVG become marks. It reads what the browser
// laid out, so every chart is exported as it stands, without a second way to draw it. Not read: form fields, pseudo
// elements, filters, and HTML that is rotated.
import { parseColour, type Colour } from '../colourSpace.ts'
import { parseGradient } from './gradient.ts'
import { inside, intersection, type Box, type Figure, type Font, type Mark, type Stroke } from './marks.ts'
import { readSvg } from './pageSvg.ts'
import { textRuns } from './pageText.ts'

/** What reading hands down from an element to those inside it. */
export interface Reading {
  marks: Mark[]
  /** The figure's corner on the screen. */
  left: number
  top: number
  clip: Box | null
  alpha: number
}

/** Everything drawn inside an element, with its background. */
export function readFigure(root: HTMLElement): Figure {
  const { left, top, width, height } = root.getBoundingClientRect()
  const reading: Reading = { marks: [], left, top, clip: null, alpha: 1 }
  for (const child of root.childNodes) read(child, reading)
  return {
    width: Math.ceil(width),
    height: Math.ceil(height),
    background: backgroundOf(root),
    marks: reading.marks,
  }
}

function read(node: Node, reading: Reading): void {
  if (node instanceof Text) return addTexts(node, reading)
  if (!(node instanceof HTMLElement || node instanceof SVGElement)) return
  const style = getComputedStyle(node)
  const alpha = reading.alpha * Number(style.opacity)
  if (style.display === 'none' || alpha === 0 || /^(INPUT|SELECT|TEXTAREA|SCRIPT|STYLE)$/.test(node.tagName))
    return
  const inner = { ...reading, alpha }
  const boxes = /^inline( |$)/.test(style.display)
    ? [...node.getClientRects()]
    : style.display === 'contents'
      ? []
      : [node.getBoundingClientRect()]
  if (style.visibility !== 'hidden') for (const box of boxes) addBox(boxIn(box, reading), style, inner)
  if (node instanceof SVGSVGElement) return readSvg(node, inner)
  if (node instanceof HTMLCanvasElement) return addCanvas(node, style, inner)
  if (style.overflowX !== 'visible' && boxes[0]) {
    const room = boxIn(boxes[0], reading)
    const clip = inner.clip ? intersection(inner.clip, room) : room
    if (!clip) return
    inner.clip = clip
  }
  for (const child of node.childNodes) read(child, inner)
}

export function boxIn({ left, top, width, height }: DOMRect, from: Pick<Reading, 'left' | 'top'>): Box {
  return { x: left - from.left, y: top - from.top, width, height }
}

/** Adds a mark that covers `box`, clipped where it must be; one that is wholly outside is left out. */
export function addMark(mark: Mark, box: Box, { marks, clip }: Reading): void {
  if (!clip || inside(box, clip)) marks.push(mark)
  else if (intersection(box, clip)) marks.push({ ...mark, clip })
}

/** A computed colour with the opacity around it, or null where nothing is seen. */
export function seen(css: string, alpha: number): Colour | null {
  const colour = parseColour(css)
  return colour && colour.alpha * alpha > 0.002 ? { rgb: colour.rgb, alpha: colour.alpha * alpha } : null
}

export function fontOf(style: CSSStyleDeclaration): Font {
  return {
    family: style.fontFamily,
    size: parseFloat(style.fontSize),
    weight: style.fontWeight,
    style: style.fontStyle,
    tabular: style.fontVariantNumeric.includes('tabular-nums'),
  }
}

function addBox(box: Box, style: CSSStyleDeclaration, reading: Reading): void {
  if (box.width <= 0 || box.height <= 0) return
  const { alpha } = reading
  const radius = Math.min(parseFloat(style.borderTopLeftRadius) || 0, box.width / 2, box.height / 2)
  const background = seen(style.backgroundColor, alpha)
  const gradient = parseGradient(style.backgroundImage)
  // Rings around the box lie under it.
  const ring = /^(.+\)|#\w+) 0px 0px 0px ([\d.]+)px$/.exec(style.boxShadow)
  if (ring) frame(box, radius, seen(ring[1]!, alpha), Number(ring[2]), Number(ring[2]), reading)
  if (background) addMark({ kind: 'box', ...box, radius, fill: background }, box, reading)
  if (gradient) {
    const stops = gradient.stops.map(({ at, colour }) => ({
      at,
      colour: { rgb: colour.rgb, alpha: colour.alpha * alpha },
    }))
    addMark({ kind: 'box', ...box, radius, fill: { ...gradient, stops } }, box, reading)
  }
  addBorders(box, radius, style, reading)
  const outline = style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth)
  if (outline > 0) {
    const offset = parseFloat(style.outlineOffset) + outline
    frame(box, radius, seen(style.outlineColor, alpha), outline, offset, reading)
  }
}

/** A line of `width` around a box, its outer edge `out` pixels outside. */
function frame(
  box: Box,
  radius: number,
  colour: Colour | null,
  width: number,
  out: number,
  reading: Reading,
) {
  if (!colour) return
  const by = out - width / 2
  const { x, y, width: w, height: h } = box
  const placed = { x: x - by, y: y - by, width: w + 2 * by, height: h + 2 * by }
  const stroke: Stroke = { colour, width }
  addMark(
    { kind: 'box', ...placed, radius: radius > 0 ? Math.max(0, radius + by) : 0, stroke },
    placed,
    reading,
  )
}

const EDGES = ['Top', 'Right', 'Bottom', 'Left'] as const

function addBorders(box: Box, radius: number, style: CSSStyleDeclaration, reading: Reading): void {
  const edges = EDGES.map((side) => ({
    width: style[`border${side}Style`] === 'none' ? 0 : parseFloat(style[`border${side}Width`]),
    colour: seen(style[`border${side}Color`], reading.alpha),
    dash: style[`border${side}Style`] === 'dashed',
  }))
  const [first] = edges as [(typeof edges)[0]]
  if (first.width > 0 && new Set(edges.map((edge) => JSON.stringify(edge))).size === 1)
    return frame(box, radius, first.colour, first.width, 0, reading)
  const { x, y, width, height } = box
  edges.forEach(({ width: thick, colour }, side) => {
    if (thick === 0 || !colour) return
    const line = [
      { x, y, width, height: thick },
      { x: x + width - thick, y, width: thick, height },
      { x, y: y + height - thick, width, height: thick },
      { x, y, width: thick, height },
    ][side]!
    addMark({ kind: 'box', ...line, radius: 0, fill: colour }, line, reading)
  })
}

function addTexts(node: Text, reading: Reading): void {
  const parent = node.parentElement
  if (!parent) return
  const style = getComputedStyle(parent)
  const fill = seen(style.color, reading.alpha)
  if (!fill || style.visibility === 'hidden') return
  const font = fontOf(style)
  for (const { text, box, baseline, anchor } of textRuns(node, parent, style, font)) {
    const placed = boxIn(box, reading)
    const x = placed.x + (anchor === 'end' ? placed.width : anchor === 'middle' ? placed.width / 2 : 0)
    addMark({ kind: 'text', text, x, y: baseline - reading.top, anchor, font, fill }, placed, reading)
  }
}

/** A cell smaller than this many pixels of the file would be smeared by programs that smooth pictures. */
const CELL = 4
/** Longest side of a picture inside a figure. */
const LARGEST = 4096

function addCanvas(canvas: HTMLCanvasElement, style: CSSStyleDeclaration, reading: Reading): void {
  const box = boxIn(canvas.getBoundingClientRect(), reading)
  if (canvas.width === 0 || canvas.height === 0 || box.width <= 0 || box.height <= 0) return
  const pixelated = style.imageRendering === 'pixelated' || style.imageRendering === 'crisp-edges'
  const source = pixelated ? enlarged(canvas) : canvas
  addMark({ kind: 'image', ...box, href: source.toDataURL('image/png'), source, pixelated }, box, reading)
}

/** The same cells, each several pixels wide. */
function enlarged(canvas: HTMLCanvasElement): HTMLCanvasElement {
  const times = Math.max(1, Math.min(CELL, Math.floor(LARGEST / Math.max(canvas.width, canvas.height))))
  const copy = document.createElement('canvas')
  copy.width = canvas.width * times
  copy.height = canvas.height * times
  const context = copy.getContext('2d')
  if (!context) return canvas
  context.imageSmoothingEnabled = false
  context.drawImage(canvas, 0, 0, copy.width, copy.height)
  return copy
}

/** The colour behind an element: its own, or of what it stands on. */
function backgroundOf(element: HTMLElement): Colour {
  for (let at: HTMLElement | null = element; at; at = at.parentElement) {
    const colour = parseColour(getComputedStyle(at).backgroundColor)
    if (colour && colour.alpha === 1) return colour
  }
  return { rgb: [255, 255, 255], alpha: 1 }
}
