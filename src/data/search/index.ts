// Full-text search: an inverted index of all words of all cells (Zobel and Moffat 2006, "Inverted files for text search
// engines"). It is built in segments, each by counting sort, so that building needs little more memory than the result; row
// numbers are kept as differences in variable-length bytes.
import { occurs, type Term } from './query.ts'
import { Vocabulary } from './vocabulary.ts'
import { eachWord, WORD_LIMIT } from './words.ts'

/** Words (counted once a row) gathered before a segment is written. */
const SEGMENT_WORDS = 1 << 21

interface Segment {
  /** Words that occur, ascending, and where the rows of each end in `bytes`. */
  words: Uint32Array
  ends: Uint32Array
  /** Rows of each word: differences, 7 bits a byte, the high bit says that more follow. */
  bytes: Uint8Array
  firstRow: number
}

/** Rows that may be found: 1 surely, 2 to be looked at. */
export type Candidates = Uint8Array

export class IndexBuilder {
  readonly #vocabulary: Vocabulary
  readonly #segments: Segment[] = []
  readonly #segmentWords: number
  readonly #room = new Uint16Array(WORD_LIMIT)
  /** Last row + 1 in which a word was seen. */
  #seen = new Uint32Array(1 << 12)
  #stream = new Uint32Array(1 << 16)
  #streamEnd = 0
  /** Where each row of the segment ends in the stream. */
  #rowEnds: number[] = []
  #rows = 0
  #firstRow = 0

  constructor({ vocabulary = new Vocabulary(), segmentWords = SEGMENT_WORDS } = {}) {
    this.#vocabulary = vocabulary
    this.#segmentWords = segmentWords
  }

  /** Adds the next row; `cell` gives its cells. */
  add(columns: number, cell: (column: number) => string): void {
    const row = this.#rows++
    const take = (length: number): void => {
      const word = this.#vocabulary.number(this.#room, length)
      if (word >= this.#seen.length) this.#seen = larger(this.#seen, word + 1)
      if (this.#seen[word] === row + 1) return
      this.#seen[word] = row + 1
      if (this.#streamEnd === this.#stream.length) this.#stream = larger(this.#stream, this.#streamEnd + 1)
      this.#stream[this.#streamEnd++] = word
    }
    for (let column = 0; column < columns; column++) eachWord(cell(column), this.#room, take)
    this.#rowEnds.push(this.#streamEnd)
    if (this.#streamEnd >= this.#segmentWords) this.#flush()
  }

  finish(): SearchIndex {
    this.#flush()
    this.#vocabulary.sort()
    return new SearchIndex(this.#rows, this.#vocabulary, this.#segments)
  }

  #flush(): void {
    if (this.#rowEnds.length === 0) return
    const size = this.#vocabulary.size
    const starts = new Uint32Array(size + 1)
    for (let i = 0; i < this.#streamEnd; i++) starts[this.#stream[i]! + 1]!++
    let present = 0
    for (let word = 0; word < size; word++) {
      if (starts[word + 1]! > 0) present++
      starts[word + 1]! += starts[word]!
    }
    // Rows of each word, ascending because the rows come in order; afterwards starts[word] is where they end.
    const rows = new Uint32Array(this.#streamEnd)
    for (let row = 0, at = 0; row < this.#rowEnds.length; row++)
      for (; at < this.#rowEnds[row]!; at++) rows[starts[this.#stream[at]!]!++] = row
    const words = new Uint32Array(present)
    const ends = new Uint32Array(present)
    const bytes = new Uint8Array(this.#streamEnd * 5)
    let end = 0
    for (let word = 0, from = 0, place = 0; word < size; word++) {
      const to = starts[word]!
      if (to === from) continue
      let before = 0
      for (; from < to; from++) {
        let difference = rows[from]! - before
        before = rows[from]!
        for (; difference > 127; difference >>>= 7) bytes[end++] = (difference & 127) | 128
        bytes[end++] = difference
      }
      words[place] = word
      ends[place++] = end
    }
    this.#segments.push({ words, ends, bytes: bytes.slice(0, end), firstRow: this.#firstRow })
    this.#firstRow = this.#rows
    this.#rowEnds = []
    this.#streamEnd = 0
  }
}

export class SearchIndex {
  readonly rows: number
  readonly #vocabulary: Vocabulary
  readonly #segments: readonly Segment[]

  constructor(rows: number, vocabulary: Vocabulary, segments: readonly Segment[]) {
    this.rows = rows
    this.#vocabulary = vocabulary
    this.#segments = segments
  }

  /** Bytes that it takes. */
  get bytes(): number {
    return this.#segments.reduce(
      (sum, { words, ends, bytes }) => sum + words.byteLength + ends.byteLength + bytes.byteLength,
      this.#vocabulary.bytes,
    )
  }

  /** Different words, as far as they are told apart. */
  get words(): number {
    return this.#vocabulary.size
  }

  /** Rows in which a term occurs (its `not` aside). */
  candidates({ words, prefix }: Term): Candidates {
    const found = new Uint8Array(this.rows)
    for (const [i, word] of words.entries()) {
      const here = new Uint8Array(this.rows)
      const cut = word.length > WORD_LIMIT
      const goesOn = prefix && i === words.length - 1
      this.#mark(here, word.slice(0, WORD_LIMIT), goesOn && !cut, cut)
      if (i === 0) found.set(here)
      // What must be looked at for one word must be for all.
      else for (let row = 0; row < found.length; row++) found[row] = here[row] ? found[row]! | here[row]! : 0
    }
    if (words.length > 1) for (let row = 0; row < found.length; row++) if (found[row]) found[row] = 2
    for (let row = 0; row < found.length; row++) if (found[row] === 3) found[row] = 2
    return found
  }

  #mark(rows: Uint8Array, word: string, prefix: boolean, cut: boolean): void {
    const { of, sure, doubtful } = this.#vocabulary.matching(word, prefix)
    if (sure + doubtful === 0) return
    for (const { words, ends, bytes, firstRow } of this.#segments)
      for (let place = 0; place < words.length; place++) {
        const mark = of[words[place]!]!
        if (mark === 0) continue
        const value = mark === 2 || cut ? 2 : 1
        for (let at = place === 0 ? 0 : ends[place - 1]!, row = firstRow; at < ends[place]!;) {
          let difference = 0
          let shift = 0
          let byte: number
          do {
            byte = bytes[at++]!
            difference |= (byte & 127) << shift
            shift += 7
          } while (byte > 127)
          row += difference
          if (rows[row] !== 1) rows[row] = value
        }
      }
  }
}

/** Settles the doubtful candidates of a term by their cells: 1 found, 0 not. */
export function settle(found: Candidates, row: number, cells: readonly string[], term: Term): void {
  found[row] = occurs(cells, term) ? 1 : 0
}

function larger(old: Uint32Array, atLeast: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(Math.max(old.length * 2, atLeast))
  grown.set(old)
  return grown
}
