// Colours that carry data. Magnitude: viridis, which is read in the dark and by the colour-blind; sign: red and blue
// over the page's own background, so that the middle is neutral in both themes.
import { interpolateViridis } from 'd3'

export type Rgb = readonly [number, number, number]

/** Entries of a colour table: finer than the eye, small enough to be made at start. */
const TABLE_SIZE = 256

const viridis: Rgb[] = Array.from({ length: TABLE_SIZE }, (_, index) =>
  parseColour(interpolateViridis(index / (TABLE_SIZE - 1))),
)

/** Viridis for a share from 0 to 1; outside it is clamped. */
export function magnitude(share: number): Rgb {
  return viridis[Math.round(clamp01(share) * (TABLE_SIZE - 1))]!
}

/** Viridis as pixels (RGBA as a little-endian number), for maps of many cells. */
export const MAGNITUDE_TABLE = Uint32Array.from(viridis, (colour) => pixel(colour, 1))

/** The ends of the diverging scale of cells: blue and orange differ for every kind of colour vision, and in lightness from
 *  the page in both themes. */
export const BELOW: Rgb = [0, 114, 214]
export const ABOVE: Rgb = [222, 92, 0]
/** Entry of the diverging table that is 0. */
export const MIDDLE = TABLE_SIZE / 2

/** Blue, nothing, orange: how far a value is from 0 is how much it covers the page, so that the middle is the page itself,
 *  light or dark. */
export const SIGNED_TABLE = Uint32Array.from({ length: TABLE_SIZE }, (_, index) => {
  const value = (index - MIDDLE) / (MIDDLE - 1)
  return pixel(value < 0 ? BELOW : ABOVE, clamp01(Math.abs(value)))
})

/** CSS stops of the diverging scale of cells, for a legend. */
export function signedGradient(): string {
  return `linear-gradient(to right, rgb(${BELOW.join(' ')}), transparent, rgb(${ABOVE.join(' ')}))`
}

/** CSS stops of the viridis scale, for a legend. */
export function magnitudeGradient(direction = 'to right'): string {
  const stops = [0, 0.25, 0.5, 0.75, 1].map((share) => `rgb(${magnitude(share).join(' ')})`)
  return `linear-gradient(${direction}, ${stops.join(', ')})`
}

/** Black or white, whichever is read better on a colour (WCAG relative luminance). */
export function inkOn([red, green, blue]: Rgb): 'black' | 'white' {
  const [r, g, b] = [red, green, blue].map((value) => {
    const share = value / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? 'black' : 'white'
}

export const POSITIVE = 'oklch(0.62 0.21 25)'
export const NEGATIVE = 'oklch(0.58 0.17 255)'
export const UNSIGNED = 'oklch(0.62 0.16 147)'

/** Strongest tint behind text: more would take the text below 4.5 to 1 in one of the themes. */
const MAX_TINT = 0.55

/** A tint for text: `value` from -1 to 1 (signed) or 0 to 1; nothing at 0. */
export function tint(value: number, signed: boolean): string {
  const share = Math.min(1, Math.abs(value)) * MAX_TINT
  if (!Number.isFinite(share) || share < 0.004) return 'transparent'
  const hue = signed ? (value < 0 ? NEGATIVE : POSITIVE) : UNSIGNED
  return hue.replace(')', ` / ${(share * 100).toFixed(1)}%)`)
}

/** What subdued text is written in on a tint: from this share of the scale on, the page's subdued ink is too pale. */
export function subduedInk(value: number): string | undefined {
  return Math.abs(value) > 0.2 ? 'var(--text)' : undefined
}

export function tintGradient(signed: boolean): string {
  return signed
    ? `linear-gradient(to right, ${tint(-1, true)}, ${tint(-0.5, true)}, transparent, ${tint(0.5, true)}, ${tint(1, true)})`
    : `linear-gradient(to right, transparent, ${tint(1, false)})`
}

function parseColour(text: string): Rgb {
  const hex = /^#(..)(..)(..)$/.exec(text)
  if (hex) return [parseInt(hex[1]!, 16), parseInt(hex[2]!, 16), parseInt(hex[3]!, 16)]
  const [red = 0, green = 0, blue = 0] = (text.match(/\d+/g) ?? []).map(Number)
  return [red, green, blue]
}

function pixel([red, green, blue]: Rgb, alpha: number): number {
  return ((Math.round(alpha * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0
}

function clamp01(value: number): number {
  return value > 0 ? Math.min(1, value) : 0
}
