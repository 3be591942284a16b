// Which texts share a bucket of some band, without a list of pairs: as many pairs as there are texts times bands can be
// candidates, and where thousands of texts are alike that is what there would be. Each text has a link a band to the one
// before it in its bucket, written over the keys, and candidates are read off the links when a text's turn comes. For the
// first text of a long bucket, which is compared with all others, every eighth link says both.
import type { Pause } from '../pause.ts'

/** Earlier texts of a bucket that a text is compared with: the first, and these many before it. */
export const NEIGHBOURS = 4
/** Texts must be fewer, so that key and number fit into the 53 bits of a number. */
export const TEXTS_LIMIT = 2 ** 21
/** Texts of a bucket between two links that also know the first. */
const STRIDE = 8
/** Link of a bucket's first text. Below it stand those that know the first: NONE - 1 - their number in the band. */
const NONE = -1
export class Buckets {
  readonly bands: number
  readonly texts: number
  /** The text before in the bucket: [texts, bands]. */
  readonly #links: Int32Array
  /** By band: the text before and the first, of every STRIDE-th text of a bucket. */
  readonly #firsts: Int32Array[] = []
  /** Candidates of a text in the order in which they turn up, and a table of them + 1 by hash, to meet each once. */
  readonly #found: Int32Array
  readonly #met: Int32Array

  private constructor(keys: Uint32Array, bands: number) {
    this.bands = bands
    this.texts = keys.length / bands
    this.#links = new Int32Array(keys.buffer, keys.byteOffset, keys.length)
    const most = bands * (NEIGHBOURS + 1)
    this.#found = new Int32Array(most)
    this.#met = new Int32Array(2 ** Math.ceil(Math.log2(2 * most)))
  }

  /** Bytes that it keeps. */
  get bytes(): number {
    return this.#firsts.reduce((sum, { byteLength }) => sum + byteLength, this.#links.byteLength)
  }

  /**
   * Links the texts of each bucket, in the place of their keys. 8 bytes a text in addition while it works.
   * @param keys [texts, bands]; written over, and not to be used any more
   * @param takes whether a text takes part
   */
  static async link(
    keys: Uint32Array,
    bands: number,
    takes: (text: number) => boolean,
    pause: Pause,
  ): Promise<Buckets> {
    const buckets = new Buckets(keys, bands)
    let members = 0
    for (let text = 0; text < buckets.texts; text++) if (takes(text)) members++
    const sorted = new Float64Array(members)
    const firsts = new Int32Array(2 * Math.floor(members / STRIDE))
    for (let band = 0; band < bands; band++) {
      let size = 0
      for (let text = 0; text < buckets.texts; text++)
        if (takes(text)) sorted[size++] = keys[text * bands + band]! * TEXTS_LIMIT + text
      sorted.sort()
      buckets.#band(band, sorted, firsts)
      await pause((band + 1) / bands)
    }
    return buckets
  }

  /** @param sorted key * TEXTS_LIMIT + text of those that take part */
  #band(band: number, sorted: Float64Array, firsts: Int32Array): void {
    const links = this.#links
    const { bands } = this
    let used = 0
    let key = -1
    let first = NONE
    let before = NONE
    let place = 0
    for (let i = 0; i < sorted.length; i++) {
      const ofKey = Math.floor(sorted[i]! / TEXTS_LIMIT)
      const text = sorted[i]! - ofKey * TEXTS_LIMIT
      if (ofKey !== key) {
        key = ofKey
        first = text
        place = 0
        links[text * bands + band] = NONE
      } else if (++place % STRIDE === 0) {
        links[text * bands + band] = NONE - 1 - used / 2
        firsts[used++] = before
        firsts[used++] = first
      } else links[text * bands + band] = before
      before = text
    }
    this.#firsts.push(firsts.slice(0, used))
  }

  /**
   * The earlier texts that a text, which takes part, is compared with, each once. The array is used again by the next
   * call, and only its first `number` members count.
   */
  earlier(text: number): { found: Int32Array; number: number } {
    const { bands } = this
    const links = this.#links
    const found = this.#found
    let number = 0
    this.#met.fill(0)
    for (let band = 0; band < bands; band++) {
      let at = text
      let first = NONE
      for (let step = 1; ; step++) {
        let before = links[at * bands + band]!
        if (before < NONE) {
          const firsts = this.#firsts[band]!
          const place = 2 * (NONE - 1 - before)
          before = firsts[place]!
          first = firsts[place + 1]!
        }
        if (before === NONE) {
          // The walk has come to the first text, which is new beyond the neighbours.
          if (step > NEIGHBOURS + 1) number = this.#meet(at, number)
          break
        }
        if (step <= NEIGHBOURS) number = this.#meet(before, number)
        if (step >= NEIGHBOURS && first !== NONE) {
          number = this.#meet(first, number)
          break
        }
        at = before
      }
    }
    return { found, number }
  }

  /** Adds a candidate unless it was met; how many there are now. */
  #meet(text: number, number: number): number {
    const met = this.#met
    const mask = met.length - 1
    let at = (Math.imul(text, 0x9e3779b1) >>> 16) & mask
    while (met[at] !== 0) {
      if (met[at] === text + 1) return number
      at = (at + 1) & mask
    }
    met[at] = text + 1
    this.#found[number] = text
    return number + 1
  }
}
