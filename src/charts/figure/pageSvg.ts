// Reads inline SVG with its computed styles: shapes become paths, each with the matrix that brings it to its place.
import { addMark, boxIn, fontOf, seen, type Reading } from './page.ts'
import { intersection, type Matrix, type Stroke, type TextMark } from './marks.ts'
import { shapePath } from './shapes.ts'

/** Everything inside an svg element; nested ones clip what they hold. */
export function readSvg(svg: SVGSVGElement, reading: Reading): void {
  const clip = intersection(reading.clip ?? boxOf(svg, reading), boxOf(svg, reading))
  if (!clip) return
  for (const child of svg.children) readElement(child, { ...reading, clip })
}

/** The viewport of an svg element in the figure. */
function boxOf(svg: SVGSVGElement, reading: Reading) {
  const outer = svg.parentElement instanceof SVGElement ? svg.parentElement : null
  const matrix = outer instanceof SVGGraphicsElement ? outer.getScreenCTM() : null
  if (!matrix) return boxIn(svg.getBoundingClientRect(), reading)
  const [x, y, width, height] = [svg.x, svg.y, svg.width, svg.height].map((length) => length.baseVal.value)
  const from = new DOMPoint(x, y).matrixTransform(matrix)
  const to = new DOMPoint(x! + width!, y! + height!).matrixTransform(matrix)
  return boxIn(new DOMRect(from.x, from.y, to.x - from.x, to.y - from.y), reading)
}

function readElement(element: Element, reading: Reading): void {
  if (!(element instanceof SVGGraphicsElement)) return
  const style = getComputedStyle(element)
  const alpha = reading.alpha * Number(style.opacity)
  if (style.display === 'none' || alpha === 0 || element instanceof SVGDefsElement) return
  const inner = { ...reading, alpha }
  if (element instanceof SVGSVGElement) return readSvg(element, inner)
  if (element instanceof SVGForeignObjectElement) return
  if (element instanceof SVGTextContentElement) return readText(element, style, inner)
  if (element instanceof SVGGElement || element instanceof SVGAElement) {
    for (const child of element.children) readElement(child, inner)
    return
  }
  const d =
    style.visibility === 'hidden'
      ? null
      : shapePath(element.tagName, (name) => lengthOf(element, style, name))
  const ctm = element.getScreenCTM()
  if (!d || !ctm) return
  const fill = seen(style.fill, alpha * Number(style.fillOpacity))
  const stroke = strokeOf(style, alpha)
  if (!fill && !stroke) return
  const shape = {
    kind: 'path',
    d,
    matrix: matrixIn(ctm, reading),
    ...(fill && { fill }),
    ...(stroke && { stroke }),
  } as const
  addMark(shape, boxIn(element.getBoundingClientRect(), reading), inner)
}

/** An attribute or a geometry property as a number or text. */
function lengthOf(element: SVGGraphicsElement, style: CSSStyleDeclaration, name: string): string {
  const value = (element as unknown as Record<string, unknown>)[name]
  if (value instanceof SVGAnimatedLength) return String(value.baseVal.value)
  return element.getAttribute(name) ?? style.getPropertyValue(name)
}

function strokeOf(style: CSSStyleDeclaration, alpha: number): Stroke | null {
  const colour = seen(style.stroke, alpha * Number(style.strokeOpacity))
  const width = parseFloat(style.strokeWidth)
  if (!colour || !(width > 0)) return null
  const dash = style.strokeDasharray === 'none' ? [] : style.strokeDasharray.split(/[ ,]+/).map(parseFloat)
  return {
    colour,
    width,
    ...(dash.length > 0 && { dash }),
    cap: style.strokeLinecap as 'butt',
    join: style.strokeLinejoin as 'miter',
  }
}

function readText(element: SVGTextContentElement, style: CSSStyleDeclaration, reading: Reading): void {
  const spans = [...element.children].filter((child) => child instanceof SVGTSpanElement)
  if (spans.length > 0) {
    for (const span of spans) readElement(span, reading)
    return
  }
  const text = (element.textContent ?? '').replace(/\s+/g, ' ').trim()
  const fill = seen(style.fill, reading.alpha * Number(style.fillOpacity))
  const count = element.getNumberOfChars()
  const ctm = element.getScreenCTM()
  if (!text || !fill || count === 0 || !ctm || style.visibility === 'hidden') return
  const start = element.getStartPositionOfChar(0)
  const end = element.getEndPositionOfChar(count - 1)
  const anchor = style.textAnchor as TextMark['anchor']
  const x = anchor === 'end' ? end.x : anchor === 'middle' ? (start.x + end.x) / 2 : start.x
  const [a, b, c, d, e, f] = matrixIn(ctm, reading)
  // Without a turn the place is enough, and stays easy to edit.
  const straight = a === 1 && b === 0 && c === 0 && d === 1
  addMark(
    {
      kind: 'text',
      text,
      anchor,
      font: fontOf(style),
      fill,
      ...(straight ? { x: x + e, y: start.y + f } : { x, y: start.y, matrix: [a, b, c, d, e, f] }),
    },
    boxIn(element.getBoundingClientRect(), reading),
    reading,
  )
}

function matrixIn({ a, b, c, d, e, f }: DOMMatrix, { left, top }: Reading): Matrix {
  return [a, b, c, d, e - left, f - top]
}
