// Numbers for texts: equal texts get equal numbers, counted from 0. It keeps 106 bits of hash for each text in place of the
// text, so that a million rows of any length fit; two different texts meet with a chance below 10^-19 among a million.

/** cyrb53 (public domain, github.com/bryc): 53 bits of a text under a seed. */
export function hash53(text: string, seed: number): number {
  let a = 0xdeadbeef ^ seed
  let b = 0x41c6ce57 ^ seed
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x9e3779b1)
    b = Math.imul(b ^ unit, 0x5f356495)
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return (b & 0x1fffff) * 0x100000000 + (a >>> 0)
}

export class RowKeys {
  readonly #numbers = new Map<number, number>()
  readonly #checks: number[] = []

  /** Different texts so far. */
  get size(): number {
    return this.#checks.length
  }

  /** The number of a text; a new one if it was not met before. */
  number(text: string): number {
    const check = hash53(text, 1)
    for (let key = hash53(text, 0); ; key = (key + 1) % Number.MAX_SAFE_INTEGER) {
      const known = this.#numbers.get(key)
      if (known === undefined) {
        this.#numbers.set(key, this.#checks.length)
        return this.#checks.push(check) - 1
      }
      if (this.#checks[known] === check) return known
    }
  }

  has(text: string): boolean {
    const check = hash53(text, 1)
    for (let key = hash53(text, 0); ; key = (key + 1) % Number.MAX_SAFE_INTEGER) {
      const known = this.#numbers.get(key)
      if (known === undefined) return false
      if (this.#checks[known] === check) return true
    }
  }
}

/** A row by what is in all of its cells. */
export function cellsKey(cells: readonly string[]): string {
  const text = cells.join('\u001f')
  return `${hash53(text, 0).toString(36)}-${hash53(text, 1).toString(36)}`
}

/** Several cells as one text, so that ["a", "b"] and ["ab", ""] differ. */
export function joined(cells: readonly string[], places: readonly number[]): string {
  return places.map((place) => (cells[place] ?? '').trim()).join('\u001f')
}
