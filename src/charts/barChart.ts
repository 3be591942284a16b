// The scene of a histogram: bars over bins of numbers or of time, as numbers and strings, from data and size alone. Bins stand
// side by side in equal widths: the first and the last may reach far out, and say so.
import { scaleBand, scaleLinear } from 'd3'
import { count, number } from './format.ts'

export interface Bin {
  from: number
  to: number
  count: number
}

export type TimeUnit = 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year'

export interface BarOptions {
  width: number
  height: number
  /** Bins of time, in milliseconds since 1970, UTC. */
  unit?: TimeUnit
}

export interface Bar {
  x: number
  y: number
  width: number
  height: number
  /** "20 to 40", "3", "May 2025". */
  label: string
  /** The whole column of the plot that belongs to the bar. */
  left: number
  room: number
  far: boolean
}

export interface BarScene {
  width: number
  height: number
  plot: { x: number; y: number; width: number; height: number }
  bars: Bar[]
  xTicks: { at: number; label: string; anchor: 'start' | 'middle' | 'end' }[]
  yTicks: { at: number; label: string }[]
}

const MARGIN = { top: 8, right: 4, bottom: 20, left: 40 }
/** Room for one label below the axis, in pixels. */
const LABEL = 56

export function barScene(bins: readonly Bin[], options: BarOptions): BarScene {
  const { width, height, unit } = options
  const plot = {
    x: MARGIN.left,
    y: MARGIN.top,
    width: Math.max(1, width - MARGIN.left - MARGIN.right),
    height: Math.max(1, height - MARGIN.top - MARGIN.bottom),
  }
  const most = bins.reduce((largest, bin) => Math.max(largest, bin.count), 0)
  const y = scaleLinear([0, Math.max(1, most)], [plot.y + plot.height, plot.y]).nice(3)
  const x = scaleBand(
    bins.map((_, i) => i),
    [plot.x, plot.x + plot.width],
  ).paddingInner(bins.length > plot.width / 3 ? 0 : 0.12)
  const far = farBins(bins, unit)
  const bars = bins.map((bin, i): Bar => {
    const top = y(bin.count)
    // One row among a million is still to be seen.
    const tall = bin.count === 0 ? 0 : Math.max(1.5, plot.y + plot.height - top)
    return {
      x: round(x(i)!),
      y: round(plot.y + plot.height - tall),
      width: round(Math.max(0.5, x.bandwidth())),
      height: round(tall),
      label: binLabel(bin, unit),
      left: round(x(i)!),
      room: round(x.step()),
      far: far.has(i),
    }
  })
  return { width, height, plot, bars, xTicks: xTicks(bins, bars, plot, unit), yTicks: yTicks(y, plot.height) }
}

/** What a bin holds, in words. */
export function binLabel({ from, to }: Bin, unit?: TimeUnit): string {
  if (unit) return timeLabel(from, unit, true)
  if (isWhole({ from, to })) return number(from + 0.5, 8)
  return `${number(from, 8)} to ${number(to, 8)}`
}

/** A bin of one whole number: from a half below it to a half above. */
function isWhole({ from, to }: Pick<Bin, 'from' | 'to'>): boolean {
  return to - from === 1 && Math.abs(from % 1) === 0.5
}

/** The first and the last bin where they are wider than the ones between. */
function farBins(bins: readonly Bin[], unit: TimeUnit | undefined): Set<number> {
  const found = new Set<number>()
  const middle = bins[bins.length >> 1]
  if (unit || !middle || bins.length < 4) return found
  const usual = middle.to - middle.from
  for (const i of [0, bins.length - 1]) {
    const size = bins[i]!.to - bins[i]!.from
    if (Math.abs(size - usual) > usual * 0.01) found.add(i)
  }
  return found
}

function xTicks(
  bins: readonly Bin[],
  bars: readonly Bar[],
  plot: BarScene['plot'],
  unit: TimeUnit | undefined,
): BarScene['xTicks'] {
  const labels = Math.max(2, Math.floor(plot.width / LABEL))
  const stride = Math.max(1, Math.ceil(bins.length / labels))
  const whole = bins.every(isWhole)
  const ticks: BarScene['xTicks'] = []
  for (const [i, bar] of bars.entries()) {
    if (i % stride !== 0 || bar.far) continue
    const bin = bins[i]!
    const text = unit ? timeLabel(bin.from, unit, false) : number(whole ? bin.from + 0.5 : bin.from, 6)
    const at = whole || unit ? bar.x + bar.width / 2 : bar.left
    const anchor = at < plot.x + 12 ? 'start' : at > plot.x + plot.width - 16 ? 'end' : 'middle'
    ticks.push({ at: round(at), label: text, anchor })
  }
  return ticks
}

function yTicks(y: ReturnType<typeof scaleLinear<number, number>>, height: number): BarScene['yTicks'] {
  const values = y.ticks(height < 80 ? 2 : 3).filter(Number.isInteger)
  return values.map((value) => ({ at: round(y(value)), label: axisCount(value) }))
}

/** Counts beside an axis: 250, 1,500, 20k, 1.5M. */
function axisCount(value: number): string {
  if (value >= 1e6) return `${number(value / 1e6, 3)}M`
  return value >= 1e4 ? `${number(value / 1e3, 3)}k` : count(value)
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function timeLabel(time: number, unit: TimeUnit, long: boolean): string {
  const date = new Date(time)
  const [year, month, day] = [date.getUTCFullYear(), MONTHS[date.getUTCMonth()]!, date.getUTCDate()]
  switch (unit) {
    case 'hour': {
      const hour = `${String(date.getUTCHours()).padStart(2, '0')}:00`
      return long ? `${day} ${month} ${year}, ${hour}` : hour
    }
    case 'day':
      return long ? `${day} ${month} ${year}` : `${day} ${month}`
    case 'week':
      return long ? `week of ${day} ${month} ${year}` : `${day} ${month}`
    case 'month':
      return long ? `${month} ${year}` : `${month} ${String(year).slice(-2)}`
    case 'quarter':
      return `Q${Math.floor(date.getUTCMonth() / 3) + 1} ${year}`
    case 'year':
      return String(year)
    default:
      return unit satisfies never
  }
}

/** The bar under a pixel, or null beside the plot. */
export function barAt({ bars, plot }: BarScene, pixel: number): number | null {
  if (pixel < plot.x || pixel > plot.x + plot.width) return null
  const found = bars.findIndex(({ left, room }) => pixel < left + room)
  return found < 0 ? bars.length - 1 : found
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
