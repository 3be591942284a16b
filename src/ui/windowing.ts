// Which rows of a long table are in sight. A browser cannot scroll a box of arbitrary height (Firefox stops near
// 17 million pixels), so above MAX_HEIGHT the scrollbar moves over the rows proportionally.

/** Tallest scroll box, in pixels: 250,000 rows of 32 pixels scroll one to one. */
const MAX_HEIGHT = 8_000_000
/** Rows drawn above and below the part in sight. */
const OVERSCAN = 8

export interface RowWindow {
  /** First row drawn and the one after the last. */
  first: number
  last: number
  /** Where the first drawn row starts inside the scroll box, in pixels. */
  top: number
  /** Height of the scroll box. */
  height: number
}

export interface WindowInput {
  rows: number
  rowHeight: number
  viewport: number
  scrollTop: number
}

export function rowWindow({ rows, rowHeight, viewport, scrollTop }: WindowInput): RowWindow {
  const whole = rows * rowHeight
  const height = Math.min(whole, MAX_HEIGHT)
  const offset = scrollTop * scale(whole, height, viewport)
  const first = Math.max(0, Math.floor(offset / rowHeight) - OVERSCAN)
  const last = Math.min(rows, Math.ceil((offset + viewport) / rowHeight) + OVERSCAN)
  return { first, last, top: scrollTop - offset + first * rowHeight, height }
}

/** The scroll position that brings a row into sight with the least movement. */
export function scrollToRow(input: WindowInput, row: number): number {
  const { rows, rowHeight, viewport, scrollTop } = input
  const whole = rows * rowHeight
  const factor = scale(whole, Math.min(whole, MAX_HEIGHT), viewport)
  const offset = scrollTop * factor
  const top = row * rowHeight
  if (top < offset) return top / factor
  if (top + rowHeight > offset + viewport) return (top + rowHeight - viewport) / factor
  return scrollTop
}

/** Pixels of rows for one pixel of the scrollbar. */
function scale(whole: number, height: number, viewport: number): number {
  return height > viewport ? Math.max(1, (whole - viewport) / (height - viewport)) : 1
}
