// SVG's basic shapes as path data (SVG 2, chapter 10), so that one kind of mark draws them all.

/** Path data of a shape whose attributes `read` gives; null for what is no shape, or has no size. */
export function shapePath(tag: string, read: (name: string) => string): string | null {
  const number = (name: string) => parseFloat(read(name)) || 0
  switch (tag) {
    case 'path':
      return read('d').trim() || null
    case 'line':
      return `M${number('x1')} ${number('y1')}L${number('x2')} ${number('y2')}`
    case 'polyline':
    case 'polygon': {
      const points = read('points').match(/[-+]?(?:\d*\.)?\d+(?:e[-+]?\d+)?/gi) ?? []
      const pairs = Array.from(
        { length: points.length >> 1 },
        (_, i) => `${points[2 * i]} ${points[2 * i + 1]}`,
      )
      return pairs.length === 0 ? null : `M${pairs.join('L')}${tag === 'polygon' ? 'Z' : ''}`
    }
    case 'circle':
      return ellipse(number('cx'), number('cy'), number('r'), number('r'))
    case 'ellipse':
      return ellipse(number('cx'), number('cy'), number('rx'), number('ry'))
    case 'rect':
      return rectangle(number('x'), number('y'), number('width'), number('height'), corner(read))
    default:
      return null
  }
}

/** rx and ry of a rectangle: one that is not given is as the other. */
function corner(read: (name: string) => string): [number, number] {
  const [rx, ry] = [parseFloat(read('rx')), parseFloat(read('ry'))]
  return [rx || ry || 0, ry || rx || 0]
}

function ellipse(cx: number, cy: number, rx: number, ry: number): string | null {
  if (rx <= 0 || ry <= 0) return null
  return `M${cx - rx} ${cy}A${rx} ${ry} 0 1 1 ${cx + rx} ${cy}A${rx} ${ry} 0 1 1 ${cx - rx} ${cy}Z`
}

function rectangle(
  x: number,
  y: number,
  width: number,
  height: number,
  [a, b]: [number, number],
): string | null {
  if (width <= 0 || height <= 0) return null
  const rx = Math.min(a, width / 2)
  const ry = Math.min(b, height / 2)
  if (rx <= 0 || ry <= 0) return `M${x} ${y}h${width}v${height}h${-width}Z`
  const arc = (dx: number, dy: number) => `a${rx} ${ry} 0 0 1 ${dx} ${dy}`
  return (
    `M${x + rx} ${y}h${width - 2 * rx}${arc(rx, ry)}v${height - 2 * ry}${arc(-rx, ry)}` +
    `h${2 * rx - width}${arc(-rx, -ry)}v${2 * ry - height}${arc(rx, -ry)}Z`
  )
}
