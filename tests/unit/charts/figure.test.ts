// Files of figures, as far as no page is needed: SVG from marks, gradients as plain stops, text inside PNG, JSON and words.
import { crc32, deflateSync, inflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { hexOf, parseColour } from '../../../src/charts/colourSpace.ts'
import {
  captionOf,
  describeFigure,
  figureInfo,
  toFigureCsv,
  toFigureJson,
  type FigureContext,
  type FigureFile,
} from '../../../src/charts/figure/about.ts'
import { moved, wrapped } from '../../../src/charts/figure/files.ts'
import { mix, parseGradient } from '../../../src/charts/figure/gradient.ts'
import type { Figure, Font } from '../../../src/charts/figure/marks.ts'
import { inside, intersection } from '../../../src/charts/figure/marks.ts'
import { crc, textsOf, withTexts } from '../../../src/charts/figure/png.ts'
import { shapePath } from '../../../src/charts/figure/shapes.ts'
import { escape, toSvg } from '../../../src/charts/figure/svg.ts'

const MADE = new Date('2026-01-02T03:04:05Z')
const info = figureInfo(
  {
    title: 'Gradient × input for “a < b” & more',
    note: 'logit 2',
    about: { method: 'LIME', seed: 7, samples: 500, curve: Float32Array.of(0.5, NaN) },
  },
  {
    model: { id: 'graft-7m', name: 'Graft-7M', hash: undefined },
    run: { id: 'run-1', name: 'support' },
    strength: 0.5,
    text: '</metadata> "it\'s" \u0007 🙂',
  },
  '1.2.3',
  MADE,
)
const font: Font = {
  family: '"Inter Variable", system-ui',
  size: 12,
  weight: '600',
  style: 'normal',
  tabular: true,
}
const black = { rgb: [0, 0, 0], alpha: 1 } as const
const figure: Figure = {
  width: 200,
  height: 100,
  background: { rgb: [255, 255, 255], alpha: 1 },
  marks: [
    { kind: 'box', x: 1, y: 2, width: 30, height: 4, radius: 2, fill: { rgb: [10, 20, 30], alpha: 0.25 } },
    {
      kind: 'box',
      x: 0,
      y: 0,
      width: 10,
      height: 10,
      radius: 0,
      fill: parseGradient('linear-gradient(to right, rgb(255, 0, 0), rgba(0, 0, 0, 0))')!,
      clip: { x: 0, y: 0, width: 5, height: 5 },
    },
    {
      kind: 'path',
      d: 'M0 0L1 1',
      matrix: [1, 0, 0, 1, 5, 6],
      stroke: { colour: black, width: 2, dash: [1, 2] },
    },
    { kind: 'text', text: ' a <b> & "c"', x: 3, y: 20.123456, anchor: 'end', font, fill: black },
    {
      kind: 'text',
      text: 'turned',
      x: 0,
      y: 0,
      anchor: 'start',
      font,
      fill: black,
      matrix: [0, -1, 1, 0, 9, 9],
      clip: { x: 0, y: 0, width: 50, height: 50 },
    },
    { kind: 'image', x: 0, y: 0, width: 8, height: 8, href: 'data:image/png;base64,AA==', pixelated: true },
  ],
}

describe('what is said about a figure', () => {
  it('puts method and seed beside model and text, other settings together, and drops what is not known', () => {
    expect(info).toEqual({
      format: 'graft-figure',
      version: 1,
      graft: '1.2.3',
      title: 'Gradient × input for “a < b” & more',
      note: 'logit 2',
      made: '2026-01-02T03:04:05.000Z',
      model: { id: 'graft-7m', name: 'Graft-7M' },
      run: { id: 'run-1', name: 'support' },
      strength: 0.5,
      text: '</metadata> "it\'s" \u0007 🙂',
      method: 'LIME',
      seed: 7,
      settings: { samples: 500, curve: [0.5, null] },
    })
    expect(captionOf(info)).toBe('support on Graft-7M · strength 0.5 · LIME · seed 7 · Graft')
    expect(describeFigure(info).split('\n')).toEqual(
      expect.arrayContaining(['seed: 7', 'model: id graft-7m, name Graft-7M', 'samples: 500']),
    )
  })

  it('says in its caption what tells it apart from others, once', () => {
    const caption = (about: object, title = 'Saliency') =>
      captionOf(figureInfo({ title, about: { method: 'LIME' } }, about as FigureContext, '1', MADE))
    const model = { name: 'Graft-7M' }
    expect(caption({ model, strength: 1 })).toBe('Graft-7M · LIME · Graft')
    expect(caption({ model }, 'LIME of words')).toBe('Graft-7M · Graft')
    expect(caption({ model, run: { name: 'rows on Graft-7M' } })).toBe('rows on Graft-7M · LIME · Graft')
    expect(caption({ model, adapter: { name: 'mine' } })).toBe('mine on Graft-7M · LIME · Graft')
  })

  it('says so where nothing was drawn at random, and takes the text of a drawing of its own', () => {
    const plain = figureInfo({ title: 'Film', about: { method: 'film', text: 'pinned' } }, {}, '1', MADE)
    expect(plain).toMatchObject({ seed: null, text: 'pinned', settings: {} })
    expect(captionOf(plain)).toBe('film · Graft')
    expect(describeFigure(plain)).not.toContain('seed')
  })

  it('is a table as CSV, whose first row says what made it', () => {
    const rows = [
      ['a,b', 1.5],
      ['c', NaN],
    ]
    const lines = toFigureCsv(info, { columns: ['name', 'value'], rows })
      .trim()
      .split('\r\n')
    const made = ['method', 'seed', 'model', 'adapter', 'strength', 'text', 'settings']
    expect(lines[0]).toBe(['name', 'value', ...made.map((name) => `made with ${name}`)].join(','))
    expect(lines[1]).toMatch(/^"a,b",1.5,LIME,7,"\{""id"":""graft-7m"",""name"":""Graft-7M""\}",,0.5,/)
    expect(lines[1]).toContain('"{""samples"":500,')
    expect(lines[2]).toBe('c,,,,,,,,')
    // Without a number the file says it all the same.
    const empty = toFigureCsv(info, { columns: ['name'], rows: [] })
      .trim()
      .split('\r\n')
    expect(empty).toHaveLength(2)
    expect(empty[1]).toMatch(/^,LIME,7,/)
  })

  it('comes back from JSON with every number', () => {
    const rows = [
      ['a"b', 1.5],
      ['c', NaN],
    ]
    const json = toFigureJson(info, { columns: ['name', 'value'], rows })
    const back = JSON.parse(json) as FigureFile
    const { columns, rows: read, ...head } = back
    expect(head).toEqual(info)
    expect(columns).toEqual(['name', 'value'])
    expect(read).toEqual([
      ['a"b', 1.5],
      ['c', null],
    ])
    expect(json).toContain('\n    ["a\\"b",1.5],\n')
    expect(JSON.parse(toFigureJson(info, { columns: [], rows: [] }))).toMatchObject({ rows: [] })
  })
})

describe('SVG', () => {
  const svg = toSvg(figure, info)

  it('is text in named fonts, plain colours, each clip and gradient once, and numbers in hundredths', () => {
    expect(svg).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/,
    )
    expect(svg).toContain('viewBox="0 0 200 100"')
    expect(svg).toContain(
      `<text x="3" y="20.12" text-anchor="end" font-family="Inter, 'Inter Variable', system-ui" font-size="12" font-weight="600" style="font-variant-numeric:tabular-nums" xml:space="preserve" fill="#000000"> a &lt;b&gt; &amp; &quot;c&quot;</text>`,
    )
    expect(svg).toContain(
      '<rect x="1" y="2" width="30" height="4" rx="2" fill="#0a141e" fill-opacity="0.25"/>',
    )
    expect(svg).toContain('transform="matrix(1 0 0 1 5 6)" fill="none" stroke="#000000" stroke-width="2"')
    // A clip stays where it is while the text inside is turned.
    expect(svg).toMatch(/<g clip-path="url\(#clip\d\)"><text [^>]*transform="matrix\(0 -1 1 0 9 9\)"/)
    expect(svg.match(/<clipPath /g)).toHaveLength(2)
    expect(svg.match(/<linearGradient /g)).toHaveLength(1)
    expect(svg).not.toMatch(/foreignObject|<style|oklch|undefined|NaN/)
  })

  it('draws a background, lines, gradients and pictures as they are on the page', () => {
    expect(svg).toContain('<rect width="200" height="100" fill="#ffffff"/>')
    expect(svg).toContain('stroke-width="2" stroke-dasharray="1 2"/>')
    expect(svg).toMatch(
      /<rect x="0" y="0" width="10" height="10" fill="url\(#scale\d\)" clip-path="url\(#clip\d\)"\/>/,
    )
    expect(svg).toMatch(/<linearGradient id="scale\d" x1="0" y1="0" x2="1" y2="0">/)
    expect(svg).toContain('<stop offset="0.5" stop-color="#ff0000" stop-opacity="0.5"/>')
    expect(svg).toContain(
      '<image x="0" y="0" width="8" height="8" preserveAspectRatio="none" style="image-rendering:pixelated" xlink:href=',
    )
    const turn = Math.SQRT1_2
    const turned: Figure = {
      ...figure,
      marks: [
        {
          kind: 'path',
          d: 'M0 0L1 1',
          matrix: [turn, turn, -turn, turn, 0, 0],
          stroke: { colour: black, width: 1, dash: [0.25, 2] },
        },
      ],
    }
    // A turn that is rounded to hundredths would be off by pixels at the far end.
    expect(toSvg(turned, info)).toContain('matrix(0.70711 0.70711 -0.70711 0.70711 0 0)')
    expect(toSvg(turned, info)).toContain('stroke-dasharray="0.25 2"')
  })

  it('carries what made it, whatever the text holds', () => {
    const inside = /<figure xmlns="urn:graft:figure">(.*?)<\/figure>/.exec(svg)![1]!
    const read = inside
      .replaceAll('&quot;', '"')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&')
    expect(JSON.parse(read)).toEqual(info)
    expect(svg.match(/<\/metadata>/g)).toHaveLength(1)
    // A bell and half a surrogate pair are no XML.
    expect(escape('a\u0007b\ud83d 🙂\n')).toBe('a\ufffdb\ufffd 🙂\n')
  })

  it('moves every kind of mark with its clip', () => {
    const [box, , path] = figure.marks
    expect(moved(box!, 10, 20)).toMatchObject({ x: 11, y: 22 })
    expect(moved(path!, 10, 20)).toMatchObject({ matrix: [1, 0, 0, 1, 15, 26] })
    expect(moved({ kind: 'path', d: 'M0 0' }, 1, 2)).toMatchObject({ matrix: [1, 0, 0, 1, 1, 2] })
    expect(moved(figure.marks[4]!, 1, 2)).toMatchObject({
      x: 0,
      matrix: [0, -1, 1, 0, 10, 11],
      clip: { x: 1, y: 2 },
    })
    const clipped = { ...box!, clip: { x: 1, y: 2, width: 3, height: 4 } }
    expect(moved(clipped, 10, 20)).toMatchObject({ clip: { x: 11, y: 22, width: 3, height: 4 } })
    expect(wrapped('one two three', 60, 12)).toEqual(['one two', 'three'])
    expect(wrapped('one two three', 300, 12)).toEqual(['one two three'])
    expect(wrapped('12345 12', 8 * 0.58 * 12, 12)).toEqual(['12345 12'])
    expect(wrapped('12345 123', 8 * 0.58 * 12, 12)).toEqual(['12345', '123'])
    const part = intersection({ x: 0, y: 0, width: 4, height: 4 }, { x: 3, y: -1, width: 4, height: 3 })
    expect(part).toEqual({ x: 3, y: 0, width: 1, height: 2 })
    expect(inside({ x: 0, y: 0, width: 5, height: 9 }, { x: 2, y: 0, width: 9, height: 9 })).toBe(false)
    expect(intersection({ x: 0, y: 0, width: 4, height: 4 }, { x: 4, y: 0, width: 4, height: 4 })).toBeNull()
    expect(inside({ x: 0, y: 0, width: 5, height: 5 }, { x: 0, y: 0, width: 4, height: 9 })).toBe(true)
    expect(inside({ x: 0, y: 0, width: 6, height: 5 }, { x: 0, y: 0, width: 4, height: 9 })).toBe(false)
  })
})

