// MinHash with locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets",
// ch. 3): texts whose word shingles overlap much fall into the same bucket of some band with high probability. Of a
// text only one number a band is kept (buckets.ts finds the texts that share one).
import { words as randomWords } from '../rng.ts'
import { hashesOf, mix, roomFor } from './hash.ts'

/** Probability with which a pair exactly at the threshold must share a bucket. */
const RECALL = 0.985
/** Bands, a multiple of 4; rows in a band follow from the threshold. */
const BANDS = 20
const ROWS_MOST = 8

export interface Banding {
  bands: number
  /** Minimums joined into one key. */
  rows: number
}

/** The most selective banding that still finds pairs at the threshold: 1 - (1 - t^rows)^bands >= RECALL. */
export function bandingFor(threshold: number): Banding {
  let rows = 1
  while (rows < ROWS_MOST && 1 - (1 - threshold ** (rows + 1)) ** BANDS >= RECALL) rows++
  return { bands: BANDS, rows }
}

/** Hashes of a text's shingles, each once and sorted. A text shorter than a shingle is one shingle. */
export function shingles(words: readonly string[], size: number): Uint32Array {
  return shinglesOf(hashesOf(words), size)
}

/** The same of words that are hashed already, in the beginning of `room` where there is enough of it. */
export function shinglesOf(hashes: Uint32Array, size: number, room = new Uint32Array(0)): Uint32Array {
  if (hashes.length === 0) return new Uint32Array(0)
  const total = Math.max(1, hashes.length - size + 1)
  const found = roomFor(total, room)
  for (let at = 0; at < total; at++) {
    const end = Math.min(at + size, hashes.length)
    let hash = 0
    for (let i = at; i < end; i++) hash = mix((Math.imul(hash, 31) + hashes[i]!) | 0)
    found[at] = hash
  }
  found.sort()
  let distinct = 1
  for (let i = 1; i < total; i++) if (found[i] !== found[i - 1]) found[distinct++] = found[i]!
  return found.subarray(0, distinct)
}

/** Shared shingles / all shingles of two sorted sets. */
export function jaccard(a: Uint32Array, b: Uint32Array): number {
  return similarity(a, 0, a.length, b, 0)
}

/**
 * The same of a stretch of `a`, from `start` to `end`, and all of `b`; 0 as soon as it is known to be below `least`.
 */
export function similarity(
  a: Uint32Array,
  start: number,
  end: number,
  b: Uint32Array,
  least: number,
): number {
  const sum = end - start + b.length
  /** Fewest that they must share; rounding may only make it too few. */
  const needed = Math.floor((least * sum) / (1 + least) - 1e-6)
  let shared = 0
  let i = start
  let j = 0
  while (i < end && j < b.length) {
    const left = a[i]!
    const right = b[j]!
    if (left === right) {
      shared++
      i++
      j++
    } else if (left < right) {
      i++
      if (shared + end - i < needed) return 0
    } else {
      j++
      if (shared + b.length - j < needed) return 0
    }
  }
  const all = sum - shared
  return all === 0 ? 0 : shared / all
}

export class MinHasher {
  readonly banding: Banding
  readonly #factors: Int32Array
  readonly #offsets: Int32Array
  readonly #least: Int32Array

  constructor(banding: Banding, seed: number) {
    this.banding = banding
    const size = banding.bands * banding.rows
    const factors = randomWords({ seed, purpose: 'sample', layer: 1 }, size).map((word) => word | 1)
    this.#factors = Int32Array.from(factors)
    this.#offsets = Int32Array.from(randomWords({ seed, purpose: 'sample', layer: 2 }, size))
    this.#least = new Int32Array(size)
  }

  /** The text's key in every band. */
  keys(set: Uint32Array): Uint32Array {
    const keys = new Uint32Array(this.banding.bands)
    this.write(set, keys, 0)
    return keys
  }

  /** Writes the keys of a text from `keys[at]` on. */
  write(set: Uint32Array, keys: Uint32Array, at: number): void {
    const { bands, rows } = this.banding
    const least = this.#leastOf(set)
    for (let band = 0; band < bands; band++) {
      let key = band
      for (let i = band * rows; i < (band + 1) * rows; i++) key = mix((Math.imul(key, 31) + least[i]!) | 0)
      keys[at + band] = key
    }
  }

  /** The least value of each hash function over a set; four functions at a time, whose numbers stay in registers. */
  #leastOf(set: Uint32Array): Int32Array {
    const factors = this.#factors
    const offsets = this.#offsets
    const least = this.#least
    for (let i = 0; i < least.length; i += 4) {
      const [factor0, factor1, factor2, factor3] = [
        factors[i]!,
        factors[i + 1]!,
        factors[i + 2]!,
        factors[i + 3]!,
      ]
      const [offset0, offset1, offset2, offset3] = [
        offsets[i]!,
        offsets[i + 1]!,
        offsets[i + 2]!,
        offsets[i + 3]!,
      ]
      let least0 = HIGHEST
      let least1 = HIGHEST
      let least2 = HIGHEST
      let least3 = HIGHEST
      for (let k = 0; k < set.length; k++) {
        const shingle = set[k]! | 0
        let hash = hashOf(shingle, factor0, offset0)
        if (hash < least0) least0 = hash
        hash = hashOf(shingle, factor1, offset1)
        if (hash < least1) least1 = hash
        hash = hashOf(shingle, factor2, offset2)
        if (hash < least2) least2 = hash
        hash = hashOf(shingle, factor3, offset3)
        if (hash < least3) least3 = hash
      }
      least[i] = least0 ^ HIGH_BIT
      least[i + 1] = least1 ^ HIGH_BIT
      least[i + 2] = least2 ^ HIGH_BIT
      least[i + 3] = least3 ^ HIGH_BIT
    }
    return least
  }
}

const HIGHEST = 0x7fffffff
const HIGH_BIT = 0x80000000

/** A hash with its highest bit turned over: as signed numbers, which engines compare fastest, they have their own order. */
function hashOf(shingle: number, factor: number, offset: number): number {
  let hash = (Math.imul(shingle, factor) + offset) | 0
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return hash ^ (hash >>> 13) ^ HIGH_BIT
}
