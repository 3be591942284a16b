// Cuts UTF-8 bytes into rows and cells (RFC 4180 and what people make of it). Written by hand in place of PapaParse's core,
// because an import also hashes, profiles and stores what it reads: this one makes no strings, but pushes the cells together
// where they are, and goes on where a piece of the file ended. In UTF-8 no character hides another one's bytes.
import { isAscii, textOf } from '../protocol/byteRows.ts'
import { byteSearch, WINDOW } from './byteSearch.ts'

const [SPACE, LINE_FEED, RETURN] = [0x20, 0x0a, 0x0d]
/** In place of where something is. */
const [PARTIAL, OPEN] = [-1, -2]
/** Bytes that are moved one by one before a move of many is worth its call. */
const FEW = 16
/** Numbers of a piece of a cell: where it starts and ends, and whether the cell ends with it. */
const PIECE = 3

/** Why no further row came out. */
export type Stop = 'end' | 'partial' | 'openQuote'

export class CsvScanner {
  /** The cells one after the other, and later in it what is being read. */
  bytes = new Uint8Array(0)
  /** Where each cell ends. */
  ends = new Uint32Array(4096)
  /** Cells that there are. */
  count = 0
  /** Every byte is a character of its own. */
  ascii = true
  /** Of the last row: line ends inside its cells. */
  lineEnds = 0
  /** Of the last row: a quote inside a quoted cell is not doubled. */
  badQuote = false
  #length = 0
  #at = 0
  /** Bytes of the cells. */
  #filled = 0
  /** How the file's first row ends; '' until it has. Inside quotes, only such line ends stand for a line end of a text. */
  #lineEnd = ''
  readonly #delimiter: Uint8Array
  #quote: Uint8Array
  readonly #search = byteSearch()
  /** Of the window looked through last: the next mark, how many there are, and where the window ends. */
  #mark = 0
  #marks = 0
  #windowEnd = 0
  /** Pieces of the cells of the row being read, one after the other, and the numbers that count. */
  readonly #found: number[] = []
  #foundLength = 0

  /** @param quote '' where quotes are plain characters */
  constructor(delimiter: string, quote: string) {
    this.#delimiter = new TextEncoder().encode(delimiter)
    this.#quote = new TextEncoder().encode(quote)
  }

  /** From here on quotes are plain characters. */
  dropQuotes(): void {
    this.#quote = new Uint8Array(0)
  }

