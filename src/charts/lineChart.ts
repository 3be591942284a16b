// The scene of a line chart: everything that is drawn, as numbers and strings, from data and size alone.
import { extent, line, scaleLinear, scaleLog } from 'd3'
import { number } from './format.ts'

export interface Point {
  x: number
  y: number
}

export interface Series {
  name: string
  points: Point[]
  /** A CSS colour. */
  colour: string
  /** Drawn thin and pale, behind: raw values under their smoothed line. */
  faint?: boolean
  /** Points are few and far apart: each gets a mark. */
  marks?: boolean
}

export interface LineOptions {
  width: number
  height: number
  xLabel: string
  yLabel: string
  /** Part of the x axis that is shown; everything when absent. */
  domain?: [number, number]
  /** Fixed ends of the y axis, where they mean something (0 to 1). */
  yRange?: [number, number]
  yFormat?: (value: number) => string
  logY?: boolean
}

interface Tick {
  at: number
  label: string
}

export interface LineScene {
  width: number
  height: number
  plot: { x: number; y: number; width: number; height: number }
  xTicks: Tick[]
  yTicks: Tick[]
  xLabel: string
  yLabel: string
  lines: { name: string; colour: string; faint: boolean; path: string; marks: Point[] }[]
  /** Names at the end of their lines, moved apart where they would collide. */
  labels: { x: number; y: number; text: string; colour: string }[]
  empty: boolean
  xOf(value: number): number
  yOf(value: number): number
  /** The x value under a pixel. */
  xAt(pixel: number): number
}

/** Room for tick labels and end labels, in pixels. */
const MARGIN = { top: 22, right: 12, bottom: 34, left: 52 }
/** Room on the right for the names of several series: of a character, of what stands around, and at most of the width. */
const CHARACTER = 6.8
const LABEL_SPACE = 16
const LABEL_SHARE = 0.36
const LABEL_GAP = 15

export function lineScene(series: Series[], options: LineOptions): LineScene {
  const { width, height } = options
  // One line needs no name: the chart's title is it.
  const names = series.filter((each) => !each.faint && each.points.length > 0).map(({ name }) => name)
  const named = names.length > 1
  const longest = Math.max(...names.map((name) => name.length))
  const right = named ? Math.min(LABEL_SHARE * width, LABEL_SPACE + CHARACTER * longest) : MARGIN.right
  const plot = {
    x: MARGIN.left,
    y: MARGIN.top,
    width: Math.max(1, width - MARGIN.left - right),
    height: Math.max(1, height - MARGIN.top - MARGIN.bottom),
  }
  const whole = extent(series.flatMap((each) => each.points.map((point) => point.x)))
  const [low, high] = options.domain ?? [whole[0] ?? 0, whole[1] ?? 1]
  const xDomain: [number, number] = high > low ? [low, high] : [low - 0.5, low + 0.5]
  const shown = series.map((each) => ({ ...each, points: visible(each.points, xDomain) }))
  const values = shown.flatMap((each) => each.points.map((point) => point.y)).filter(Number.isFinite)

  const x = scaleLinear(xDomain, [plot.x, plot.x + plot.width])
  const y = yScale(values, options, [plot.y + plot.height, plot.y])
  const draw = line<Point>(
    (point) => round(x(point.x)),
    (point) => round(y(point.y)),
  ).defined((point) => Number.isFinite(point.y))
  const yValues = values.length === 0 ? [] : yTickValues(y, options, plot.height)
  const yFormat = options.yFormat ?? tickFormat(yValues)

  return {
    width,
    height,
    plot,
    xTicks:
      values.length === 0
        ? []
        : x
            .ticks(Math.max(2, Math.min(8, Math.floor(plot.width / 80))))
            .filter((value) => Number.isInteger(value) || xDomain[1] - xDomain[0] < 2)
            .map((value) => ({ at: round(x(value)), label: number(value, 6) })),
    yTicks: yValues.map((value) => ({ at: round(y(value)), label: yFormat(value) })),
    xLabel: options.xLabel,
    yLabel: options.yLabel,
    lines: shown.map((each) => ({
      name: each.name,
      colour: each.colour,
      faint: each.faint ?? false,
      path: draw(each.points) ?? '',
      marks: each.marks ? each.points.map((point) => ({ x: round(x(point.x)), y: round(y(point.y)) })) : [],
    })),
    labels: spread(
      shown.flatMap((each) => {
        const last = each.points.findLast((point) => Number.isFinite(point.y))
        return !named || each.faint || !last
          ? []
          : [{ x: round(x(last.x)) + 8, y: round(y(last.y)), text: each.name, colour: each.colour }]
      }),
      plot,
    ),
    empty: values.length === 0,
    xOf: (value) => x(value),
    yOf: (value) => y(value),
    xAt: (pixel) => x.invert(pixel),
  }
}

