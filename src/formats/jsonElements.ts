// Cuts a stream of text into the texts of rows, without building anything: by lines (JSON Lines), or by brackets (the
// elements of a list, or objects one after the other). What is too long is passed over while it streams by.
import { JSON_ROW_CHARACTERS_LIMIT } from './jsonLimits.ts'
import { isSpace } from './jsonText.ts'

export interface Element {
  text: string
  /** Line of the file on which it begins. */
  line: number
  /** Why its text is not whole. */
  fault?: 'long' | 'open'
}

export interface Splitter {
  push(piece: string): Element[]
  end(): Element[]
}

export class LineSplitter implements Splitter {
  #text = ''
  #long = false
  #line = 1

  push(piece: string): Element[] {
    const out: Element[] = []
    this.#text += piece
    let at = 0
    for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n', at)) {
      this.#take(this.#text.slice(at, end), out)
      at = end + 1
      this.#line++
    }
    this.#text = this.#text.slice(at)
    if (this.#text.length > JSON_ROW_CHARACTERS_LIMIT) {
      this.#long = true
      this.#text = ''
    }
    return out
  }

  end(): Element[] {
    const out: Element[] = []
    this.#take(this.#text, out)
    this.#text = ''
    return out
  }

  #take(text: string, out: Element[]): void {
    const line = this.#line
    if (this.#long || text.length > JSON_ROW_CHARACTERS_LIMIT) out.push({ text: '', line, fault: 'long' })
    else if (text.trim() !== '') out.push({ text, line })
    this.#long = false
  }
}

const [QUOTE, BACKSLASH, COMMA, NEWLINE, LIST_END] = [0x22, 0x5c, 0x2c, 0x0a, 0x5d]
const OPEN = new Set([0x7b, 0x5b])
const CLOSE = new Set([0x7d, 0x5d])

export class ElementSplitter implements Splitter {
  /** Text that is not cut yet; it begins with the element that is open, if one is. */
  #text = ''
  #at = 0
  #begin = -1
  #beginLine = 0
  #depth = 0
  #quoted = false
  #escaped = false
  #long = false
  #done = false

  /**
   * @param list whether the text stands inside a list, which its closing bracket ends
   * @param line the line on which the text begins
   */
  constructor(
    private readonly list: boolean,
    private line = 1,
  ) {}

  push(piece: string): Element[] {
    if (this.#done) return []
    const out: Element[] = []
    this.#text += piece
    for (; this.#at < this.#text.length && !this.#done; this.#at++)
      this.#step(this.#text.charCodeAt(this.#at), out)
    const keep = this.#begin < 0 ? this.#at : this.#begin
    if (this.#begin >= 0 && this.#at - this.#begin > JSON_ROW_CHARACTERS_LIMIT) this.#long = true
    if (this.#long) {
      // Nothing of it is kept; only its end is still sought.
      this.#text = ''
      this.#at = this.#begin = 0
    } else {
      this.#text = this.#text.slice(keep)
      this.#at -= keep
      if (this.#begin >= 0) this.#begin = 0
    }
    return out
  }

  /** An element that never ended. */
  end(): Element[] {
    if (this.#begin < 0 || this.#done) return []
    if (this.#depth > 0 || this.#quoted || this.#long)
      return [{ text: '', line: this.#beginLine, fault: this.#long ? 'long' : 'open' }]
    return [{ text: this.#text, line: this.#beginLine }]
  }

  #step(code: number, out: Element[]): void {
    if (code === NEWLINE) {
      this.line++
      // A line end inside a string is not JSON: the quote before it is a stray one, and reading goes on after it.
      this.#quoted = this.#escaped = false
    }
    if (this.#quoted) {
      if (this.#escaped) this.#escaped = false
      else if (code === BACKSLASH) this.#escaped = true
      else if (code === QUOTE) this.#quoted = false
      return
    }
    if (this.#begin < 0) {
      if (isSpace(code) || code === COMMA) return
      if (CLOSE.has(code)) {
        this.#done = this.list && code === LIST_END
        return
      }
      this.#begin = this.#at
      this.#beginLine = this.line
    }
    if (code === QUOTE) this.#quoted = true
    else if (OPEN.has(code)) this.#depth++
    else if (CLOSE.has(code)) {
      // After a plain value the bracket ends the list.
      if (this.#depth === 0) return this.#close(this.#at, out, this.list && code === LIST_END)
      if (--this.#depth === 0) this.#close(this.#at + 1, out)
    } else if (this.#depth === 0 && (code === COMMA || isSpace(code))) this.#close(this.#at, out)
  }

  #close(end: number, out: Element[], done = false): void {
    const line = this.#beginLine
    if (this.#long || end - this.#begin > JSON_ROW_CHARACTERS_LIMIT)
      out.push({ text: '', line, fault: 'long' })
    else out.push({ text: this.#text.slice(this.#begin, end), line })
    this.#begin = -1
    this.#long = false
    this.#done = done
  }
}
