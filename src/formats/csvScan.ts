// Cuts UTF-8 bytes into rows and cells (RFC 4180 and what people make of it). Written by hand in place of PapaParse's core,
// because an import also hashes, profiles and stores what it reads: this one makes no strings, but lays the bytes of the cells
// one after the other, and goes on where a piece of the file ended. In UTF-8 no character hides another one's bytes.
import { textOf } from '../protocol/byteRows.ts'

const [SPACE, LINE_FEED, RETURN] = [0x20, 0x0a, 0x0d]
/** In place of where something is. */
const [PARTIAL, OPEN] = [-1, -2]

/** Why no further row came out. */
export type Stop = 'end' | 'partial' | 'openQuote'

export class CsvScanner {
  /** The cells one after the other. */
  cells = new Uint8Array(0)
  /** Where each ends. */
  ends = new Uint32Array(4096)
  /** Cells that there are. */
  count = 0
  /** Of the last row: line ends inside its cells. */
  lineEnds = 0
  /** Of the last row: a quote inside a quoted cell is not doubled. */
  badQuote = false
  /** What is being read. */
  #bytes = new Uint8Array(0)
  #length = 0
  #at = 0
  /** Bytes in `cells`. */
  #filled = 0
  /** How the file's first row ends; '' until it has. Inside quotes, only such line ends stand for a line end of a text. */
  #lineEnd = ''
  readonly #delimiter: Uint8Array
  #quote: Uint8Array
  /** 1 for bytes that may end an unquoted cell. */
  readonly #stops = new Uint8Array(256)

