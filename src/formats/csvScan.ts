// Cuts UTF-8 bytes into rows and cells (RFC 4180 and what people make of it). Written by hand in place of PapaParse's core,
// because an import also hashes, profiles and stores what it reads: this one makes no strings, only notes where each cell
// lies, and goes on where a piece of the file ended. In UTF-8 no character hides another one's bytes.

import { textOf } from '../protocol/byteRows.ts'

const [SPACE, LINE_FEED, RETURN] = [0x20, 0x0a, 0x0d]

/** Why no further row came out. */
export type Stop = 'end' | 'partial' | 'openQuote'

export class CsvScanner {
  /** What is being read; what has become rows may have been moved about within its cells. */
  bytes = new Uint8Array(0)
  /** Where the cells lie: start and end of each. */
  spans = new Uint32Array(4096)
  /** Numbers in `spans` that count. */
  filled = 0
  /** Of the last row: line ends inside its cells. */
  lineEnds = 0
  /** Of the last row: a quote inside a quoted cell is not doubled. */
  badQuote = false
  /** How the file's first row ends; '' until it has. Inside quotes, only such line ends stand for a line end of a text. */
  #lineEnd = ''
  #at = 0
  #length = 0
  readonly #delimiter: Uint8Array
  #quote: Uint8Array
  /** 1 for bytes that may end an unquoted cell. */
  readonly #ends = new Uint8Array(256)

