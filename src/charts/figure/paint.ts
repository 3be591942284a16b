// A figure painted into a canvas, with the page's own fonts.
import type { Colour } from '../colourSpace.ts'
import { isGradient, type Figure, type Fill, type Mark, type Stroke } from './marks.ts'

type Context = CanvasRenderingContext2D

/** @param scale pixels of the canvas per pixel of the figure */
export function paintFigure(figure: Figure, scale: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  canvas.width = Math.round(figure.width * scale)
  canvas.height = Math.round(figure.height * scale)
  const context = canvas.getContext('2d')
  if (!context) throw new Error('This browser gives no canvas to paint on.')
  context.scale(scale, scale)
  context.fillStyle = css(figure.background)
  context.fillRect(0, 0, figure.width, figure.height)
  for (const mark of figure.marks) {
    context.save()
    if (mark.clip) {
      context.beginPath()
      context.rect(mark.clip.x, mark.clip.y, mark.clip.width, mark.clip.height)
      context.clip()
    }
    paint(mark, context)
    context.restore()
  }
  return canvas
}

function paint(mark: Mark, context: Context): void {
  if ('matrix' in mark && mark.matrix) context.transform(...mark.matrix)
  switch (mark.kind) {
    case 'box': {
      const path = new Path2D()
      path.roundRect(mark.x, mark.y, mark.width, mark.height, mark.radius)
      if (mark.fill) {
        context.fillStyle = fillStyle(mark.fill, mark, context)
        context.fill(path)
      }
      return stroke(path, mark.stroke, context)
    }
    case 'path': {
      const path = new Path2D(mark.d)
      if (mark.fill) {
        context.fillStyle = css(mark.fill)
        context.fill(path)
      }
      return stroke(path, mark.stroke, context)
    }
    case 'image':
      context.imageSmoothingEnabled = !mark.pixelated
      if (mark.source) context.drawImage(mark.source, mark.x, mark.y, mark.width, mark.height)
      return
    case 'text': {
      const { style, weight, size, family } = mark.font
      context.font = `${style} ${weight} ${size}px ${family}`
      context.textAlign = mark.anchor === 'middle' ? 'center' : mark.anchor
      context.fillStyle = css(mark.fill)
      context.fillText(mark.text, mark.x, mark.y)
      return
    }
    default:
      mark satisfies never
  }
}

function stroke(path: Path2D, line: Stroke | undefined, context: Context): void {
  if (!line) return
  context.strokeStyle = css(line.colour)
  context.lineWidth = line.width
  context.lineCap = line.cap ?? 'butt'
  context.lineJoin = line.join ?? 'miter'
  context.setLineDash(line.dash ?? [])
  context.stroke(path)
}

function fillStyle(
  fill: Fill,
  box: { x: number; y: number; width: number; height: number },
  context: Context,
) {
  if (!isGradient(fill)) return css(fill)
  const at = ([x, y]: readonly [number, number]) => [box.x + x * box.width, box.y + y * box.height] as const
  const gradient = context.createLinearGradient(...at(fill.from), ...at(fill.to))
  for (const stop of fill.stops) gradient.addColorStop(stop.at, css(stop.colour))
  return gradient
}

function css({ rgb, alpha }: Colour): string {
  return `rgb(${rgb.map((value) => Math.round(value)).join(' ')} / ${alpha})`
}
