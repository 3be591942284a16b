// How many different values there are, in 16 kB: HyperLogLog (Flajolet et al. 2007) with the estimator of Ertl 2017, "New
// cardinality estimation algorithms for HyperLogLog sketches", which needs no tables of corrections.

/** 2^14 registers. */
const BITS = 14
const REGISTERS = 1 << BITS
/** Leading zeros that 64 bits of a hash can have after the register's number. */
const RANKS = 64 - BITS

/** Standard error of an estimate, as a share of it. */
export const HLL_ERROR = 1.04 / Math.sqrt(REGISTERS)

export class HyperLogLog {
  readonly #registers = new Uint8Array(REGISTERS)

  add(value: string): void {
    const [high, low] = hash64(value)
    const register = high >>> (32 - BITS)
    const rest = (high << BITS) | (low >>> (32 - BITS))
    const last = low << BITS
    const zeros = rest !== 0 ? Math.clz32(rest) : Math.min(RANKS, 32 + Math.clz32(last))
    const rank = zeros + 1
    if (rank > this.#registers[register]!) this.#registers[register] = rank
  }

  estimate(): number {
    const counts = new Uint32Array(RANKS + 2)
    for (const rank of this.#registers) counts[rank]!++
    let z = REGISTERS * tau(1 - counts[RANKS + 1]! / REGISTERS)
    for (let rank = RANKS; rank >= 1; rank--) z = 0.5 * (z + counts[rank]!)
    z += REGISTERS * sigma(counts[0]! / REGISTERS)
    return (REGISTERS * REGISTERS) / (2 * Math.LN2 * z)
  }
}

function sigma(x: number): number {
  if (x === 1) return Infinity
  let y = 1
  let z = x
  for (let before = NaN; z !== before;) {
    x *= x
    before = z
    z += x * y
    y += y
  }
  return z
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0
  let y = 1
  let z = 1 - x
  for (let before = NaN; z !== before;) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}

/** Two 32-bit hashes of a text (cyrb53 of bryc, public domain: two multiplicative lanes mixed with each other). */
export function hash64(text: string): [number, number] {
  let one = 0xdeadbeef
  let two = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    one = Math.imul(one ^ code, 2654435761)
    two = Math.imul(two ^ code, 1597334677)
  }
  one = Math.imul(one ^ (one >>> 16), 2246822507) ^ Math.imul(two ^ (two >>> 13), 3266489909)
  two = Math.imul(two ^ (two >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909)
  return [two >>> 0, one >>> 0]
}
