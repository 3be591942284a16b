// The words of an index in typed arrays: numbers for words while it is built, and all words with a beginning afterwards. No
// string is made of any word, and its size is bounded: once it is full, a new word is filed under its first letters.

/** Different words that are told apart. */
export const VOCABULARY_LIMIT = 1 << 20
/** Letters that a word is filed under once the vocabulary is full. */
const SHELF_LETTERS = 3
/** Ends the name of such a shelf: no word holds it. */
const SHELF = 0xffff

/** Words with a beginning: a stretch of the sorted vocabulary, and shelves whose rows must be looked at. */
export interface Matching {
  /** Number of the word -> 1: every row with it is found; 2: rows with it may be found. */
  of: Uint8Array
  sure: number
  doubtful: number
}

export class Vocabulary {
  readonly #limit: number
  #letters = new Uint16Array(1 << 16)
  #ends = new Uint32Array(1 << 12)
  #hashes = new Uint32Array(1 << 12)
  /** Word + 1, or 0, by hash. */
  #slots = new Uint32Array(1 << 14)
  #size = 0
  #sorted: Uint32Array | null = null

  constructor(limit = VOCABULARY_LIMIT) {
    this.#limit = limit
  }

  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return (
      this.#letters.byteLength +
      this.#ends.byteLength +
      this.#hashes.byteLength +
      this.#slots.byteLength +
      (this.#sorted?.byteLength ?? 0)
    )
  }

  /** The number of the word in room[0..length). */
  number(room: Uint16Array, length: number): number {
    const hash = hashOf(room, length)
    const found = this.#find(room, length, hash)
    if (found >= 0) return found
    if (this.#size < this.#limit) return this.#add(room, length, hash)
    const name = new Uint16Array(Math.min(length, SHELF_LETTERS) + 1)
    name.set(room.subarray(0, name.length - 1))
    name[name.length - 1] = SHELF
    const nameHash = hashOf(name, name.length)
    const shelf = this.#find(name, name.length, nameHash)
    return shelf >= 0 ? shelf : this.#add(name, name.length, nameHash)
  }

  /** Puts the words in order; to be called once, when all are there, before `matching`. */
  sort(): void {
    const order = Uint32Array.from({ length: this.#size }, (_, word) => word)
    const letters = this.#letters
    const ends = this.#ends
    this.#sorted = order.sort((a, b) => {
      const startA = a === 0 ? 0 : ends[a - 1]!
      const startB = b === 0 ? 0 : ends[b - 1]!
      const lengthA = ends[a]! - startA
      const lengthB = ends[b]! - startB
      const shared = Math.min(lengthA, lengthB)
      for (let i = 0; i < shared; i++) {
        const difference = letters[startA + i]! - letters[startB + i]!
        if (difference !== 0) return difference
      }
      return lengthA - lengthB
    })
  }

  /** The words that begin with (or, without `prefix`, are) a text. */
  matching(text: string, prefix: boolean): Matching {
    const of = new Uint8Array(this.#size)
    const result = { of, sure: 0, doubtful: 0 }
    const sorted = this.#sorted!
    let low = 0
    for (let high = sorted.length; low < high;) {
      const middle = (low + high) >>> 1
      if (this.#text(sorted[middle]!) < text) low = middle + 1
      else high = middle
    }
    for (; low < sorted.length; low++) {
      const word = this.#text(sorted[low]!)
      if (!word.startsWith(text)) break
      const shelf = word.charCodeAt(word.length - 1) === SHELF
      // A shelf holds words that begin with its letters: all of them match a shorter beginning.
      if (prefix || word === text) {
        of[sorted[low]!] = 1
        result.sure++
      } else if (shelf && word.length - 1 === text.length) {
        of[sorted[low]!] = 2
        result.doubtful++
      }
    }
    // The shelf of a longer text holds other words too.
    if (this.#size >= this.#limit) {
      const name = Uint16Array.from(text.slice(0, SHELF_LETTERS) + '\uffff', (letter) => letter.charCodeAt(0))
      const shelf = this.#find(name, name.length, hashOf(name, name.length))
      if (shelf >= 0 && of[shelf] === 0) {
        of[shelf] = 2
        result.doubtful++
      }
    }
    return result
  }

  #text(word: number): string {
    const start = word === 0 ? 0 : this.#ends[word - 1]!
    return String.fromCharCode(...this.#letters.subarray(start, this.#ends[word]))
  }

  #find(room: Uint16Array, length: number, hash: number): number {
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const word = this.#slots[slot]! - 1
      if (word < 0) return -1
      if (this.#hashes[word] === hash && this.#equals(word, room, length)) return word
    }
  }

  #equals(word: number, room: Uint16Array, length: number): boolean {
    const start = word === 0 ? 0 : this.#ends[word - 1]!
    if (this.#ends[word]! - start !== length) return false
    for (let i = 0; i < length; i++) if (this.#letters[start + i] !== room[i]) return false
    return true
  }

  #add(room: Uint16Array, length: number, hash: number): number {
    const word = this.#size++
    const start = word === 0 ? 0 : this.#ends[word - 1]!
    if (start + length > this.#letters.length) this.#letters = grown(this.#letters)
    if (word >= this.#ends.length) {
      this.#ends = grown(this.#ends)
      this.#hashes = grown(this.#hashes)
    }
    for (let i = 0; i < length; i++) this.#letters[start + i] = room[i]!
    this.#ends[word] = start + length
    this.#hashes[word] = hash
    if (this.#size * 2 > this.#slots.length) this.#rehash()
    else this.#place(word, hash)
    return word
  }

  #rehash(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (let word = 0; word < this.#size; word++) this.#place(word, this.#hashes[word]!)
  }

  #place(word: number, hash: number): void {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = word + 1
  }
}

/** FNV-1a, with the bits mixed once more because only the low ones are used (Appleby's fmix32). */
function hashOf(room: Uint16Array, length: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ room[i]!, 0x01000193)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}

function grown<T extends Uint16Array | Uint32Array>(old: T): T {
  const larger =
    old instanceof Uint16Array ? new Uint16Array(old.length * 2) : new Uint32Array(old.length * 2)
  larger.set(old)
  return larger as T
}
