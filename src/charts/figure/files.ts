// A figure of the page as a file. Files are for papers and slides, so they have the colours of the light theme whatever
// the page's is, and lists that scroll on the page are whole in them.
import type { Table } from '../csv.ts'
import { captionOf, describeFigure, toFigureCsv, toFigureJson, type FigureInfo } from './about.ts'
import type { Figure, Mark } from './marks.ts'
import { readFigure } from './page.ts'
import { paintFigure } from './paint.ts'
import { withTexts } from './png.ts'
import { toSvg } from './svg.ts'

export const FIGURE_FORMATS = ['svg', 'png', 'json', 'csv'] as const
export type FigureFormat = (typeof FIGURE_FORMATS)[number]

/** Pixels of a PNG per pixel of the page. */
const PNG_SCALE = 2
/** No browser paints a canvas with longer sides. */
const LARGEST_SIDE = 16_384

const MARGIN = 16
const TITLE = { size: 14, line: 20 }
const SMALL = { size: 11, line: 16 }
const FAMILY = "'Inter Variable', system-ui, sans-serif"

/** @param drawing the element with what is drawn; not read for JSON and CSV, whose numbers are those of `table` */
export async function figureFile(
  format: FigureFormat,
  drawing: HTMLElement,
  info: FigureInfo,
  table: () => Table,
): Promise<Blob> {
  if (format === 'csv') return new Blob([toFigureCsv(info, table())], { type: 'text/csv' })
  if (format === 'json') return new Blob([toFigureJson(info, table())], { type: 'application/json' })
  const figure = framed(readWhole(drawing), info)
  if (format === 'svg') return new Blob([toSvg(figure, info)], { type: 'image/svg+xml' })
  const scale = Math.min(PNG_SCALE, LARGEST_SIDE / Math.max(figure.width, figure.height))
  const canvas = paintFigure(figure, scale)
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/png'))
  if (!blob) throw new Error('The picture is too large for this browser. Take the SVG.')
  const texts = {
    Title: info.title,
    Description: describeFigure(info),
    Software: `Graft ${info.graft}`,
    'graft-figure': JSON.stringify(info),
  }
  return new Blob([withTexts(new Uint8Array(await blob.arrayBuffer()), texts, scale)], { type: 'image/png' })
}

/**
 * Reads a drawing in light colours and unfolded. All of it happens before the browser draws again, so nothing is seen;
 * `data-whole` (see ChartFrame) takes away what only makes sense on a screen.
 */
function readWhole(drawing: HTMLElement): Figure {
  const before = drawing.style.colorScheme
  drawing.style.colorScheme = 'light'
  drawing.dataset.whole = ''
  const lists = [...drawing.querySelectorAll<HTMLElement>('*')]
    .filter(
      (each) =>
        each.scrollHeight > each.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(each).overflowY),
    )
    .map((list) => ({ list, maxHeight: list.style.maxHeight }))
  for (const { list } of lists) list.style.maxHeight = 'none'
  try {
    return readFigure(drawing)
  } finally {
    for (const { list, maxHeight } of lists) list.style.maxHeight = maxHeight
    delete drawing.dataset.whole
    drawing.style.colorScheme = before
  }
}

/** The drawing with its title above, and a line below that says where it is from. */
function framed(figure: Figure, info: FigureInfo): Figure {
  const rgb = [255, 255, 255] as const
  const ink = (level: number) => ({ rgb: [level, level, level] as const, alpha: 1 })
  const text = (words: string, y: number, size: number, weight: string, level: number): Mark => ({
    kind: 'text',
    text: words,
    x: MARGIN,
    y,
    anchor: 'start',
    font: { family: FAMILY, size, weight, style: 'normal', tabular: false },
    fill: ink(level),
  })
  const width = Math.max(320, figure.width) + 2 * MARGIN
  const titles = wrapped(info.title, width - 2 * MARGIN, TITLE.size)
  const heads = titles.map((line, i) =>
    text(line, MARGIN + TITLE.size + i * TITLE.line, TITLE.size, '600', 27),
  )
  const below = MARGIN + titles.length * TITLE.line
  const small = (words: string, from: number) =>
    wrapped(words, width - 2 * MARGIN, SMALL.size).map((line, i) =>
      text(line, from + SMALL.size + i * SMALL.line, SMALL.size, '400', 99),
    )
  const notes = info.note ? small(info.note, below) : []
  const top = below + notes.length * SMALL.line + 8
  const bottom = top + figure.height + 8
  const foot = small(captionOf(info), bottom)
  return {
    width,
    height: bottom + foot.length * SMALL.line + MARGIN,
    background: { rgb, alpha: 1 },
    marks: [...heads, ...notes, ...figure.marks.map((mark) => moved(mark, MARGIN, top)), ...foot],
  }
}

export function moved(mark: Mark, dx: number, dy: number): Mark {
  const clip = mark.clip && { ...mark.clip, x: mark.clip.x + dx, y: mark.clip.y + dy }
  const clipped = clip ? { clip } : {}
  if ('matrix' in mark && mark.matrix) {
    const [a, b, c, d, e, f] = mark.matrix
    return { ...mark, ...clipped, matrix: [a, b, c, d, e + dx, f + dy] }
  }
  if (mark.kind === 'path') return { ...mark, ...clipped, matrix: [1, 0, 0, 1, dx, dy] }
  return { ...mark, ...clipped, x: mark.x + dx, y: mark.y + dy }
}

/** Words in lines of about the width: letters of a sans serif are about 0.58 of their size wide. */
export function wrapped(text: string, width: number, size: number): string[] {
  const room = Math.max(8, Math.floor(width / (0.58 * size)))
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= room)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