describe('colours', () => {
  it('reads what computed styles hold', () => {
    const hex = (css: string) => hexOf(parseColour(css)!.rgb)
    expect(hex('rgb(1, 2, 3)')).toBe('#010203')
    expect(hex('rgb(50% 0% 100% / 20%)')).toBe('#8000ff')
    expect(parseColour('rgba(1, 2, 3, 0.5)')!.alpha).toBe(0.5)
    expect(parseColour('oklch(0.5 0.1 20 / 12.5%)')!.alpha).toBe(0.125)
    expect(hex('color(srgb 1 0.5 0)')).toBe('#ff8000')
    expect(hex('#abc')).toBe('#aabbcc')
    // CSS Color 4's own examples of OKLCH and OKLab.
    expect(hex('oklch(0.40101 0.12332 21.555)')).toBe('#7d2329')
    expect(hex('oklab(0.66016 0.15546 0.05771)')).toBe(hex('oklch(66.016% 0.16583 20.366)'))
    expect(hex('oklch(1 0 none)')).toBe('#ffffff')
    expect([parseColour('none'), parseColour('url(#a)'), parseColour('currentcolor')]).toEqual([
      null,
      null,
      null,
    ])
  })

  it('mixes legacy colours in sRGB, others in OKLab, and never through black', () => {
    const red = parseColour('rgb(255, 0, 0)')!
    const clear = parseColour('transparent')!
    expect(mix(red, clear, 0.5, false)).toEqual({ rgb: [255, 0, 0], alpha: 0.5 })
    expect(mix(red, clear, 1, false).rgb).toEqual([255, 0, 0])
    const blue = parseColour('rgb(0, 0, 255)')!
    expect(hexOf(mix(red, blue, 0.5, false).rgb)).toBe('#800080')
    // The middle of red and blue in OKLab.
    expect(hexOf(mix(red, blue, 0.5, true).rgb)).toBe('#8c53a2')
    const gradient = parseGradient(
      'linear-gradient(to left, oklch(0.6 0.2 25 / 0.5), rgba(0, 0, 0, 0) 20%, rgb(1, 2, 3))',
    )!
    expect(gradient).toMatchObject({ from: [1, 0], to: [0, 0] })
    expect(gradient.stops.filter(({ at }) => [0, 0.2, 1].includes(at))).toHaveLength(3)
    // What has no place lies evenly between its neighbours; angles of a quarter are sides.
    const placed = parseGradient('linear-gradient(0deg, #000 20%, #111, #222, #333 80%)')!
    expect(placed).toMatchObject({ from: [0, 1], to: [0, 0] })
    const given = placed.stops.filter(({ colour }) => [0, 17, 34, 51].includes(colour.rgb[0]))
    expect(given.map(({ at }) => at)).toEqual([0.2, 0.4, 0.6, 0.8].map((at) => expect.closeTo(at, 12)))
    // Modern colours are mixed in OKLab.
    const mixed = parseGradient('linear-gradient(oklch(0.628 0.2577 29.23), rgb(0, 0, 255))')!
    expect(hexOf(mixed.stops[3]!.colour.rgb)).toBe('#8c53a2')
    expect(mixed.stops[3]!.at).toBe(0.5)
    expect(parseGradient('linear-gradient(90deg, red 0%, rgb(0,0,0))')).toBeNull()
    expect(parseGradient('url("a.png")')).toBeNull()
    expect(parseGradient('linear-gradient(rgb(0,0,0), rgb(9,9,9))')).toMatchObject({
      from: [0, 0],
      to: [0, 1],
    })
  })
})

