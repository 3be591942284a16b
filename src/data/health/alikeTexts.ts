// Texts that say almost the same, found in two looks at them: from the first each keeps its keys (MinHash), which become links
// to the texts that share a bucket (buckets.ts); in the second each text is compared with its candidates by the true
// Jaccard similarity of their shingles. Shingles of a text are held only from its own turn to that of the last text that
// is compared with it. Where too many are open at a time, the texts whose turn comes later are held in a further look.
//
// Memory: 92 bytes a text (bands of 4, the size, the last partner, the place of its shingles), in the worst case 20 more for
// buckets of more than eight, and while buckets are sorted 8; the shingles held are at most HELD and a quarter.
import type { Pause } from '../pause.ts'
import { Buckets } from './buckets.ts'
import { bandingFor, MinHasher, shinglesOf, similarity } from './minhash.ts'

/** Shingles held at a time: 64 MB. */
const HELD = 16_000_000
/** Least room for shingles, so that little is moved where few are held. */
const ROOM_LEAST = 1024

export interface AlikeOptions {
  /** Least Jaccard similarity. */
  threshold: number
  /** Words in a shingle. */
  shingle: number
  seed: number
  /** Texts expected; more are taken, too. */
  texts: number
  /** Shingles held at a time. */
  held?: number
}

/** A pair that was compared and is alike; `left` is the earlier text. */
export type Pair = (left: number, right: number, similarity: number) => void

export class AlikeTexts {
  readonly #threshold: number
  readonly #shingle: number
  readonly #limit: number
  readonly #hasher: MinHasher
  /** [texts, bands]; given away when buckets are made. */
  #keys: Uint32Array
  /** Distinct shingles of each text; 0 for what takes no part. */
  #sizes: Uint32Array
  #texts = 0
  /** For the shingles of a text of usual length. */
  readonly #room = new Uint32Array(1024)
  #buckets: Buckets | null = null
  #open: OpenSets | null = null
  /** First text that is held in each look, and the end. */
  #starts: number[] = []
  #look = 0

  constructor({ threshold, shingle, seed, texts, held = HELD }: AlikeOptions) {
    this.#threshold = threshold
    this.#shingle = shingle
    this.#limit = held
    this.#hasher = new MinHasher(bandingFor(threshold), seed)
    this.#keys = new Uint32Array(texts * this.#hasher.banding.bands)
    this.#sizes = new Uint32Array(texts)
  }