  /** Takes the next piece, and forgets the cells of those before. */
  append(piece: Uint8Array, ascii: boolean): void {
    const left = this.left
    const length = left + piece.length
    const rest = this.bytes.subarray(this.#at, this.#length)
    this.ascii = ascii && (this.ascii || isAscii(rest))
    if (length > this.bytes.length) {
      this.bytes = new Uint8Array(Math.ceil(1.1 * length))
      this.bytes.set(rest)
    } else this.bytes.copyWithin(0, this.#at, this.#length)
    this.bytes.set(piece, left)
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
    return textOf(this.bytes.subarray(this.start(cell), this.ends[cell]))
  }

  /** Only the first cells stay. */
  keep(count: number): void {
    this.count = count
    this.#filled = this.start(count)
  }

  /** Empty cells, until there are so many. */
  widen(count: number): void {
    while (this.count < count) this.#cell(this.#filled, this.#filled)
  }

  /** Takes bytes `from` to `to` out of one of the last row's cells. */
  cut(cell: number, from: number, to: number): void {
    this.bytes.copyWithin(from, to, this.#filled)
    this.#filled -= to - from
    for (let i = cell; i < this.count; i++) this.ends[i]! -= to - from
  }

  /**
   * Takes the rest of the line away, however it is quoted, at most `limit` bytes; its cells are what lies between delimiters.
   * Whether the line ends within them.
   */
  plainLine(limit: number): boolean {
    const { bytes } = this
    let end = this.#at
    let stop = Math.min(this.#length, end + limit)
    while (end < stop && bytes[end] !== LINE_FEED && bytes[end] !== RETURN) end++
    const ended = end < stop || this.left <= limit
    // No character is cut in two.
    if (!ended) while (stop > this.#at && (bytes[stop]! & 0xc0) === 0x80) end = --stop
    const next = end + this.#lineEndAt(end).length
    for (let at = this.#at; ; at += this.#delimiter.length) {
      if (this.#startsWith(this.#quote, at, end)) at += this.#quote.length
      const start = at
      while (at < end && !this.#startsWith(this.#delimiter, at, end)) at++
      const last = at >= end
      this.#cell(start, at)
      if (last) break
    }
    this.#at = next
    return ended
  }

  /** Takes everything up to the next line end away, or all there is; whether there was one. */
  skipLine(): boolean {
    let at = this.#at
    while (at < this.#length && this.bytes[at] !== LINE_FEED && this.bytes[at] !== RETURN) at++
    const ended = at < this.#length
    this.#at = at + this.#lineEndAt(at).length
    return ended
  }

  /** Calls `onRow` for each row that is complete with its first cell; with `final` the last one needs no line end. */
  rows(final: boolean, onRow: (first: number) => void): Stop {
    // What was not found before may be there now.
    this.#mark = this.#marks = 0
    this.#windowEnd = this.#at
    while (this.#at < this.#length) {
      const stop = this.#row(final)
      if (stop !== null) return stop
      const first = this.count
      const found = this.#found
      for (let i = 0; i < this.#foundLength; i += PIECE) {
        this.#move(found[i]!, found[i + 1]!)
        if (found[i + 2] === 1) this.#end()
      }
      if (this.#returns) this.#mendReturns(first)
      onRow(first)
    }
    return 'end'
  }

  /** Of the row being read: a quoted cell holds a return. */
  #returns = false

  /** Finds the cells of the next row; null where it is complete. Nothing is moved before that. */
  #row(final: boolean): Stop | null {
    const { bytes } = this
    const length = this.#length
    const quote = this.#quote.length === 0 ? -1 : this.#quote[0]!
    const delimiter = this.#delimiter[0]!
    const width = this.#delimiter.length
    this.#foundLength = 0
    this.#returns = false
    this.lineEnds = 0
    this.badQuote = false
    let at = this.#at
    for (;;) {
      if (at < length && bytes[at] === quote && this.#startsWith(this.#quote, at, length)) {
        at = this.#quoted(at + this.#quote.length, final)
        if (at < 0) return at === PARTIAL ? 'partial' : 'openQuote'
      } else {
        const start = at
        at = this.#stopFrom(start)
        if (at >= length && !final) return 'partial'
        this.#piece(start, at, 1)
      }
      if (
        at < length &&
        bytes[at] === delimiter &&
        (width === 1 || this.#startsWith(this.#delimiter, at, length))
      ) {
        at += width
        continue
      }
      const lineEnd = this.#lineEndAt(at)
      // A return alone may be half of a line end.
      if (lineEnd === '\r' && at + 1 === length && !final) return 'partial'
      this.#lineEnd ||= lineEnd
      this.#at = at + lineEnd.length
      return null
    }
  }

  /** Finds the end of the quoted cell that begins at `start`; gives where what follows begins, or PARTIAL or OPEN. */
  #quoted(start: number, final: boolean): number {
    const { bytes } = this
    const length = this.#length
    const width = this.#quote.length
    const spaces = this.#delimiter[0] !== SPACE || this.#delimiter.length > 1
    for (let end = this.#quoteFrom(start); end >= 0;) {
      const behind = end + width
      if (this.#startsWith(this.#quote, behind, length)) {
        // The first of the two stays.
        this.#piece(start, behind, 0)
        start = behind + width
        end = this.#quoteFrom(start)
        continue
      }
      let after = behind
      while (spaces && after < length && bytes[after] === SPACE) after++
      if (after >= length && !final) return PARTIAL
      const next = after < length ? bytes[after] : LINE_FEED
      if (next === LINE_FEED || next === RETURN || this.#startsWith(this.#delimiter, after, length)) {
        this.#piece(start, end, 1)
        return after
      }
      this.badQuote = true
      end = this.#quoteFrom(behind)
    }
    return final ? OPEN : PARTIAL
  }

  #piece(start: number, end: number, last: number): void {
    const found = this.#found
    const at = this.#foundLength
    found[at] = start
    found[at + 1] = end
    found[at + 2] = last
    this.#foundLength = at + PIECE
  }

  /** Where a delimiter or a line end is next, or the end of all. */
  #stopFrom(start: number): number {
    const { bytes } = this
    const { places } = this.#search
    const delimiter = this.#delimiter[0]!
    while (this.#mark < this.#marks || this.#look()) {
      const at = places[this.#mark++]!
      if (at < start) continue
      const byte = bytes[at]
      if (byte === delimiter) {
        if (this.#delimiter.length === 1 || this.#startsWith(this.#delimiter, at, this.#length)) return at
      } else if (byte === LINE_FEED || byte === RETURN) return at
    }
    return this.#length
  }

  /** Where a quote is next, or -1. What lies before it is part of a cell. */
  #quoteFrom(start: number): number {
    const { bytes } = this
    const { places } = this.#search
    const quote = this.#quote[0]
    while (this.#mark < this.#marks || this.#look()) {
      const at = places[this.#mark++]!
      if (at < start) continue
      const byte = bytes[at]
      if (byte === quote) {
        if (this.#startsWith(this.#quote, at, this.#length)) return at
      } else if (byte === LINE_FEED) this.lineEnds++
      else if (byte === RETURN) this.#returns = true
    }
    return -1
  }

  /** Looks for marks beyond the window; false where there are none. */
  #look(): boolean {
    const delimiter = this.#delimiter[0]!
    while (this.#windowEnd < this.#length) {
      const from = this.#windowEnd
      this.#windowEnd = Math.min(from + WINDOW, this.#length)
      this.#mark = 0
      this.#marks = this.#search.marks(
        this.bytes,
        from,
        this.#windowEnd,
        delimiter,
        this.#quote[0] ?? delimiter,
      )
      if (this.#marks > 0) return true
    }
    return false
  }

  /** Moves bytes to where those before them end. */
  #move(start: number, end: number): void {
    const { bytes } = this
    let to = this.#filled
    if (end - start > FEW) {
      bytes.copyWithin(to, start, end)
      to += end - start
    } else while (start < end) bytes[to++] = bytes[start++]!
    this.#filled = to
  }

  /** Adds a cell. */
  #cell(start: number, end: number): void {
    this.#move(start, end)
    this.#end()
  }

  /** A cell ends where the cells end. */
  #end(): void {
    if (this.count === this.ends.length) {
      const more = new Uint32Array(2 * this.count)
      more.set(this.ends)
      this.ends = more
    }
    this.ends[this.count++] = this.#filled
  }

  /** In a file whose rows end in LF a return inside a cell is part of it; in others it is how a line ends. */
  #mendReturns(first: number): void {
    if (this.#lineEnd === '\n' || this.#lineEnd === '') return
    const { bytes, ends } = this
    this.lineEnds = 0
    let at = this.start(first)
    let to = at
    for (let i = first; i < this.count; i++) {
      for (const end = ends[i]!; at < end; at++) {
        const byte = bytes[at]!
        if (byte === RETURN && at + 1 < end && bytes[at + 1] === LINE_FEED) continue
        if (byte === RETURN || byte === LINE_FEED) this.lineEnds++
        bytes[to++] = byte === RETURN ? LINE_FEED : byte
      }
      ends[i] = to
    }
    this.#filled = to
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