describe('shapes', () => {
  const path = (tag: string, attributes: Record<string, string>) =>
    shapePath(tag, (name) => attributes[name] ?? '')

  it('become path data', () => {
    expect(path('line', { x1: '1', y1: '2', x2: '3', y2: '4' })).toBe('M1 2L3 4')
    expect(path('rect', { x: '1', y: '2', width: '3', height: '4' })).toBe('M1 2h3v4h-3Z')
    expect(path('rect', { width: '10', height: '4', rx: '9' })).toBe(
      'M5 0h0a5 2 0 0 1 5 2v0a5 2 0 0 1 -5 2h0a5 2 0 0 1 -5 -2v0a5 2 0 0 1 5 -2Z',
    )
    expect(path('circle', { cx: '5', cy: '5', r: '2' })).toBe('M3 5A2 2 0 1 1 7 5A2 2 0 1 1 3 5Z')
    expect(path('rect', { width: '10', height: '10', ry: '2' })).toContain('a2 2 0 0 1 2 2')
    expect(path('rect', { width: '4', height: '10', rx: '9', ry: '1' })).toContain('a2 1 0 0 1 2 1')
    expect(path('ellipse', { cx: '5', cy: '5', rx: '2', ry: '1' })).toBe('M3 5A2 1 0 1 1 7 5A2 1 0 1 1 3 5Z')
    expect(path('polyline', { points: '0,0 1,2' })).toBe('M0 0L1 2')
    expect(path('polygon', { points: '0,0 1,-2e1 .5 3' })).toBe('M0 0L1 -2e1L.5 3Z')
    expect([path('rect', { width: '0', height: '2' }), path('path', { d: ' ' }), path('use', {})]).toEqual([
      null,
      null,
      null,
    ])
  })
})

