// Which rows of a long table are in sight. A browser cannot scroll a box of arbitrary height (Firefox stops near
// 17 million pixels), so above MAX_HEIGHT the scrollbar moves over the rows proportionally, while a wheel, a finger or a key
// still moves them pixel by pixel: `Glide` follows both.

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
  /** Pixels of rows above the part in sight; by default what the scrollbar says. */
  offset?: number
}

export function rowWindow(input: WindowInput): RowWindow {
  const { rows, rowHeight, viewport, scrollTop } = input
  const offset = input.offset ?? offsetAt(input)
  const first = Math.max(0, Math.floor(offset / rowHeight) - OVERSCAN)
  const last = Math.min(rows, Math.ceil((offset + viewport) / rowHeight) + OVERSCAN)
  return { first, last, top: scrollTop - offset + first * rowHeight, height: boxHeight(rows * rowHeight) }
}

/** The scroll position that brings a row into sight with the least movement. */
export function scrollToRow(input: WindowInput, row: number): number {
  const offset = offsetOfRow(input, row)
  const before = input.offset ?? offsetAt(input)
  return offset === before ? input.scrollTop : offset / scaleOf(input)
}

/** The offset that brings a row into sight with the least movement. */
export function offsetOfRow(input: WindowInput, row: number): number {
  const { rowHeight, viewport } = input
  const offset = input.offset ?? offsetAt(input)
  const top = row * rowHeight
  if (top < offset) return top
  if (top + rowHeight > offset + viewport) return top + rowHeight - viewport
  return offset
}

/** Where the rows are while the box is scrolled by all means that there are. Pure: the box is told what to do. */
export class Glide {
  offset = 0
  scrollTop = 0

  /** The box has scrolled: a little is a wheel or a finger, a lot is the scrollbar. */
  scrolled(scrollTop: number, input: Omit<WindowInput, 'scrollTop' | 'offset'>): void {
    const at = { ...input, scrollTop }
    const moved = scrollTop - this.scrollTop
    const most = Math.max(0, input.rows * input.rowHeight - input.viewport)
    const bottom = boxHeight(input.rows * input.rowHeight) - input.viewport
    if (scaleOf(at) === 1 || scrollTop <= 0 || scrollTop >= bottom - 1) this.offset = offsetAt(at)
    else if (Math.abs(moved) <= 2 * input.viewport) this.offset += moved
    else this.offset = offsetAt(at)
    this.offset = Math.max(0, Math.min(most, this.offset))
    this.scrollTop = scrollTop
  }

  /** Scroll position of the box that goes with the rows in sight; to be set when the box rests, and read back. */
  resting(input: Omit<WindowInput, 'scrollTop' | 'offset'>): number {
    return this.offset / scaleOf({ ...input, scrollTop: this.scrollTop })
  }

  /** Goes to an offset; the box is to be scrolled to what this gives, and `arrived` told where it came to rest. */
  go(offset: number, input: Omit<WindowInput, 'scrollTop' | 'offset'>): number {
    this.offset = Math.max(0, Math.min(Math.max(0, input.rows * input.rowHeight - input.viewport), offset))
    return this.resting(input)
  }

  /** The box was moved by us, to here: nothing of it is a person's doing. */
  arrived(scrollTop: number): void {
    this.scrollTop = scrollTop
  }
}

function offsetAt(input: WindowInput): number {
  return input.scrollTop * scaleOf(input)
}

function boxHeight(whole: number): number {
  return Math.min(whole, MAX_HEIGHT)
}

/** Pixels of rows for one pixel of the scrollbar. */
function scaleOf({ rows, rowHeight, viewport }: WindowInput): number {
  const whole = rows * rowHeight
  const height = boxHeight(whole)
  return height > viewport ? Math.max(1, (whole - viewport) / (height - viewport)) : 1
}
