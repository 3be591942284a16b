// Every scale that carries data, as four kinds of eyes see it, on both themes: what means different things looks different,
// more looks like more, and text stays readable on it. Colours of the themes are read from tokens.css itself.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { contrast, over, parseColour, rgbToOklab, type Triple } from '../../../src/charts/colourSpace.ts'
import {
  ABOVE,
  BELOW,
  magnitude,
  NEGATIVE,
  POSITIVE,
  subduedInk,
  tint,
  UNSIGNED,
} from '../../../src/charts/colours.ts'
import { ciede2000, lab, seenBy, SIGHTS, type Sight } from './vision.ts'

const CSS = readFileSync(new URL('../../../src/ui/tokens.css', import.meta.url), 'utf8')
const THEMES = ['light', 'dark'] as const
const EYES = Object.keys(SIGHTS) as Sight[]

function token(name: string, theme: (typeof THEMES)[number]): Triple {
  const both = new RegExp(`${name}: light-dark\\((oklch\\([^)]*\\)), (oklch\\([^)]*\\))\\)`).exec(CSS)
  return parseColour(both![theme === 'light' ? 1 : 2]!)!.rgb
}
const rgb = (css: string): Triple => parseColour(css)!.rgb
const apart = (sight: Sight, one: Triple, other: Triple) =>
  ciede2000(lab(seenBy(sight, one)), lab(seenBy(sight, other)))
const lightness = (sight: Sight, colour: Triple) => rgbToOklab(seenBy(sight, colour))[0]
/** A share of the scale behind text, mixed with the page. */
const tinted = (value: number, signed: boolean, page: Triple) => over(parseColour(tint(value, signed))!, page)
const STEPS = Array.from({ length: 17 }, (_, i) => i / 16)
/** Seen at a glance, side by side and apart. */
const DIFFERENT = 15

describe('the measures themselves', () => {
  it('agree with what their authors published', () => {
    // Sharma, Wu and Dalal 2005, table 1: rows 1, 4, 23 and 34.
    expect(ciede2000([50, 2.6772, -79.7751], [50, 0, -82.7485])).toBeCloseTo(2.0425, 4)
    expect(ciede2000([50, -1.3802, -84.2814], [50, 0, -82.7485])).toBeCloseTo(1, 4)
    expect(ciede2000([22.7233, 20.0904, -46.694], [23.0331, 14.973, -42.5619])).toBeCloseTo(2.0373, 4)
    expect(ciede2000([2.0776, 0.0795, -1.135], [0.9033, -0.0636, -0.5514])).toBeCloseTo(0.9082, 4)
    expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21, 6)
    expect(lab([255, 0, 0]).map((value) => Math.round(value))).toEqual([53, 80, 67])
    for (const sight of EYES)
      for (const value of seenBy(sight, [128, 128, 128])) expect(value).toBeCloseTo(128, 0)
    // Red and green of one lightness are what two kinds of eyes confuse.
    const [red, green] = [rgb('oklch(0.6 0.12 30)'), rgb('oklch(0.6 0.12 130)')]
    expect(apart('deuteranopia', red, green)).toBeLessThan(apart('usual', red, green) / 2)
  })
})

describe.each(THEMES)('in the %s theme', (theme) => {
  const page = token('--surface-0', theme)

  it.each(EYES)(
    'signs differ from each other and from nothing, and more is further from the page: %s',
    (sight) => {
      for (const share of [1, 0.5])
        expect(apart(sight, tinted(share, true, page), tinted(-share, true, page))).toBeGreaterThan(
          share === 1 ? 25 : 14,
        )
      for (const end of [-1, 1]) expect(apart(sight, tinted(end, true, page), page)).toBeGreaterThan(14)
      expect(apart(sight, tinted(1, false, page), page)).toBeGreaterThan(DIFFERENT)
      const bars = [POSITIVE, NEGATIVE, UNSIGNED].map(rgb)
      expect(apart(sight, bars[0]!, bars[1]!)).toBeGreaterThan(40)
      const scales = [
        STEPS.map((share) => tinted(share, true, page)),
        STEPS.map((share) => tinted(-share, true, page)),
        STEPS.map((share) => tinted(share, false, page)),
      ].map(([, ...scale]) => [page, ...scale])
      for (const scale of scales)
        for (let i = 1; i < scale.length; i++) {
          const step = lightness(sight, scale[i]!) - lightness(sight, scale[i - 1]!)
          // Darker on the light page, lighter on the dark one, at every step.
          expect(theme === 'light' ? -step : step).toBeGreaterThan(0.004)
        }
    },
  )

  it.each(EYES)(
    'signed cells differ from each other and from the page, more from step to step: %s',
    (sight) => {
      const cell = (value: number) => over({ rgb: value < 0 ? BELOW : ABOVE, alpha: Math.abs(value) }, page)
      expect(apart(sight, cell(1), cell(-1))).toBeGreaterThan(40)
      expect(apart(sight, cell(0.5), cell(-0.5))).toBeGreaterThan(20)
      for (const end of [-1, 1]) {
        const scale = STEPS.map((share) => lab(seenBy(sight, cell(end * share))))
        expect(ciede2000(scale.at(-1)!, scale[0]!)).toBeGreaterThan(25)
        for (let i = 1; i < scale.length; i++) {
          const step = scale[i]![0] - scale[i - 1]![0]
          expect(theme === 'light' ? -step : step).toBeGreaterThan(0.4)
        }
      }
    },
  )

  it.each(EYES)('series differ: %s', (sight) => {
    const series = [1, 2, 3, 4].map((i) => token(`--series-${i}`, theme))
    series.forEach((one, i) => {
      for (const other of series.slice(i + 1)) expect(apart(sight, one, other)).toBeGreaterThan(DIFFERENT)
    })
  })

  it('text is readable on every tint, special tokens too, and in the colour of its series; bars stand out', () => {
    for (const surface of ['--surface-0', '--surface-1'])
      for (let i = 1; i <= 4; i++)
        expect(contrast(token(`--series-${i}`, theme), token(surface, theme))).toBeGreaterThanOrEqual(4.5)
    for (const signed of [true, false])
      for (const share of [...STEPS, ...(signed ? STEPS.map((value) => -value) : [])]) {
        const behind = tinted(share, signed, page)
        expect(contrast(token('--text', theme), behind)).toBeGreaterThanOrEqual(4.5)
        const ink = /var\((.*)\)/.exec(subduedInk(share) ?? 'var(--text-3)')![1]!
        expect(contrast(token(ink, theme), behind)).toBeGreaterThanOrEqual(4.5)
      }
    for (const bar of [POSITIVE, NEGATIVE, UNSIGNED])
      expect(contrast(rgb(bar), page)).toBeGreaterThanOrEqual(3)
  })
})

it.each(EYES)('the magnitude of cells grows in lightness from end to end: %s', (sight) => {
  const scale = STEPS.map((share) => lab(seenBy(sight, magnitude(share)))[0])
  expect(scale.at(-1)! - scale[0]!).toBeGreaterThan(70)
  for (let i = 1; i < scale.length; i++) expect(scale[i]! - scale[i - 1]!).toBeGreaterThan(1)
  expect(apart(sight, magnitude(0), magnitude(1))).toBeGreaterThan(60)
})
