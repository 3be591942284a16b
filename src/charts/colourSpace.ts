// Colours as numbers: what CSS writes (rgb, oklch, oklab, color(srgb)) as sRGB, and sRGB as OKLab (Ottosson 2020).
// Exported figures need plain sRGB, because few programs that open SVG know oklch(); checks of scales need the distances.

/** Red, green, blue from 0 to 255, not rounded; alpha from 0 to 1. */
export interface Colour {
  rgb: readonly [number, number, number]
  alpha: number
}
export type Triple = readonly [number, number, number]

const NUMBER = String.raw`[-+]?(?:\d*\.)?\d+(?:e[-+]?\d+)?%?`

/** A colour as CSS writes it in computed values. Null for what is none, or in a space that no style here uses. */
export function parseColour(text: string): Colour | null {
  const css = text.trim().toLowerCase()
  if (css === 'transparent') return { rgb: [0, 0, 0], alpha: 0 }
  if (css === 'black') return { rgb: [0, 0, 0], alpha: 1 }
  if (css === 'white') return { rgb: [255, 255, 255], alpha: 1 }
  const hex = /^#([\da-f]{3,8})$/.exec(css)?.[1]
  if (hex) return fromHex(hex)
  const [, name, space, body] = /^(rgba?|oklch|oklab|color)\(\s*(srgb\s)?(.*)\)$/.exec(css) ?? []
  if (!name || body === undefined || (name === 'color') !== (space !== undefined)) return null
  const [channels = '', behind] = body.split('/')
  const parts = (channels.replaceAll('none', '0').match(new RegExp(NUMBER, 'g')) ?? []).slice(0, 4)
  if (parts.length < 3) return null
  const alphaText = behind?.trim() ?? parts[3]
  const alpha = alphaText === undefined ? 1 : share(alphaText)
  const [a = 0, b = 0, c = 0] = parts.map((part) => share(part))
  if (name === 'oklab') return { rgb: clamped(oklabToRgb([a, b, c])), alpha }
  if (name === 'oklch') {
    const hue = (c * Math.PI) / 180
    return { rgb: clamped(oklabToRgb([a, b * Math.cos(hue), b * Math.sin(hue)])), alpha }
  }
  if (name === 'color') return { rgb: clamped([a * 255, b * 255, c * 255]), alpha }
  const full = (part: string) => (part.endsWith('%') ? share(part) * 255 : Number(part))
  return { rgb: clamped([full(parts[0]!), full(parts[1]!), full(parts[2]!)]), alpha }
}

/** `#rrggbb` */
export function hexOf(rgb: Triple): string {
  return `#${rgb.map((value) => Math.round(value).toString(16).padStart(2, '0')).join('')}`
}

/** A colour over an opaque one, as a browser mixes them: in sRGB. */
export function over(front: Colour, back: Triple): Triple {
  const mix = (i: 0 | 1 | 2) => front.rgb[i] * front.alpha + back[i] * (1 - front.alpha)
  return [mix(0), mix(1), mix(2)]
}

/** sRGB (0 to 255) as light (0 to 1). */
export function linear(rgb: Triple): Triple {
  const one = (value: number) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }
  return [one(rgb[0]), one(rgb[1]), one(rgb[2])]
}

/** Light (0 to 1) as sRGB (0 to 255); may lie outside where sRGB has no such colour. */
export function gamma(light: Triple): Triple {
  const one = (value: number) => {
    const size = Math.abs(value)
    const part = size <= 0.0031308 ? 12.92 * size : 1.055 * size ** (1 / 2.4) - 0.055
    return Math.sign(value) * part * 255
  }
  return [one(light[0]), one(light[1]), one(light[2])]
}

/** WCAG's relative luminance, 0 to 1. */
export function luminance(rgb: Triple): number {
  const [r, g, b] = linear(rgb)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

/** WCAG's contrast of two colours, 1 to 21. */
export function contrast(one: Triple, other: Triple): number {
  const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number]
  return (bright + 0.05) / (dark + 0.05)
}

export function rgbToOklab(rgb: Triple): Triple {
  const [r, g, b] = linear(rgb)
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ]
}

export function oklabToRgb([lightness, a, b]: Triple): Triple {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  return gamma([
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ])
}

function clamped(rgb: Triple): Triple {
  const one = (value: number) => Math.max(0, Math.min(255, value))
  return [one(rgb[0]), one(rgb[1]), one(rgb[2])]
}

/** "50%" is 0.5, "0.5" is 0.5. */
function share(text: string): number {
  return text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text)
}

function fromHex(hex: string): Colour | null {
  const digits = hex.length < 6 ? [...hex].map((digit) => digit + digit).join('') : hex
  if (digits.length !== 6 && digits.length !== 8) return null
  const at = (index: number) => parseInt(digits.slice(index, index + 2), 16)
  return { rgb: [at(0), at(2), at(4)], alpha: digits.length === 8 ? at(6) / 255 : 1 }
}
