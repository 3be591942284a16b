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

const EMPTY = -1

/**
 * The first row of each text, known by 64 bits of hash: among a million different texts two share them with a
 * probability of 3e-8. Open addressing, at most half full.
 */
export class FirstRows {
  #low: Uint32Array
  #high: Uint32Array
  #row: Int32Array
  #size = 0

  constructor(expected: number) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, expected * 2)))
    this.#low = new Uint32Array(capacity)
    this.#high = new Uint32Array(capacity)
    this.#row = new Int32Array(capacity).fill(EMPTY)
  }

  /** The row that had this text first; `row` itself where it is the first. */
  firstOf(text: string, row: number): number {
    const low = hash32(text)
    const high = hash32(text, 0x9747b28c)
    let at = this.#find(low, high)
    if (this.#row[at] !== EMPTY) return this.#row[at]!
    if ((this.#size + 1) * 2 > this.#row.length) {
      this.#grow()
      at = this.#find(low, high)
    }
    this.#low[at] = low
    this.#high[at] = high
    this.#row[at] = row
    this.#size++
    return row
  }

  #find(low: number, high: number): number {
    const mask = this.#row.length - 1
    let at = low & mask
    while (this.#row[at] !== EMPTY && (this.#low[at] !== low || this.#high[at] !== high)) at = (at + 1) & mask
    return at
  }

  #grow(): void {
    const [low, high, row] = [this.#low, this.#high, this.#row]
    const capacity = row.length * 2
    this.#low = new Uint32Array(capacity)
    this.#high = new Uint32Array(capacity)
    this.#row = new Int32Array(capacity).fill(EMPTY)
    for (let i = 0; i < row.length; i++) {
      if (row[i] === EMPTY) continue
      const at = this.#find(low[i]!, high[i]!)
      this.#low[at] = low[i]!
      this.#high[at] = high[i]!
      this.#row[at] = row[i]!
    }
  }
}
