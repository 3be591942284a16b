// Hashes of texts, and a table from hashes to rows that holds a million of them in a few typed arrays.

/** FNV-1a over UTF-16 units with a finisher (murmur3), 32 bits. */
export function hash32(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mix(hash)
}

/** Murmur3's finisher: every bit of the input changes about half of the output's. */
export function mix(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** A hash for each word, in the beginning of `room` where there is enough of it. */
export function hashesOf(words: readonly string[], room = new Uint32Array(words.length)): Uint32Array {
  const hashes = roomFor(words.length, room)
  for (let i = 0; i < words.length; i++) hashes[i] = hash32(words[i]!)
  return hashes
}

/** The beginning of an array where it is long enough, else a new one. */
export function roomFor(length: number, room: Uint32Array): Uint32Array {
  return length <= room.length ? room.subarray(0, length) : new Uint32Array(length)
}

const EMPTY = -1
/** Places a text: three quarters of them are taken at most. */
const ROOM = 4 / 3

/**
 * The first row of each text, known by 64 bits of hash: among a million different texts two share them with a
 * probability of 3e-8. Open addressing, 16 bytes a row of those expected.
 */
export class FirstRows {
  #low: Uint32Array
  #high: Uint32Array
  #row: Int32Array
  #size = 0

  constructor(expected: number) {
    const capacity = 16 + Math.ceil(expected * ROOM)
    this.#low = new Uint32Array(capacity)
    this.#high = new Uint32Array(capacity)
    this.#row = new Int32Array(capacity).fill(EMPTY)
  }

  /** The row that had this text first; `row` itself where it is the first. */
  firstOf(text: string, row: number): number {
    let a = 0x811c9dc5
    let b = 0x9747b28c
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      a = Math.imul(a ^ unit, 0x01000193)
      b = Math.imul(b ^ unit, 0x5f356495)
    }
    const low = mix(a)
    const high = mix(b)
    let at = this.#find(low, high)
    if (this.#row[at] !== EMPTY) return this.#row[at]!
    if ((this.#size + 1) * ROOM > this.#row.length) {
      this.#grow()
      at = this.#find(low, high)
    }
    this.#put(at, low, high, row)
    this.#size++
    return row
  }

  #find(low: number, high: number): number {
    const capacity = this.#row.length
    let at = Math.floor((low / 0x100000000) * capacity)
    while (this.#row[at] !== EMPTY && (this.#low[at] !== low || this.#high[at] !== high))
      if (++at === capacity) at = 0
    return at
  }

  #put(at: number, low: number, high: number, row: number): void {
    this.#low[at] = low
    this.#high[at] = high
    this.#row[at] = row
  }

  #grow(): void {
    const [low, high, row] = [this.#low, this.#high, this.#row]
    const capacity = row.length * 2
    this.#low = new Uint32Array(capacity)
    this.#high = new Uint32Array(capacity)
    this.#row = new Int32Array(capacity).fill(EMPTY)
    for (let i = 0; i < row.length; i++)
      if (row[i] !== EMPTY) this.#put(this.#find(low[i]!, high[i]!), low[i]!, high[i]!, row[i]!)
  }
}