  /** First look: a text by the hashes of its words. Texts come in the order of their numbers; those left out take no part. */
  add(text: number, hashes: Uint32Array): void {
    const { bands } = this.#hasher.banding
    if (text >= this.#sizes.length) {
      const room = Math.max(1024, 2 * text)
      this.#sizes = larger(this.#sizes, room)
      this.#keys = larger(this.#keys, room * bands)
    }
    const set = shinglesOf(hashes, this.#shingle, this.#room)
    this.#sizes[text] = set.length
    this.#hasher.write(set, this.#keys, text * bands)
    this.#texts = text + 1
  }

  /** Between the looks: finds the candidates. How many further looks are needed; no text can be added any more. */
  async compare(pause: Pause): Promise<number> {
    const { bands } = this.#hasher.banding
    const sizes = this.#sizes
    this.#buckets = await Buckets.link(
      this.#keys.subarray(0, this.#texts * bands),
      bands,
      (text) => sizes[text]! > 0,
      pause,
    )
    this.#keys = new Uint32Array(0)
    const last = new Int32Array(this.#texts).fill(-1)
    for (let text = 0; text < this.#texts; text++) {
      if (text % 5000 === 4999) await pause()
      if (sizes[text] === 0) continue
      const { found, number } = this.#buckets.earlier(text)
      for (let i = 0; i < number; i++) if (this.#able(found[i]!, text)) last[found[i]!] = text
    }
    const { starts, most } = looks(sizes, last, this.#limit)
    this.#starts = starts
    if (starts.length === 1) this.#buckets = null
    else this.#open = new OpenSets(sizes, last, most)
    return starts.length - 1
  }

  /** Shingles that are held at a time at most. */
  get mostHeld(): number {
    return this.#open?.most ?? 0
  }

  /** Bytes of what is kept for each text and of the shingles held. */
  get bytes(): number {
    const kept = this.#keys.byteLength + this.#sizes.byteLength
    return kept + (this.#buckets?.bytes ?? 0) + (this.#open?.bytes ?? 0)
  }

  begin(look: number): void {
    this.#look = look
    this.#open!.clear()
  }

  /** A further look, text after text: tells the pairs of which it is the later one. */
  again(text: number, hashes: () => Uint32Array, pair: Pair): void {
    const size = text < this.#texts ? this.#sizes[text]! : 0
    const open = this.#open!
    const start = this.#starts[this.#look]!
    const end = this.#starts[this.#look + 1]!
    if (size === 0 || text < start) return
    const holds = text < end && open.needs(text)
    let set: Uint32Array | null = null
    const { found, number } = this.#buckets!.earlier(text)
    for (let i = 0; i < number; i++) {
      const left = found[i]!
      if (left < start || left >= end || !this.#able(left, text)) continue
      set ??= shinglesOf(hashes(), this.#shingle, this.#room)
      const alike = open.similarity(left, set, this.#threshold)
      if (alike >= this.#threshold) pair(left, text, alike)
    }
    if (holds) open.add(text, set ?? shinglesOf(hashes(), this.#shingle, this.#room))
  }

  /** Lets go of all that the looks needed. */
  release(): void {
    this.#buckets = this.#open = null
    this.#sizes = new Uint32Array(0)
  }

  /** Whether two texts can reach the threshold at all: the smaller set is at most as large as what they share. */
  #able(left: number, right: number): boolean {
    const a = this.#sizes[left]!
    const b = this.#sizes[right]!
    return Math.min(a, b) >= this.#threshold * Math.max(a, b)
  }
}

/**
 * Where each look begins to hold texts, and the end; and the shingles held at most. A text is held until its last partner's
 * turn; a look holds no more once the limit is reached, and the next one begins there.
 */
function looks(sizes: Uint32Array, last: Int32Array, limit: number): { starts: number[]; most: number } {
  const ends = new Float64Array(last.length)
  const starts: number[] = []
  let held = 0
  let most = 0
  for (let text = 0; text < last.length; text++) {
    held -= ends[text]!
    if (last[text]! < 0) continue
    if (starts.length === 0 || (held > 0 && held + sizes[text]! > limit)) {
      starts.push(text)
      ends.fill(0, text)
      held = 0
    }
    held += sizes[text]!
    ends[last[text]!]! += sizes[text]!
    most = Math.max(most, held)
  }
  return { starts: [...starts, last.length], most }
}

/** Sets of shingles of the texts whose partners are still to come, one after the other in one array. */
class OpenSets {
  readonly most: number
  readonly #sizes: Uint32Array
  readonly #last: Int32Array
  /** Where the shingles of each begin; of use only for those that are held. */
  readonly #places: Int32Array
  #shingles: Uint32Array
  #end = 0
  /** Texts held, in the order of their places. */
  #held: number[] = []

  constructor(sizes: Uint32Array, last: Int32Array, most: number) {
    this.most = most
    this.#sizes = sizes
    this.#last = last
    this.#places = new Int32Array(last.length)
    // A quarter more, so that every set is moved but a few times.
    this.#shingles = new Uint32Array(most + Math.max(ROOM_LEAST, most >> 2))
  }

  get bytes(): number {
    return this.#last.byteLength + this.#places.byteLength + this.#shingles.byteLength
  }

  clear(): void {
    this.#end = 0
    this.#held = []
  }

  needs(text: number): boolean {
    return this.#last[text]! >= 0
  }

  add(text: number, set: Uint32Array): void {
    if (this.#end + set.length > this.#shingles.length) this.#close(text)
    this.#shingles.set(set, this.#end)
    this.#places[text] = this.#end
    this.#end += set.length
    this.#held.push(text)
  }

  similarity(text: number, set: Uint32Array, least: number): number {
    const place = this.#places[text]!
    return similarity(this.#shingles, place, place + this.#sizes[text]!, set, least)
  }

  /** Makes room: those whose last partner was before `now` or is it go, the others move down. */
  #close(now: number): void {
    let end = 0
    let kept = 0
    for (const text of this.#held) {
      if (this.#last[text]! <= now) continue
      const place = this.#places[text]!
      this.#shingles.copyWithin(end, place, place + this.#sizes[text]!)
      this.#places[text] = end
      end += this.#sizes[text]!
      this.#held[kept++] = text
    }
    this.#held.length = kept
    this.#end = end
  }
}

function larger(array: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const copy = new Uint32Array(length)
  copy.set(array)
  return copy
}
