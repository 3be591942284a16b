// Texts without columns as rows: paragraphs (what blank lines part; a Markdown heading stays with the paragraph below it, a
// fenced block is never cut), whole documents, or windows of so many words or tokens.
import type { TextUnit } from '../protocol/bringIn.ts'
import type { Problem } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import { CELL_CHARACTERS_LIMIT } from './csvLimits.ts'
import { notATable } from './text.ts'

/** Words or tokens of a window when nothing else is asked for. */
export const WINDOW_SIZE = 256
/** Largest window that is taken: more than any model here reads at once. */
export const WINDOW_SIZE_LIMIT = 100_000

/** How much a word with the space before it counts, such as its tokens. */
export type Weigh = (word: string) => number

export interface PlainTextOptions {
  unit?: TextUnit
  windowSize?: number
  overlap?: number
  /** What words count towards a window; default: each one. */
  weigh?: Weigh
  /** The file's name, for error messages. */
  name?: string
  onProblem?: (problem: Problem) => void
}

const HEADING = /^#{1,6}\s/
const FENCE = /^ {0,3}(```|~~~)/

/** Feeds on text, gives rows of one cell. `end` throws E_NOT_A_TABLE for a text without any. */
export class PlainTextParser {
  readonly columns: string[] = ['text']
  readonly format = 'text'
  readonly #options: PlainTextOptions
  readonly unit: TextUnit
  readonly #size: number
  readonly #overlap: number
  #started = false
  #text = ''
  #line = 1
  #paragraph: string[] = []
  #paragraphLine = 1
  #fence: string | null = null
  #rows = 0

  constructor(options: PlainTextOptions = {}) {
    const { unit = 'paragraph', windowSize = WINDOW_SIZE, overlap = 0 } = options
    if (!Number.isInteger(windowSize) || windowSize < 1 || windowSize > WINDOW_SIZE_LIMIT)
      throw new GraftError(
        'E_ARGUMENT',
        `The window must be a whole number from 1 to ${WINDOW_SIZE_LIMIT}, but is ${String(windowSize)}.`,
      )
    if (!Number.isInteger(overlap) || overlap < 0 || overlap >= windowSize)
      throw new GraftError('E_ARGUMENT', 'The overlap must be a whole number from 0 and below the window.')
    this.#options = options
    this.unit = unit
    this.#size = windowSize
    this.#overlap = overlap
  }

  push(piece: string): string[][] {
    this.#append(piece)
    if (this.unit === 'document') {
      // More than a cell holds is cut at the end; what is far beyond it need not be kept.
      if (this.#text.length > 2 * CELL_CHARACTERS_LIMIT)
        this.#text = this.#text.slice(0, CELL_CHARACTERS_LIMIT + 1)
      return []
    }
    return this.unit === 'window' ? this.#windows(false) : this.#lines(false)
  }

  end(): string[][] {
    const out: string[][] = []
    if (this.unit === 'document') this.#row(this.#text, 1, out)
    else out.push(...(this.unit === 'window' ? this.#windows(true) : this.#lines(true)))
    this.#text = ''
    if (this.#rows === 0)
      throw notATable(`${this.#options.name ?? 'The file'} is empty. Choose a file with text in it.`)
    return out
  }

  #append(piece: string): void {
    const text = this.#text + piece
    this.#text = this.#started || !text.startsWith('\uFEFF') ? text : text.slice(1)
    if (text !== '') this.#started = true
  }

  #lines(final: boolean): string[][] {
    const out: string[][] = []
    // A return at the end may be half of a line end.
    const whole = final || !this.#text.endsWith('\r') ? this.#text : this.#text.slice(0, -1)
    const lines = whole.split(/\r\n|\r|\n/)
    const rest = lines.pop()!
    for (const line of lines) {
      this.#takeLine(line, out)
      this.#line++
    }
    this.#text = rest + this.#text.slice(whole.length)
    if (final) {
      this.#takeLine(this.#text, out)
      this.#close(out)
    }
    return out
  }

  #takeLine(line: string, out: string[][]): void {
    const fence = FENCE.exec(line)?.[1] ?? null
    if (fence !== null && (this.#fence === null || this.#fence === fence))
      this.#fence = this.#fence === null ? fence : null
    if (line.trim() === '' && this.#fence === null) {
      // A heading alone waits for its paragraph.
      if (!this.#paragraph.every((each) => HEADING.test(each) || each === '')) this.#close(out)
      else if (this.#paragraph.length > 0) this.#paragraph.push('')
      return
    }
    if (this.#paragraph.length === 0) this.#paragraphLine = this.#line
    this.#paragraph.push(line)
  }

  #close(out: string[][]): void {
    const text = this.#paragraph.join('\n').trim()
    if (text !== '') this.#row(text, this.#paragraphLine, out)
    this.#paragraph = []
    this.#fence = null
  }

  /** Windows are cut between words; a word that is larger than a window is one of its own. */
  #windows(final: boolean): string[][] {
    const out: string[][] = []
    const words = [...this.#text.matchAll(WORD)].map(({ index, 0: word }) => ({
      index,
      end: index + word.length,
    }))
    // The last word may go on in the next piece.
    const usable = final ? words.length : words.length - 1
    let begin = 0
    let sum = 0
    const weights: number[] = []
    for (let at = 0; at < usable; at++) {
      const { index, end } = words[at]!
      const weight = this.#weigh(this.#text.slice(words[at - 1]?.end ?? index, end))
      if (sum > 0 && sum + weight > this.#size) {
        this.#row(this.#text.slice(words[begin]!.index, words[at - 1]!.end), this.#line, out)
        // The next window begins with what fits the overlap, and in any case later than this one.
        let shared = 0
        let next = at
        while (next > begin + 1 && shared + weights[next - 1]! <= this.#overlap) shared += weights[--next]!
        begin = next
        sum = shared
      }
      weights[at] = weight
      sum += weight
    }
    if (final && begin < words.length) this.#row(this.#text.slice(words[begin]!.index), this.#line, out)
    this.#text = final ? '' : this.#text.slice(words[begin]?.index ?? this.#text.length)
    return out
  }

  #weigh(word: string): number {
    return this.#options.weigh?.(word) ?? 1
  }

  #row(given: string, line: number, out: string[][]): void {
    const text = given.trim()
    if (text === '') return
    this.#rows++
    if (text.length > CELL_CHARACTERS_LIMIT)
      this.#options.onProblem?.({
        kind: 'limit',
        line,
        message: `This text has more than ${CELL_CHARACTERS_LIMIT.toLocaleString('en')} characters; the rest was left out.`,
      })
    out.push([text.slice(0, CELL_CHARACTERS_LIMIT)])
  }
}

/** A word; between scripts without spaces every character counts as one. */
const WORD =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]+/gu
