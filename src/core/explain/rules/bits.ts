// Sets of rows as bits: counting how many rows have a feature and a label is one pass over n / 32 words.

export type Bits = Uint32Array

export function bitsOf(size: number, has: (row: number) => boolean): Bits {
  const bits = new Uint32Array(Math.ceil(size / 32))
  for (let row = 0; row < size; row++) if (has(row)) bits[row >>> 5]! |= 1 << (row & 31)
  return bits
}

export const hasBit = (bits: Bits, row: number): boolean => ((bits[row >>> 5]! >>> (row & 31)) & 1) === 1

/** a and b, or a without b. */
export function narrowed(a: Bits, b: Bits, holds: boolean): Bits {
  const out = new Uint32Array(a.length)
  for (let i = 0; i < a.length; i++) out[i] = a[i]! & (holds ? b[i]! : ~b[i]!)
  return out
}

export function size(a: Bits): number {
  let total = 0
  for (let i = 0; i < a.length; i++) total += ones(a[i]!)
  return total
}

/** Rows in both. */
export function overlap(a: Bits, b: Bits): number {
  let total = 0
  for (let i = 0; i < a.length; i++) total += ones(a[i]! & b[i]!)
  return total
}

/** Bits of a 32-bit word that are set (Warren, Hacker's Delight, 5-2). */
function ones(word: number): number {
  word -= (word >>> 1) & 0x55555555
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333)
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