  /** @param quote '' where quotes are plain characters */
  constructor(delimiter: string, quote: string) {
    this.#delimiter = new TextEncoder().encode(delimiter)
    this.#quote = new TextEncoder().encode(quote)
    for (const byte of [this.#delimiter[0]!, LINE_FEED, RETURN]) this.#ends[byte] = 1
  }

  /** From here on quotes are plain characters. */
  dropQuotes(): void {
    this.#quote = new Uint8Array(0)
  }

  /** Takes the next piece, and forgets the cells of those before. */
  append(piece: Uint8Array): void {
    const left = this.left
    const length = left + piece.length
    const rest = this.bytes.subarray(this.#at, this.#length)
    if (length > this.bytes.length) {
      this.bytes = new Uint8Array(Math.ceil(1.1 * length))
      this.bytes.set(rest)
    } else this.bytes.copyWithin(0, this.#at, this.#length)
    this.bytes.set(piece, left)
    this.#length = length
    this.#at = 0
    this.filled = 0
  }

  /** Bytes that have not become rows. */
  get left(): number {
    return this.#length - this.#at
  }

  /** The cell whose span is at `place`. */
  cell(place: number): string {
    return textOf(this.bytes.subarray(this.spans[place], this.spans[place + 1]))
  }

  /** Gives the last row, whose cells are those from `first` on, so many cells: empty ones more, or no more. */
  widen(first: number, width: number): void {
    const end = this.spans[this.filled - 1]!
    while (this.filled < first + 2 * width) this.#cell(end, end)
    this.filled = first + 2 * width
  }

  /**
   * Takes the rest of the line away, however it is quoted, at most `limit` bytes; its cells are what lies between delimiters.
   * Whether the line ends within them.
   */
  plainLine(limit: number): boolean {
    const start = this.#at
    let stop = Math.min(this.#length, start + limit)
    let end = start
    while (end < stop && this.bytes[end] !== LINE_FEED && this.bytes[end] !== RETURN) end++
    const ended = end < stop || this.left <= limit
    // No character is cut in two.
    if (!ended) while (stop > start && (this.bytes[stop]! & 0xc0) === 0x80) end = --stop
    for (let cell = start; ;) {
      const from = this.#startsWith(this.#quote, cell, end) ? cell + this.#quote.length : cell
      while (cell < end && !this.#startsWith(this.#delimiter, cell, end)) cell++
      this.#cell(from, cell)
      if (cell >= end) break
      cell += this.#delimiter.length
    }
    this.#at = end + this.#lineEndAt(end).length
    return ended
  }

  /** Takes everything up to the next line end away, or all there is; whether there was one. */
  skipLine(): boolean {
    let at = this.#at
    while (at < this.#length && this.bytes[at] !== LINE_FEED && this.bytes[at] !== RETURN) at++
    this.#at = at + this.#lineEndAt(at).length
    return at < this.#length
  }

  /**
   * Calls `onRow` for each row that is complete, its cells being those from `filled` before it on; with `final` the last one
   * needs no line end.
   */
  rows(final: boolean, onRow: (first: number) => void): Stop {
    while (this.#at < this.#length) {
      const first = this.filled
      const stop = this.#row(final)
      if (stop !== null) {
        this.filled = first
        return stop
      }
      onRow(first)
    }
    return 'end'
  }

  /** Null where a row came out. */
  #row(final: boolean): Stop | null {
    const { bytes } = this
    const length = this.#length
    const ends = this.#ends
    const quote = this.#quote.length === 0 ? -1 : this.#quote[0]!
    const delimiterWidth = this.#delimiter.length
    const delimiter = this.#delimiter[0]!
    const first = this.filled
    let quotedReturns = false
    this.lineEnds = 0
    this.badQuote = false
    let at = this.#at
    for (;;) {
      if (at < length && bytes[at] === quote && this.#startsWith(this.#quote, at, length)) {
        const after = this.#quoted(at + this.#quote.length, final)
        if (after < 0) return after === -1 ? 'partial' : 'openQuote'
        quotedReturns ||= this.#sawReturn
        at = after
      } else {
        const start = at
        for (;;) {
          while (at < length && ends[bytes[at]!] === 0) at++
          if (at >= length || delimiterWidth === 1 || bytes[at] !== delimiter) break
          if (this.#startsWith(this.#delimiter, at, length)) break
          at++
        }
        if (at >= length && !final) return 'partial'
        this.#cell(start, at)
      }
      if (at < length && bytes[at] === delimiter && this.#startsWith(this.#delimiter, at, length)) {
        at += delimiterWidth
        continue
      }
      const lineEnd = this.#lineEndAt(at)
      // A return alone may be half of a line end.
      if (lineEnd === '\r' && at + 1 === length && !final) return 'partial'
      if (lineEnd !== '') this.#lineEnd ||= lineEnd
      this.#at = at + lineEnd.length
      if (quotedReturns) this.#mendReturns(first)
      return null
    }
  }

  /** The last quoted cell held a return. */
  #sawReturn = false

  /** A quoted cell that begins at `start`; gives where what follows it begins, -1 for a partial cell, -2 for an open quote. */
  #quoted(start: number, final: boolean): number {
    const { bytes } = this
    const length = this.#length
    const quote = this.#quote[0]!
    const width = this.#quote.length
    const spaces = this.#delimiter[0] !== SPACE || this.#delimiter.length > 1
    let doubled = false
    let feeds = 0
    this.#sawReturn = false
    for (let at = start; ;) {
      let byte = 0
      while (at < length && (byte = bytes[at]!) !== quote) {
        if (byte === LINE_FEED) feeds++
        else if (byte === RETURN) this.#sawReturn = true
        at++
      }
      if (at >= length) return final ? -2 : -1
      if (width > 1 && !this.#startsWith(this.#quote, at, length)) {
        at++
        continue
      }
      const end = at
      at += width
      if (this.#startsWith(this.#quote, at, length)) {
        doubled = true
        at += width
        continue
      }
      let after = at
      while (spaces && after < length && bytes[after] === SPACE) after++
      if (after >= length && !final) return -1
      const next = after < length ? bytes[after] : LINE_FEED
      if (next === LINE_FEED || next === RETURN || this.#startsWith(this.#delimiter, after, length)) {
        this.lineEnds += feeds
        this.#cell(start, doubled ? this.#undouble(start, end) : end)
        return after
      }
      this.badQuote = true
    }
  }

  /** Each two quotes in a cell become one; the cell's new end. */
  #undouble(start: number, end: number): number {
    const { bytes } = this
    const width = this.#quote.length
    let to = start
    for (let at = start; at < end;) {
      if (
        bytes[at] === this.#quote[0] &&
        this.#startsWith(this.#quote, at, end) &&
        this.#startsWith(this.#quote, at + width, end)
      ) {
        for (let i = 0; i < width; i++) bytes[to++] = this.#quote[i]!
        at += 2 * width
      } else bytes[to++] = bytes[at++]!
    }
    // Half a character must not be left behind.
    bytes.fill(SPACE, to, end)
    return to
  }

  /** In a file whose rows end in LF a return inside a cell is part of it; in others it is how a line ends. */
  #mendReturns(first: number): void {
    if (this.#lineEnd === '\n' || this.#lineEnd === '') return
    const { bytes, spans } = this
    this.lineEnds = 0
    for (let i = first; i < this.filled; i += 2) {
      const end = spans[i + 1]!
      let to = spans[i]!
      for (let at = to; at < end; at++) {
        const byte = bytes[at]!
        if (byte === RETURN && at + 1 < end && bytes[at + 1] === LINE_FEED) continue
        if (byte === RETURN || byte === LINE_FEED) this.lineEnds++
        bytes[to++] = byte === RETURN ? LINE_FEED : byte
      }
      bytes.fill(SPACE, to, end)
      spans[i + 1] = to
    }
  }

  #cell(start: number, end: number): void {
    if (this.filled === this.spans.length) {
      const wider = new Uint32Array(2 * this.filled)
      wider.set(this.spans)
      this.spans = wider
    }
    this.spans[this.filled++] = start
    this.spans[this.filled++] = end
  }

  #lineEndAt(at: number): '' | '\n' | '\r' | '\r\n' {
    if (at >= this.#length) return ''
    if (this.bytes[at] === LINE_FEED) return '\n'
    if (this.bytes[at] !== RETURN) return ''
    return at + 1 < this.#length && this.bytes[at + 1] === LINE_FEED ? '\r\n' : '\r'
  }

  #startsWith(mark: Uint8Array, at: number, end: number): boolean {
    if (mark.length === 0 || at + mark.length > end) return false
    for (let i = 0; i < mark.length; i++) if (this.bytes[at + i] !== mark[i]) return false
    return true
  }
}