describe('PNG', () => {
  /** One red pixel, made by zlib. */
  const pixel = (() => {
    const chunk = (type: string, data: Uint8Array) => {
      const body = Buffer.concat([Buffer.from(type), data])
      const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
      length.writeUInt32BE(data.length)
      sum.writeUInt32BE(crc32(body))
      return Buffer.concat([length, body, sum])
    }
    const head = Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0)
    return Uint8Array.from(
      Buffer.concat([
        Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10),
        chunk('IHDR', head),
        chunk('IDAT', deflateSync(Uint8Array.of(0, 255, 0, 0))),
        chunk('IEND', new Uint8Array(0)),
      ]),
    )
  })()

  it('takes texts and its size after its head, with right sums, and stays as it was', () => {
    const texts = { Title: 'Größe 🙂', 'graft-figure': '{"a":1}' }
    const file = withTexts(pixel, texts, 2)
    expect(textsOf(file)).toEqual(texts)
    expect(textsOf(pixel)).toEqual({})
    const view = Buffer.from(file)
    const chunks: { type: string; data: Buffer }[] = []
    for (let at = 8; at < view.length; at += 12 + view.readUInt32BE(at)) {
      const end = at + 8 + view.readUInt32BE(at)
      expect(view.readUInt32BE(end)).toBe(crc32(view.subarray(at + 4, end)))
      chunks.push({ type: view.toString('latin1', at + 4, at + 8), data: view.subarray(at + 8, end) })
    }
    expect(chunks.map(({ type }) => type)).toEqual(['IHDR', 'pHYs', 'iTXt', 'iTXt', 'IDAT', 'IEND'])
    // 192 pixels an inch.
    expect(chunks[1]!.data.readUInt32BE(0)).toBe(7559)
    expect([...inflateSync(chunks[4]!.data)]).toEqual([0, 255, 0, 0])
    expect(crc(new TextEncoder().encode('123456789'))).toBe(0xcbf43926)
    expect(() => withTexts(new Uint8Array(50), {}, 1)).toThrow('no PNG')
  })
})
