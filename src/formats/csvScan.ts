// Cuts text into rows and cells (RFC 4180 and what people make of it). Written by hand in place of PapaParse's core, because
// an import also hashes, profiles and stores what it reads and would else take twice as long: this one finds delimiters,
// quotes and line ends by indexOf alone, remembers where the next of each is, and goes on where a piece of the file ended.

const [SPACE, LINE_FEED, RETURN] = [0x20, 0x0a, 0x0d]

export interface ScannedRow {
  cells: string[]
  /** Line ends inside its cells. */
  lineEnds: number
  /** A quote inside a quoted cell is not doubled. */
  badQuote: boolean
}

/** Why no further row came out. */
export type Stop = 'end' | 'partial' | 'openQuote'

export class CsvScanner {
  /** What has not become rows yet. */
  text = ''
  /** How the file's first row ends; '' until it has. Inside quotes, only such line ends stand for a line end of a text. */
  #lineEnd = ''
  #at = 0
  #nextDelimiter = -1
  #nextLineFeed = -1
  #nextReturn = -1

  constructor(
    readonly delimiter: string,
    /** '' where quotes are plain characters. */
    public quote: string,
  ) {}

  append(piece: string): void {
    this.text = this.#at === 0 ? this.text + piece : this.text.slice(this.#at) + piece
    this.#at = 0
  }

  /** Characters that have not become rows. */
  get left(): number {
    return this.text.length - this.#at
  }

  /** Takes the rest of the line away and gives it, however it is quoted; null where no line ends within `limit`. */
  takeLine(limit: number): string | null {
    const rest = this.text.slice(this.#at, this.#at + limit)
    const end = rest.search(/[\r\n]/)
    if (end < 0 && this.left > limit) return null
    const line = end < 0 ? rest : rest.slice(0, end)
    const width = end < 0 ? 0 : rest.startsWith('\r\n', end) ? 2 : 1
    this.#at += line.length + width
    return line
  }

  /** Takes everything up to the next line end away, or all there is; whether there was one. */
  skipLine(): boolean {
    const end = this.text.slice(this.#at).search(/[\r\n]/)
    if (end < 0) this.#at = this.text.length
    else this.#at += end + (this.text.startsWith('\r\n', this.#at + end) ? 2 : 1)
    return end >= 0
  }

  /** Takes `length` characters away and gives them. */
  take(length: number): string {
    const taken = this.text.slice(this.#at, this.#at + length)
    this.#at += taken.length
    return taken
  }

  /** Gives all rows that are complete to `onRow`; with `final` the last one needs no line end. */
  rows(final: boolean, onRow: (row: ScannedRow) => void): Stop {
    // A row that was not complete is read again, and what was not found before may be there now.
    this.#nextDelimiter = this.#nextLineFeed = this.#nextReturn = -1
    for (;;) {
      if (this.#at >= this.text.length) return 'end'
      const row = this.#row(final)
      if (typeof row === 'string') return row
      onRow(row)
    }
  }

  #row(final: boolean): ScannedRow | Stop {
    const { text, delimiter, quote } = this
    const quoteCode = quote === '' ? -1 : quote.charCodeAt(0)
    const cells: string[] = []
    const row: ScannedRow = { cells, lineEnds: 0, badQuote: false }
    let quotedReturns = false
    let at = this.#at
    for (;;) {
      if (text.charCodeAt(at) === quoteCode) {
        const begin = at + 1
        let end = text.indexOf(quote, begin)
        let doubled = false
        /** Where the cell's content ends: behind it may be spaces before the delimiter. */
        let after = -1
        for (; end >= 0; end = text.indexOf(quote, end + 1)) {
          after = end + 1
          if (text.charCodeAt(after) === quoteCode) {
            doubled = true
            end++
            continue
          }
          while (text.charCodeAt(after) === SPACE && delimiter !== ' ') after++
          if (after >= text.length) {
            if (final) break
            return 'partial'
          }
          const code = text.charCodeAt(after)
          if (code === LINE_FEED || code === RETURN || text.startsWith(delimiter, after)) break
          row.badQuote = true
        }
        if (end < 0) return final ? 'openQuote' : 'partial'
        let cell = text.slice(begin, end)
        if (doubled) cell = cell.replaceAll(quote + quote, quote)
        if (this.#lineFeedFrom(begin) < end) row.lineEnds += count(cell, '\n')
        if (this.#returnFrom(begin) < end) quotedReturns = true
        cells.push(cell)
        at = after
        if (at < text.length && text.startsWith(delimiter, at)) {
          at += delimiter.length
          continue
        }
      } else {
        if (this.#nextDelimiter < at) this.#nextDelimiter = found(text.indexOf(delimiter, at))
        const end = Math.min(this.#lineFeedFrom(at), this.#returnFrom(at))
        if (this.#nextDelimiter < end) {
          cells.push(text.slice(at, this.#nextDelimiter))
          at = this.#nextDelimiter + delimiter.length
          continue
        }
        if (end === Infinity && !final) return 'partial'
        cells.push(text.slice(at, end === Infinity ? text.length : end))
        at = Math.min(end, text.length)
      }
      // The row ends here.
      const lineEnd =
        text.charCodeAt(at) === RETURN && text.charCodeAt(at + 1) === LINE_FEED ? '\r\n' : text.charAt(at)
      // A return alone may be half of a line end.
      if (lineEnd === '\r' && at + 1 === text.length && !final) return 'partial'
      if (lineEnd !== '') this.#lineEnd ||= lineEnd
      this.#at = at + lineEnd.length
      if (quotedReturns) this.#mendReturns(row)
      return row
    }
  }

  /** In a file whose rows end in LF a return inside a cell is part of it; in others it is how a line ends. */
  #mendReturns(row: ScannedRow): void {
    if (this.#lineEnd === '\n' || this.#lineEnd === '') return
    row.lineEnds = 0
    for (const [i, cell] of row.cells.entries()) {
      const mended = cell.includes('\r') ? cell.replace(/\r\n?/g, '\n') : cell
      row.cells[i] = mended
      row.lineEnds += count(mended, '\n')
    }
  }

  #lineFeedFrom(at: number): number {
    if (this.#nextLineFeed < at) this.#nextLineFeed = found(this.text.indexOf('\n', at))
    return this.#nextLineFeed
  }

  #returnFrom(at: number): number {
    if (this.#nextReturn < at) this.#nextReturn = found(this.text.indexOf('\r', at))
    return this.#nextReturn
  }
}

function found(at: number): number {
  return at < 0 ? Infinity : at
}

function count(text: string, character: string): number {
  let found = 0
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) found++
  return found
}
