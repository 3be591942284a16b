// Cuts UTF-8 bytes into rows and cells (RFC 4180 and what people make of it). Written by hand in place of PapaParse's core,
// because an import also hashes, profiles and stores what it reads: this one makes no strings, but pushes the cells together
// where they are, and goes on where a piece of the file ended. In UTF-8 no character hides another one's bytes.
import { isAscii, textOf } from '../protocol/byteRows.ts'

const [SPACE, LINE_FEED, RETURN] = [0x20, 0x0a, 0x0d]
/** In place of where something is. */
const [PARTIAL, OPEN] = [-1, -2]
/** Bytes that are looked at, or moved, one by one before a search, or a move, of many is worth its call. */
const FEW = 24

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
  /** 1 for bytes that may end an unquoted cell. */
  readonly #stops = new Uint8Array(256)
  #nextDelimiter = -1
  #nextLineFeed = -1
  #nextReturn = -1
  /** Of the row being read, a cell each: where it starts and ends, and whether it holds doubled quotes. */
  #found: number[] = []

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
    this.#nextDelimiter = this.#nextLineFeed = this.#nextReturn = -1
    while (this.#at < this.#length) {
      const stop = this.#row(final)
      if (stop !== null) return stop
      const first = this.count
      const found = this.#found
      for (let i = 0; i < found.length; i += 3)
        if (found[i + 2] === 0) this.#cell(found[i]!, found[i + 1]!)
        else this.#undoubled(found[i]!, found[i + 1]!)
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
    const stops = this.#stops
    const quote = this.#quote.length === 0 ? -1 : this.#quote[0]!
    const delimiter = this.#delimiter[0]!
    const width = this.#delimiter.length
    const found = this.#found
    found.length = 0
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
        for (;;) {
          const near = at + FEW < length ? at + FEW : length
          while (at < near && stops[bytes[at]!] === 0) at++
          if (at === near && at < length) at = this.#nextStop(at)
          if (at >= length || width === 1 || bytes[at] !== delimiter) break
          if (this.#startsWith(this.#delimiter, at, length)) break
          at++
        }
        if (at >= length && !final) return 'partial'
        found.push(start, at, 0)
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
    let doubled = 0
    for (let end = this.#quoteFrom(start); end >= 0;) {
      const behind = end + width
      if (this.#startsWith(this.#quote, behind, length)) {
        doubled = 1
        end = this.#quoteFrom(behind + width)
        continue
      }
      let after = behind
      while (spaces && after < length && bytes[after] === SPACE) after++
      if (after >= length && !final) return PARTIAL
      const next = after < length ? bytes[after] : LINE_FEED
      if (next === LINE_FEED || next === RETURN || this.#startsWith(this.#delimiter, after, length)) {
        if (this.#lineFeedFrom(start) < end) this.lineEnds += this.#lineFeeds(start, end)
        if (this.#returnFrom(start) < end) this.#returns = true
        this.#found.push(start, end, doubled)
        return after
      }
      this.badQuote = true
      end = this.#quoteFrom(behind)
    }
    return final ? OPEN : PARTIAL
  }

  /** Where the next quote is, or -1. */
  #quoteFrom(at: number): number {
    const { bytes } = this
    const [first] = this.#quote
    for (;;) {
      const near = Math.min(at + FEW, this.#length)
      while (at < near && bytes[at] !== first) at++
      if (at === near) at = bytes.indexOf(first!, at)
      if (at < 0 || at >= this.#length) return -1
      if (this.#startsWith(this.#quote, at, this.#length)) return at
      at++
    }
  }

  /** Adds a cell; it is moved to where those before it end. */
  #cell(start: number, end: number): void {
    const { bytes } = this
    let to = this.#filled
    if (end - start > FEW) {
      bytes.copyWithin(to, start, end)
      to += end - start
    } else while (start < end) bytes[to++] = bytes[start++]!
    this.#filled = to
    this.#end()
  }

  /** Adds a cell in which each two quotes become one. */
  #undoubled(start: number, end: number): void {
    const width = this.#quote.length
    for (let at = start; at < end;) {
      const quote = this.#quoteFrom(at)
      const behind = quote < 0 || quote >= end ? end : quote + width
      this.bytes.copyWithin(this.#filled, at, behind)
      this.#filled += behind - at
      at = this.#startsWith(this.#quote, behind, end) ? behind + width : behind
    }
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

  #lineFeeds(start: number, end: number): number {
    let found = 0
    for (let at = start; at < end; at++) if (this.bytes[at] === LINE_FEED) found++
    return found
  }

  /** Where the next byte is that may end an unquoted cell. */
  #nextStop(at: number): number {
    if (this.#nextDelimiter < at) this.#nextDelimiter = this.#find(this.#delimiter[0]!, at)
    return Math.min(this.#nextDelimiter, this.#lineFeedFrom(at), this.#returnFrom(at))
  }

  #lineFeedFrom(at: number): number {
    if (this.#nextLineFeed < at) this.#nextLineFeed = this.#find(LINE_FEED, at)
    return this.#nextLineFeed
  }

  #returnFrom(at: number): number {
    if (this.#nextReturn < at) this.#nextReturn = this.#find(RETURN, at)
    return this.#nextReturn
  }

  /** Where the byte is next, or the end of all. */
  #find(byte: number, at: number): number {
    const found = this.bytes.indexOf(byte, at)
    return found < 0 || found > this.#length ? this.#length : found
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