export interface Reading {
  x: number
  values: { name: string; value: number; colour: string; at: Point }[]
}

/** The values of every series at the x nearest to a pixel; series without a point there give their last one before. */
export function readingAt(series: Series[], scene: LineScene, pixel: number): Reading | null {
  const wanted = scene.xAt(pixel)
  let best: number | null = null
  for (const each of series) {
    const point = nearest(each.points, wanted)
    if (point && (best === null || Math.abs(point.x - wanted) < Math.abs(best - wanted))) best = point.x
  }
  if (best === null) return null
  const x = best
  return {
    x,
    values: series.flatMap((each) => {
      const point = each.points.findLast((candidate) => candidate.x <= x)
      if (!point || !Number.isFinite(point.y)) return []
      return [
        {
          name: each.name,
          value: point.y,
          colour: each.colour,
          at: { x: scene.xOf(point.x), y: scene.yOf(point.y) },
        },
      ]
    }),
  }
}

/** Exponential moving average with a memory of about `span` points, corrected at its start. */
export function smooth(points: Point[], span: number): Point[] {
  const keep = 1 - 1 / Math.max(1, span)
  let mean = 0
  let weight = 0
  return points.map(({ x, y }) => {
    if (!Number.isFinite(y)) return { x, y }
    mean = keep * mean + (1 - keep) * y
    weight = keep * weight + (1 - keep)
    return { x, y: mean / weight }
  })
}

function nearest(points: Point[], x: number): Point | undefined {
  let low = 0
  let high = points.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (points[middle]!.x < x) low = middle + 1
    else high = middle
  }
  const after = points[low]
  const before = points[low - 1]
  if (!before || !after) return after ?? before
  return x - before.x < after.x - x ? before : after
}

/** Points inside the domain and one on either side, so that lines run to the edge. */
function visible(points: Point[], [low, high]: [number, number]): Point[] {
  const from = points.findIndex((point) => point.x >= low)
  if (from < 0) return []
  const last = points.findLastIndex((point) => point.x <= high)
  return points.slice(Math.max(0, from - (points[from]!.x > low ? 1 : 0)), last + 2)
}

type YScale = ReturnType<typeof scaleLinear<number, number>> | ReturnType<typeof scaleLog<number, number>>

function yScale(values: number[], options: LineOptions, range: [number, number]): YScale {
  if (options.yRange) return scaleLinear(options.yRange, range)
  const [low = 0, high = 1] = extent(values)
  if (options.logY && low > 0) return scaleLog([low, high > low ? high : low * 2], range)
  if (high === low)
    return scaleLinear([low - (Math.abs(low) || 1) * 0.1, high + (Math.abs(high) || 1) * 0.1], range)
  return scaleLinear([low, high], range).nice(5)
}

/** As many digits as tell the ticks apart, at least three; a power of ten where they would not fit beside the axis. */
function tickFormat(ticks: readonly number[]): (value: number) => string {
  const largest = Math.max(...ticks.map(Math.abs), 0)
  const step = Math.min(...ticks.slice(1).map((tick, i) => Math.abs(tick - ticks[i]!)), Infinity)
  const digits =
    step > 0 && largest > 0 && Number.isFinite(step)
      ? Math.max(3, Math.ceil(Math.log10(largest / step)) + 1)
      : 3
  return (value) => {
    const size = Math.abs(value)
    const rounded = Number(value.toPrecision(Math.min(digits, 12)))
    if (size >= 1e5 || (size > 0 && size < 1e-4)) return rounded.toExponential().replace('e+', 'e')
    return String(rounded)
  }
}

function yTickValues(y: YScale, options: LineOptions, height: number): number[] {
  const wanted = Math.max(2, Math.min(5, Math.floor(height / 36)))
  const ticks = y.ticks(wanted)
  return options.logY && ticks.length > wanted + 2 ? ticks.filter((_, index) => index % 2 === 0) : ticks
}

/** Moves labels apart downwards, then back up from the bottom edge. */
function spread<T extends { y: number }>(labels: T[], plot: { y: number; height: number }): T[] {
  const sorted = labels.toSorted((a, b) => a.y - b.y)
  for (let index = 1; index < sorted.length; index++)
    sorted[index]!.y = Math.max(sorted[index]!.y, sorted[index - 1]!.y + LABEL_GAP)
  let floor = plot.y + plot.height
  for (const label of sorted.toReversed()) {
    label.y = Math.min(label.y, floor)
    floor = label.y - LABEL_GAP
  }
  return sorted
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
