// MinHash with locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets",
// ch. 3): texts whose word shingles overlap much fall into the same bucket of some band with high probability. Of a
// text only one number a band is kept, so a million texts take some tens of megabytes.
import { words as randomWords } from '../rng.ts'
import { hash32, mix } from './hash.ts'

/** Probability with which a pair exactly at the threshold must share a bucket. */
const RECALL = 0.985
/** Bands; rows in a band follow from the threshold. */
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
  if (words.length === 0) return new Uint32Array(0)
  const hashes = Uint32Array.from(words, (word) => hash32(word))
  const total = Math.max(1, words.length - size + 1)
  const found = new Uint32Array(total)
  for (let at = 0; at < total; at++) {
    let hash = 0
    for (let i = at; i < Math.min(at + size, words.length); i++) hash = mix(Math.imul(hash, 31) + hashes[i]!)
    found[at] = hash
  }
  found.sort()
  let distinct = 1
  for (let i = 1; i < total; i++) if (found[i] !== found[i - 1]) found[distinct++] = found[i]!
  return found.subarray(0, distinct)
}

/** Shared shingles / all shingles of two sorted sets. */
export function jaccard(a: Uint32Array, b: Uint32Array): number {
  let shared = 0
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const left = a[i]!
    const right = b[j]!
    if (left === right) {
      shared++
      i++
      j++
    } else if (left < right) i++
    else j++
  }
  const all = a.length + b.length - shared
  return all === 0 ? 0 : shared / all
}

export class MinHasher {
  readonly banding: Banding
  readonly #factors: Uint32Array
  readonly #offsets: Uint32Array
  readonly #least: Uint32Array

  constructor(banding: Banding, seed: number) {
    this.banding = banding
    const size = banding.bands * banding.rows
    this.#factors = randomWords({ seed, purpose: 'sample', layer: 1 }, size).map((word) => word | 1)
    this.#offsets = randomWords({ seed, purpose: 'sample', layer: 2 }, size)
    this.#least = new Uint32Array(size)
  }

  /** The text's key in every band. */
  keys(set: Uint32Array): Uint32Array {
    const { bands, rows } = this.banding
    const least = this.#least.fill(0xffffffff)
    const factors = this.#factors
    const offsets = this.#offsets
    for (const shingle of set)
      for (let i = 0; i < least.length; i++) {
        let hash = (Math.imul(shingle, factors[i]!) + offsets[i]!) | 0
        hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
        hash = (hash ^ (hash >>> 13)) >>> 0
        if (hash < least[i]!) least[i] = hash
      }
    const keys = new Uint32Array(bands)
    for (let band = 0; band < bands; band++) {
      let key = band
      for (let i = band * rows; i < (band + 1) * rows; i++) key = mix(Math.imul(key, 31) + least[i]!)
      keys[band] = key
    }
    return keys
  }
}

/** Earlier texts of a bucket that a text is compared with: the first, and these many before it. */
const NEIGHBOURS = 4
/** Pairs kept for verification; a table of texts that are all alike would have as many as it likes. */
export const PAIR_LIMIT = 6_000_000
/** Texts must be fewer, so that key and row fit into the 53 bits of a number. */
const ROW_RANGE = 2 ** 21

/**
 * Pairs of texts that share a bucket, as left * ROW_RANGE + right, each once, with left < right.
 * @param keys `bands` numbers a text
 * @param has whether a text takes part
 */
export async function candidatePairs(
  keys: Uint32Array,
  bands: number,
  has: (text: number) => boolean,
  pause: (share?: number) => Promise<void>,
): Promise<{ pairs: Float64Array; cut: boolean }> {
  const total = keys.length / bands
  const members: number[] = []
  for (let text = 0; text < total; text++) if (has(text)) members.push(text)
  const sorted = new Float64Array(members.length)
  let pairs = new Float64Array(0)
  let cut = false
  for (let band = 0; band < bands && !cut; band++) {
    for (let i = 0; i < members.length; i++)
      sorted[i] = keys[members[i]! * bands + band]! * ROW_RANGE + members[i]!
    sorted.sort()
    const fresh: number[] = []
    let first = 0
    for (let i = 1; i < sorted.length; i++) {
      if (Math.floor(sorted[i]! / ROW_RANGE) !== Math.floor(sorted[first]! / ROW_RANGE)) {
        first = i
        continue
      }
      const right = sorted[i]! % ROW_RANGE
      for (let j = i - 1; j >= Math.max(first, i - NEIGHBOURS); j--)
        fresh.push((sorted[j]! % ROW_RANGE) * ROW_RANGE + right)
      if (i - first > NEIGHBOURS) fresh.push((sorted[first]! % ROW_RANGE) * ROW_RANGE + right)
    }
    pairs = union(pairs, fresh)
    cut = pairs.length > PAIR_LIMIT
    await pause((band + 1) / bands)
  }
  return { pairs: pairs.subarray(0, PAIR_LIMIT), cut }
}

export const leftOf = (pair: number): number => Math.floor(pair / ROW_RANGE)
export const rightOf = (pair: number): number => pair % ROW_RANGE

function union(known: Float64Array, fresh: readonly number[]): Float64Array<ArrayBuffer> {
  const all = new Float64Array(known.length + fresh.length)
  all.set(known)
  all.set(fresh, known.length)
  all.sort()
  let kept = 0
  for (let i = 0; i < all.length; i++) if (i === 0 || all[i] !== all[i - 1]) all[kept++] = all[i]!
  return all.slice(0, kept)
}

/**
 * Pairs that can reach the threshold at all (the smaller set is at most as large as what they share), in batches whose
 * shingles, of `sizes` by row, are few enough to be held at a time: about `limit`.
 */
export function pairBatches(
  pairs: Float64Array,
  sizes: ArrayLike<number>,
  threshold: number,
  limit: number,
): Float64Array[] {
  const able = pairs.filter((pair) => {
    const left = sizes[leftOf(pair)]!
    const right = sizes[rightOf(pair)]!
    return Math.min(left, right) >= threshold * Math.max(left, right)
  })
  const batches: Float64Array[] = []
  let from = 0
  let shinglesHeld = 0
  let rows = new Set<number>()
  for (const [i, pair] of able.entries()) {
    for (const row of [leftOf(pair), rightOf(pair)])
      if (!rows.has(row)) {
        rows.add(row)
        shinglesHeld += sizes[row]!
      }
    if (shinglesHeld < limit && i < able.length - 1) continue
    batches.push(able.subarray(from, i + 1))
    from = i + 1
    shinglesHeld = 0
    rows = new Set()
  }
  return batches
}
