// The scene of a scatter plot: where axes, ticks and points lie, and which point is under a pixel.
import { scaleLinear, type ScaleLinear } from 'd3'
import { number } from './format.ts'
import { WHOLE, type View } from './heatmap.ts'

export interface ScatterOptions {
  width: number
  height: number
  xRange: [number, number]
  yRange: [number, number]
  /** Enlarged and moved: pixels of the whole times k, plus x and y. */
  view?: View
}

export interface ScatterScene {
  width: number
  height: number
  plot: { x: number; y: number; width: number; height: number }
  xTicks: { at: number; label: string }[]
  yTicks: { at: number; label: string }[]
  /** [n] each: pixels of the points; enlarged, some lie outside of the plot. */
  px: Float32Array
  py: Float32Array
  /** Radius of a point: many are drawn smaller. */
  radius: number
}

const MARGIN = { top: 8, right: 12, bottom: 24, left: 40 }
/** Pixels around a point in which it is pointed at. */
const REACH = 14

export function scatterScene(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  options: ScatterOptions,
): ScatterScene {
  const { width, height, xRange, yRange, view = WHOLE } = options
  const plot = {
    x: MARGIN.left,
    y: MARGIN.top,
    width: Math.max(1, width - MARGIN.left - MARGIN.right),
    height: Math.max(1, height - MARGIN.top - MARGIN.bottom),
  }
  const xOf = enlarged(scaleLinear(xRange, [plot.x, plot.x + plot.width]), view.k, view.x)
  const yOf = enlarged(scaleLinear(yRange, [plot.y + plot.height, plot.y]), view.k, view.y)
  const ticks = (scale: typeof xOf, count: number) =>
    scale.ticks(count).map((value) => ({ at: scale(value), label: number(value) }))
  return {
    width,
    height,
    plot,
    xTicks: ticks(xOf, Math.max(2, Math.min(6, plot.width / 80))),
    yTicks: ticks(yOf, 5),
    px: Float32Array.from(x, (value) => xOf(value)),
    py: Float32Array.from(y, (value) => yOf(value)),
    radius: x.length > 5000 ? 1.5 : x.length > 1000 ? 2.5 : 4,
  }
}

/** The same axis where only a part of it is seen. */
function enlarged(scale: ScaleLinear<number, number>, k: number, moved: number): ScaleLinear<number, number> {
  return scale.copy().domain(scale.range().map((pixel) => scale.invert((pixel - moved) / k)))
}

/** Whether a point can be seen. */
export function isSeen({ px, py, plot, radius }: ScatterScene, point: number): boolean {
  const [x, y] = [px[point]!, py[point]!]
  return (
    x >= plot.x - radius &&
    x <= plot.x + plot.width + radius &&
    y >= plot.y - radius &&
    y <= plot.y + plot.height + radius
  )
}

/** The nearest point within reach of a pixel that can be seen, or null. */
export function pointAt(scene: ScatterScene, x: number, y: number): number | null {
  const { px, py } = scene
  let nearest: number | null = null
  let least = REACH * REACH
  for (let i = 0; i < px.length; i++) {
    const distance = (px[i]! - x) ** 2 + (py[i]! - y) ** 2
    if (distance < least && isSeen(scene, i)) {
      least = distance
      nearest = i
    }
  }
  return nearest
}

/** The next point in a direction: the nearest of those that lie more that way than to the side; null where there is none. */
export function neighbour(
  { px, py }: Pick<ScatterScene, 'px' | 'py'>,
  from: number,
  [dx, dy]: readonly [number, number],
): number | null {
  let nearest: number | null = null
  let least = Infinity
  for (let i = 0; i < px.length; i++) {
    const [x, y] = [px[i]! - px[from]!, py[i]! - py[from]!]
    const along = x * dx + y * dy
    const aside = Math.abs(x * dy) + Math.abs(y * dx)
    if (along <= 0 || aside > along) continue
    const distance = along + 2 * aside
    if (distance < least) {
      least = distance
      nearest = i
    }
  }
  return nearest
}
