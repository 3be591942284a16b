// A figure as an SVG 1.1 file that browsers, Inkscape and Illustrator open alike: text stays text with the names of its
// fonts, colours are plain sRGB, no style sheet, no foreignObject. What made it is in <title>, <desc> and <metadata>.
import { hexOf, type Colour } from '../colourSpace.ts'
import type { FigureInfo } from './about.ts'
import { describeFigure } from './about.ts'
import {
  isGradient,
  type Box,
  type Figure,
  type Fill,
  type Gradient,
  type Mark,
  type Matrix,
  type Stroke,
} from './marks.ts'

type Attributes = Record<string, string | number | undefined>

/** The document, with its XML declaration. */
export function toSvg(figure: Figure, info: FigureInfo): string {
  const definitions = new Definitions()
  const marks = figure.marks.map((mark) => `  ${draw(mark, definitions)}`)
  const { width, height } = figure
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    open('svg', {
      xmlns: 'http://www.w3.org/2000/svg',
      'xmlns:xlink': 'http://www.w3.org/1999/xlink',
      version: '1.1',
      width: n(width),
      height: n(height),
      viewBox: `0 0 ${n(width)} ${n(height)}`,
      role: 'img',
    }),
    `  <title>${escape(info.title)}</title>`,
    `  <desc>${escape(describeFigure(info))}</desc>`,
    '  <metadata>',
    `    <figure xmlns="urn:graft:figure">${escape(JSON.stringify(info))}</figure>`,
    '  </metadata>',
    ...definitions.lines(),
    `  ${element('rect', { width: n(width), height: n(height), ...paint('fill', figure.background) })}`,
    ...marks,
    '</svg>',
    '',
  ].join('\n')
}

/** Clips and gradients, each once. */
class Definitions {
  #ids = new Map<string, string>()

  #id(prefix: string, content: (id: string) => string): string {
    const key = content('')
    const known = this.#ids.get(key)
    if (known !== undefined) return /id="([^"]*)"/.exec(known)![1]!
    const id = `${prefix}${this.#ids.size + 1}`
    this.#ids.set(key, content(id))
    return id
  }
  clip({ x, y, width, height }: Box): string {
    const rect = element('rect', { x: n(x), y: n(y), width: n(width), height: n(height) })
    return `url(#${this.#id('clip', (id) => `<clipPath id="${id}">${rect}</clipPath>`)})`
  }
  gradient({ from, to, stops }: Gradient): string {
    const body = stops
      .map(({ at, colour }) =>
        element('stop', { offset: n(at), 'stop-color': hexOf(colour.rgb), 'stop-opacity': n(colour.alpha) }),
      )
      .join('')
    const line = { x1: n(from[0]), y1: n(from[1]), x2: n(to[0]), y2: n(to[1]) }
    return `url(#${this.#id('scale', (id) => `${open('linearGradient', { id, ...line })}${body}</linearGradient>`)})`
  }
  lines(): string[] {
    return this.#ids.size === 0
      ? []
      : ['  <defs>', ...[...this.#ids.values()].map((line) => `    ${line}`), '  </defs>']
  }
}

function draw(mark: Mark, definitions: Definitions): string {
  // A clip is in the figure's coordinates, so it goes around whatever has a matrix.
  if (mark.clip && 'matrix' in mark && mark.matrix) {
    const { clip, ...rest } = mark
    return `${open('g', { 'clip-path': definitions.clip(clip) })}${draw(rest, definitions)}</g>`
  }
  const clip = { 'clip-path': mark.clip && definitions.clip(mark.clip) }
  switch (mark.kind) {
    case 'box':
      return element('rect', {
        x: n(mark.x),
        y: n(mark.y),
        width: n(mark.width),
        height: n(mark.height),
        rx: mark.radius ? n(mark.radius) : undefined,
        ...fillOf(mark.fill, definitions),
        ...strokeOf(mark.stroke),
        ...clip,
      })
    case 'path':
      return element('path', {
        d: mark.d,
        transform: transform(mark.matrix),
        ...fillOf(mark.fill, definitions),
        ...strokeOf(mark.stroke),
        ...clip,
      })
    case 'image':
      return element('image', {
        x: n(mark.x),
        y: n(mark.y),
        width: n(mark.width),
        height: n(mark.height),
        preserveAspectRatio: 'none',
        style: mark.pixelated ? 'image-rendering:pixelated' : undefined,
        'xlink:href': mark.href,
        ...clip,
      })
    case 'text': {
      const { font } = mark
      const attributes = {
        x: n(mark.x),
        y: n(mark.y),
        'text-anchor': mark.anchor === 'start' ? undefined : mark.anchor,
        'font-family': portable(font.family),
        'font-size': n(font.size),
        'font-weight': font.weight === '400' || font.weight === 'normal' ? undefined : font.weight,
        'font-style': font.style === 'normal' ? undefined : font.style,
        style: font.tabular ? 'font-variant-numeric:tabular-nums' : undefined,
        'xml:space': /^\s|\s$|\s\s/.test(mark.text) ? 'preserve' : undefined,
        transform: transform(mark.matrix),
        ...paint('fill', mark.fill),
        ...clip,
      }
      return `${open('text', attributes)}${escape(mark.text)}</text>`
    }
    default:
      return mark satisfies never
  }
}

/** The page's own names of fonts as other programs know them. */
function portable(family: string): string {
  return family.replaceAll('"', "'").replace(/'Inter Variable'/g, "Inter, 'Inter Variable'")
}

function fillOf(fill: Fill | undefined, definitions: Definitions): Attributes {
  if (!fill) return { fill: 'none' }
  return isGradient(fill) ? { fill: definitions.gradient(fill) } : paint('fill', fill)
}
function strokeOf(stroke: Stroke | undefined): Attributes {
  if (!stroke) return {}
  return {
    ...paint('stroke', stroke.colour),
    'stroke-width': n(stroke.width),
    'stroke-dasharray': stroke.dash?.length ? stroke.dash.map((length) => n(length)).join(' ') : undefined,
    'stroke-linecap': stroke.cap === 'butt' ? undefined : stroke.cap,
    'stroke-linejoin': stroke.join === 'miter' ? undefined : stroke.join,
  }
}
function paint(name: 'fill' | 'stroke', { rgb, alpha }: Colour): Attributes {
  return { [name]: hexOf(rgb), [`${name}-opacity`]: alpha < 1 ? n(alpha) : undefined }
}
function transform(matrix: Matrix | undefined): string | undefined {
  return matrix && `matrix(${matrix.map((value) => n(value, 5)).join(' ')})`
}

function open(name: string, attributes: Attributes): string {
  const written = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escape(String(value))}"`],
  )
  return `<${name}${written.join('')}>`
}
function element(name: string, attributes: Attributes): string {
  return open(name, attributes).replace(/>$/, '/>')
}

/** At most this many digits after the point: hundredths of a pixel are enough. */
function n(value: number, digits = 2): number {
  return Number.isFinite(value) ? Number(value.toFixed(digits)) : 0
}

/** Text for XML 1.0; characters that it cannot hold become U+FFFD. */
export function escape(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
