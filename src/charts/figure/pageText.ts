// Where the browser put a text: each line of it as a run with its box and its baseline.
import type { Font, TextMark } from './marks.ts'

interface Run {
  text: string
  box: DOMRect
  /** On the screen. */
  baseline: number
  anchor: TextMark['anchor']
}

export function textRuns(node: Text, parent: Element, style: CSSStyleDeclaration, font: Font): Run[] {
  if (node.data.trim() === '') return []
  const range = document.createRange()
  range.selectNodeContents(node)
  const rects = [...range.getClientRects()].filter(({ width }) => width > 0)
  if (rects.length === 0) return []
  const preserved = style.whiteSpaceCollapse?.startsWith('preserve') || style.whiteSpace.startsWith('pre')
  const simple = rects.length === 1 && node.data === node.data.trim()
  const lines = simple ? [{ text: node.data, box: rects[0]! }] : byLine(node, range)
  const shown =
    style.textOverflow === 'ellipsis' ? lines.map((line) => shortened(line, node, range, parent)) : lines
  // Where another font makes a line wider or narrower, or has digits of other widths, it keeps its alignment.
  const anchor = ANCHORS[style.textAlign]
  return shown.map(({ text, box }) => ({
    text: transformed(preserved ? text : text.replace(/\s+/g, ' '), style.textTransform),
    box,
    baseline: baselineOf(box, font),
    anchor: anchor ?? 'start',
  }))
}

const ANCHORS: Record<string, TextMark['anchor']> = { right: 'end', end: 'end', center: 'middle' }

interface Line {
  text: string
  box: DOMRect
}

/** Characters that take room, gathered by the line they stand on. */
function byLine(node: Text, range: Range): Line[] {
  const lines: Line[] = []
  for (const { at, letter } of letters(node.data)) {
    range.setStart(node, at)
    range.setEnd(node, at + letter.length)
    const box = range.getBoundingClientRect()
    if (box.width === 0 && box.height === 0) continue
    if (box.width === 0 && /\s/.test(letter)) continue
    const last = lines.at(-1)
    if (last && Math.abs(last.box.top - box.top) < box.height / 2) {
      last.text += letter
      const right = Math.max(last.box.right, box.right)
      last.box = new DOMRect(last.box.left, last.box.top, right - last.box.left, last.box.height)
    } else if (letter.trim() !== '' || box.width > 0) lines.push({ text: letter, box })
  }
  return lines.filter(({ text }) => text.trim() !== '')
}

/** A line that its box cuts off, with the mark that it was cut. */
function shortened(line: Line, node: Text, range: Range, parent: Element): Line {
  const room = parent.getBoundingClientRect()
  if (line.box.right <= room.right + 0.5) return line
  let text = ''
  let right = line.box.left
  for (const { at, letter } of letters(node.data)) {
    range.setStart(node, at)
    range.setEnd(node, at + letter.length)
    const box = range.getBoundingClientRect()
    // The mark is about as wide as a letter of its size.
    if (box.right + box.height * 0.55 > room.right) break
    text += letter
    right = box.right
  }
  return {
    text: `${text.trimEnd()}…`,
    box: new DOMRect(line.box.left, line.box.top, right - line.box.left, line.box.height),
  }
}

function* letters(text: string): Generator<{ at: number; letter: string }> {
  let at = 0
  for (const letter of text) {
    yield { at, letter }
    at += letter.length
  }
}

let ruler: CanvasRenderingContext2D | null | undefined

/** A text's box is its font's ascent and descent around the baseline. */
function baselineOf(box: DOMRect, { style, weight, size, family }: Font): number {
  ruler ??= document.createElement('canvas').getContext('2d')
  if (!ruler) return box.bottom - 0.25 * box.height
  ruler.font = `${style} ${weight} ${size}px ${family}`
  const { fontBoundingBoxAscent: ascent, fontBoundingBoxDescent: descent } = ruler.measureText('x')
  return box.top + (box.height - ascent - descent) / 2 + ascent
}

function transformed(text: string, how: string): string {
  if (how === 'uppercase') return text.toUpperCase()
  return how === 'lowercase' ? text.toLowerCase() : text
}