  /** @param quote '' where quotes are plain characters */
  constructor(delimiter: string, quote: string) {
    this.#delimiter = new TextEncoder().encode(delimiter)
    this.#quote = new TextEncoder().encode(quote)
    for (const byte of [this.#delimiter[0]!, LINE_FEED, RETURN]) this.#stops[byte] = 1
  }

  /** From here on quotes are plain characters. */
  dropQuotes(): void {
    this.#quote = new Uint8Array(0)
  }

  /** Takes the next piece, and forgets the cells of those before. */
  append(piece: Uint8Array): void {
    const left = this.left
    const length = left + piece.length
    if (length > this.#bytes.length) {
      const rest = this.#bytes.subarray(this.#at, this.#length)
      this.#bytes = new Uint8Array(Math.ceil(1.1 * length))
      this.#bytes.set(rest)
      this.cells = new Uint8Array(this.#bytes.length)
    } else this.#bytes.copyWithin(0, this.#at, this.#length)
    this.#bytes.set(piece, left)
    this.#length = length
    this.#at = 0
    this.count = this.#filled = 0
  }

  /** Bytes that have not become rows. */
  get left(): number {
    return this.#length - this.#at
  }

  start(cell: number): number {
    return cell === 0 ? 0 : this.ends[cell - 1]!
  }

  cell(cell: number): string {
    return textOf(this.cells.subarray(this.start(cell), this.ends[cell]))
  }

  /** Only the first cells stay. */
  keep(count: number): void {
    this.count = count
    this.#filled = this.start(count)
  }

  /** Empty cells, until there are so many. */
  widen(count: number): void {
    while (this.count < count) this.#cell()
  }

  /** Takes bytes `from` to `to` out of one of the last row's cells. */
  cut(cell: number, from: number, to: number): void {
    this.cells.copyWithin(from, to, this.#filled)
    this.#filled -= to - from
    for (let i = cell; i < this.count; i++) this.ends[i]! -= to - from
  }

  /**
   * Takes the rest of the line away, however it is quoted, at most `limit` bytes; its cells are what lies between delimiters.
   * Whether the line ends within them.
   */
  plainLine(limit: number): boolean {
    const bytes = this.#bytes
    let end = this.#at
    let stop = Math.min(this.#length, end + limit)
    while (end < stop && bytes[end] !== LINE_FEED && bytes[end] !== RETURN) end++
    const ended = end < stop || this.left <= limit
    // No character is cut in two.
    if (!ended) while (stop > this.#at && (bytes[stop]! & 0xc0) === 0x80) end = --stop
    for (let at = this.#at; ; at += this.#delimiter.length) {
      if (this.#startsWith(this.#quote, at, end)) at += this.#quote.length
      while (at < end && !this.#startsWith(this.#delimiter, at, end))
        this.cells[this.#filled++] = bytes[at++]!
      this.#cell()
      if (at >= end) break
    }
    this.#at = end + this.#lineEndAt(end).length
    return ended
  }

  /** Takes everything up to the next line end away, or all there is; whether there was one. */
  skipLine(): boolean {
    let at = this.#at
    while (at < this.#length && this.#bytes[at] !== LINE_FEED && this.#bytes[at] !== RETURN) at++
    this.#at = at + this.#lineEndAt(at).length
    return at < this.#length
  }

  /** Calls `onRow` for each row that is complete with its first cell; with `final` the last one needs no line end. */
  rows(final: boolean, onRow: (first: number) => void): Stop {
    while (this.#at < this.#length) {
      const first = this.count
      const stop = this.#row(final)
      if (stop !== null) {
        this.keep(first)
        return stop
      }
      onRow(first)
    }
    return 'end'
  }

  /** Null where a row came out. */
  #row(final: boolean): Stop | null {
    const bytes = this.#bytes
    const length = this.#length
    const { cells } = this
    const stops = this.#stops
    const quote = this.#quote.length === 0 ? -1 : this.#quote[0]!
    const delimiter = this.#delimiter[0]!
    const width = this.#delimiter.length
    const first = this.count
    let returns = false
    this.lineEnds = 0
    this.badQuote = false
    let at = this.#at
    for (;;) {
      if (at < length && bytes[at] === quote && this.#startsWith(this.#quote, at, length)) {
        const after = this.#quoted(at + this.#quote.length, final)
        if (after < 0) return after === PARTIAL ? 'partial' : 'openQuote'
        returns ||= this.#sawReturn
        at = after
      } else {
        let to = this.#filled
        for (let byte = 0; at < length; at++) {
          byte = bytes[at]!
          if (
            stops[byte] !== 0 &&
            (byte !== delimiter || width === 1 || this.#startsWith(this.#delimiter, at, length))
          )
            break
          cells[to++] = byte
        }
        if (at >= length && !final) return 'partial'
        this.#filled = to
      }
      this.#cell()
      if (
        at < length &&
        bytes[at] === delimiter &&
        (width === 1 || this.#startsWith(this.#delimiter, at, length))
      ) {
        at += width
        continue
      }
      if (at < length && bytes[at] === LINE_FEED) {
        this.#lineEnd ||= '\n'
        this.#at = at + 1
      } else {
        const lineEnd = this.#lineEndAt(at)
        // A return alone may be half of a line end.
        if (lineEnd === '\r' && at + 1 === length && !final) return 'partial'
        this.#lineEnd ||= lineEnd
        this.#at = at + lineEnd.length
      }
      if (returns) this.#mendReturns(first)
      return null
    }
  }

  /** The last quoted cell held a return. */
  #sawReturn = false

  /** Takes what is between the quotes from `at` on; gives where that which follows them begins, or PARTIAL or OPEN. */
  #quoted(at: number, final: boolean): number {
    const bytes = this.#bytes
    const length = this.#length
    const { cells } = this
    const quote = this.#quote[0]!
    const width = this.#quote.length
    const spaces = this.#delimiter[0] !== SPACE || this.#delimiter.length > 1
    let to = this.#filled
    let feeds = 0
    this.#sawReturn = false
    for (;;) {
      let byte = 0
      while (at < length && (byte = bytes[at]!) !== quote) {
        if (byte === LINE_FEED) feeds++
        else if (byte === RETURN) this.#sawReturn = true
        cells[to++] = byte
        at++
      }
      if (at >= length) return final ? OPEN : PARTIAL
      if (width > 1 && !this.#startsWith(this.#quote, at, length)) {
        cells[to++] = quote
        at++
        continue
      }
      at += width
      for (let i = 0; i < width; i++) cells[to + i] = this.#quote[i]!
      if (this.#startsWith(this.#quote, at, length)) {
        to += width
        at += width
        continue
      }
      let after = at
      while (spaces && after < length && bytes[after] === SPACE) after++
      if (after >= length && !final) return PARTIAL
      const next = after < length ? bytes[after] : LINE_FEED
      if (next === LINE_FEED || next === RETURN || this.#startsWith(this.#delimiter, after, length)) {
        this.lineEnds += feeds
        this.#filled = to
        return after
      }
      this.badQuote = true
      to += width
    }
  }

  /** In a file whose rows end in LF a return inside a cell is part of it; in others it is how a line ends. */
  #mendReturns(first: number): void {
    if (this.#lineEnd === '\n' || this.#lineEnd === '') return
    const { cells, ends } = this
    this.lineEnds = 0
    let at = this.start(first)
    let to = at
    for (let i = first; i < this.count; i++) {
      for (const end = ends[i]!; at < end; at++) {
        const byte = cells[at]!
        if (byte === RETURN && at + 1 < end && cells[at + 1] === LINE_FEED) continue
        if (byte === RETURN || byte === LINE_FEED) this.lineEnds++
        cells[to++] = byte === RETURN ? LINE_FEED : byte
      }
      ends[i] = to
    }
    this.#filled = to
  }

  /** What was laid down since the last cell is one. */
  #cell(): void {
    if (this.count === this.ends.length) {
      const more = new Uint32Array(2 * this.count)
      more.set(this.ends)
      this.ends = more
    }
    this.ends[this.count++] = this.#filled
  }

  #lineEndAt(at: number): '' | '\n' | '\r' | '\r\n' {
    if (at >= this.#length) return ''
    if (this.#bytes[at] === LINE_FEED) return '\n'
    if (this.#bytes[at] !== RETURN) return ''
    return at + 1 < this.#length && this.#bytes[at + 1] === LINE_FEED ? '\r\n' : '\r'
  }

  #startsWith(mark: Uint8Array, at: number, end: number): boolean {
    if (mark.length === 0 || at + mark.length > end) return false
    for (let i = 0; i < mark.length; i++) if (this.#bytes[at + i] !== mark[i]) return false
    return true
  }
}
