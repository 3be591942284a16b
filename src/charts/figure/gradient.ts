// CSS's linear gradients as plain sRGB stops. Browsers mix modern colours in OKLab with premultiplied alpha, SVG and canvas
// in sRGB without: stops in between make both look alike (CSS Color 4, section 12; CSS Images 3, section 3.4).
import { oklabToRgb, parseColour, rgbToOklab, type Colour, type Triple } from '../colourSpace.ts'
import type { Gradient } from './marks.ts'

/** Stops between two of CSS's. */
const BETWEEN = 6

/** The gradient of a computed `background-image`, or null where it is something else. */
export function parseGradient(css: string): Gradient | null {
  const body = /^linear-gradient\((.*)\)$/s.exec(css.trim())?.[1]
  if (body === undefined) return null
  const parts = splitTop(body)
  const line = direction(parts[0] ?? '')
  const stops = (line ? parts.slice(1) : parts).map(stopOf)
  if (stops.length < 2 || stops.some((stop) => stop === null)) return null
  const placed = place(stops as Stop[])
  const modern = parts.some((part) => /okl(ab|ch)\(|color\(/.test(part))
  return {
    ...(line ?? { from: [0, 0], to: [0, 1] }),
    stops: placed.flatMap((stop, i) => between(placed[i - 1], stop, modern)),
  }
}

interface Stop {
  colour: Colour
  at: number | null
}

function between(
  before: { at: number; colour: Colour } | undefined,
  stop: { at: number; colour: Colour },
  modern: boolean,
) {
  if (!before) return [stop]
  return Array.from({ length: BETWEEN }, (_, i) => {
    const share = (i + 1) / BETWEEN
    const at = before.at + (stop.at - before.at) * share
    return { at, colour: share === 1 ? stop.colour : mix(before.colour, stop.colour, share, modern) }
  })
}

/** A share of the way from one colour to another. */
export function mix(one: Colour, other: Colour, share: number, modern: boolean): Colour {
  const alpha = one.alpha + (other.alpha - one.alpha) * share
  if (alpha === 0) return { rgb: one.alpha > 0 ? one.rgb : other.rgb, alpha }
  const [a, b] = modern ? [rgbToOklab(one.rgb), rgbToOklab(other.rgb)] : [one.rgb, other.rgb]
  const channel = (i: 0 | 1 | 2) => (a[i] * one.alpha * (1 - share) + b[i] * other.alpha * share) / alpha
  const mixed: Triple = [channel(0), channel(1), channel(2)]
  const [red, green, blue] = modern ? oklabToRgb(mixed) : mixed
  const held = (value: number) => Math.max(0, Math.min(255, value))
  return { rgb: [held(red), held(green), held(blue)], alpha }
}

const SIDES: Record<string, Pick<Gradient, 'from' | 'to'>> = {
  'to right': { from: [0, 0], to: [1, 0] },
  'to left': { from: [1, 0], to: [0, 0] },
  'to bottom': { from: [0, 0], to: [0, 1] },
  'to top': { from: [0, 1], to: [0, 0] },
}
const ANGLES: Record<string, string> = { 0: 'to top', 90: 'to right', 180: 'to bottom', 270: 'to left' }

function direction(text: string): Pick<Gradient, 'from' | 'to'> | null {
  const angle = /^(-?[\d.]+)deg$/.exec(text.trim())?.[1]
  const side =
    angle === undefined ? text.trim() : ANGLES[(((Math.round(Number(angle) / 90) * 90) % 360) + 360) % 360]
  return SIDES[side ?? ''] ?? null
}

function stopOf(text: string): Stop | null {
  const at = /\s(-?[\d.]+)%\s*$/.exec(text)
  const colour = parseColour(at ? text.slice(0, at.index) : text)
  return colour && { colour, at: at ? Number(at[1]) / 100 : null }
}

/** Places that are not said lie evenly between those that are. */
function place(stops: Stop[]): { at: number; colour: Colour }[] {
  const known = stops.map(({ at }, i) => at ?? (i === 0 ? 0 : i === stops.length - 1 ? 1 : null))
  return stops.map(({ colour }, i) => {
    if (known[i] !== null) return { colour, at: known[i]! }
    const before = known.findLastIndex((at, j) => j < i && at !== null)
    const after = known.findIndex((at, j) => j > i && at !== null)
    const share = (i - before) / (after - before)
    return { colour, at: known[before]! + (known[after]! - known[before]!) * share }
  })
}

/** Parts between commas that stand in no brackets. */
function splitTop(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++
    else if (text[i] === ')') depth--
    else if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(start, i).trim())
      start = i + 1
    }
  }
  return [...parts, text.slice(start).trim()]
}
