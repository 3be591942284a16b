// Which text stands in some bytes, for the few different texts of a column that repeat: a hash table from bytes to numbers, so
// that no string is made of a cell that was met before. Texts are told apart by their length and 64 bits of hash: four bytes at a
// time go through MurmurHash3's mixing (Appleby 2011) into two sums, what is left byte by byte as in FNV-1a.

export class SeenBytes {
  #slots = new Int32Array(4 * 64)
  #count = 0
  /** What was looked for last. */
  #low = 0
  #high = 0
  #length = 0

  /** The number of the text that bytes `start` to `end` are, or 0. */
  find(bytes: DataView, start: number, end: number): number {
    let low = 0x811c9dc5 | 0
    let high = 0x9e3779b9 | 0
    let at = start
    for (; at + 4 <= end; at += 4) {
      const first = Math.imul(bytes.getInt32(at, true), 0xcc9e2d51)
      const mixed = Math.imul((first << 15) | (first >>> 17), 0x1b873593)
      low ^= mixed
      low = (Math.imul((low << 13) | (low >>> 19), 5) + 0xe6546b64) | 0
      high = Math.imul(high ^ mixed, 0x85ebca6b)
    }
    for (; at < end; at++) {
      const byte = bytes.getUint8(at)
      low = Math.imul(low ^ byte, 0x01000193)
      high = Math.imul(high ^ byte, 0x85ebca6b)
    }
    this.#low = low
    // Its low bits depend on few of the letters.
    this.#high = high ^ (high >>> 15)
    this.#length = end - start
    return this.#slots[this.#place() + 3]!
  }

  /** Remembers what was looked for last under a number above 0. */
  add(code: number): void {
    this.#put(code)
    if (++this.#count * 8 < this.#slots.length) return
    const before = this.#slots
    this.#slots = new Int32Array(2 * before.length)
    for (let at = 0; at < before.length; at += 4) {
      if (before[at + 3] === 0) continue
      this.#low = before[at]!
      this.#high = before[at + 1]!
      this.#length = before[at + 2]!
      this.#put(before[at + 3]!)
    }
  }

  #put(code: number): void {
    const place = this.#place()
    this.#slots[place] = this.#low
    this.#slots[place + 1] = this.#high
    this.#slots[place + 2] = this.#length
    this.#slots[place + 3] = code
  }

  /** The place of what is looked for, or of nothing. */
  #place(): number {
    const slots = this.#slots
    const mask = slots.length - 4
    let place = ((this.#low ^ this.#high) << 2) & mask
    while (
      slots[place + 3] !== 0 &&
      (slots[place] !== this.#low || slots[place + 1] !== this.#high || slots[place + 2] !== this.#length)
    )
      place = (place + 4) & mask
    return place
  }
}
