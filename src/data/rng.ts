// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3").
// A number is a pure function of (seed, purpose, step, layer, element), so a resumed run equals an uninterrupted one
// and every backend draws the same dropout masks, shuffles and initial values.

/** What the numbers are for; part of the key, so that two purposes never share a stream. */
export const PURPOSES = {
  shuffle: 1,
  init: 2,
  dropout: 3,
  sample: 4,
  noise: 5,
  split: 6,
  augment: 7,
  balance: 8,
} as const
export type Purpose = keyof typeof PURPOSES

export interface RngKey {
  seed: number
  purpose: Purpose
  /** Optimizer step, epoch or token, by purpose. */
  step?: number
  /** Layer or tensor, by purpose. */
  layer?: number
}

const M0 = 0xd2511f53
const M1 = 0xcd9e8d57
const W0 = 0x9e3779b9
const W1 = 0xbb67ae85
const ROUNDS = 10

/** High 32 bits of the product of two unsigned 32-bit integers; all steps stay in int32, which engines make fast. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0
  const other = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (other >>> 16)) | 0
}

/** Writes one Philox block, for the counter (c0, c1, c2, c3) under the key (k0, k1), at out[at..at + 3]. */
function writeBlock(
  out: Uint32Array,
  at: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(M0, c0)
    const high1 = multiplyHigh(M1, c2)
    const low0 = Math.imul(M0, c0)
    const low1 = Math.imul(M1, c2)
    c0 = high1 ^ c1 ^ k0
    c1 = low1
    c2 = high0 ^ c3 ^ k1
    c3 = low0
    k0 = (k0 + W0) | 0
    k1 = (k1 + W1) | 0
  }
  out[at] = c0
  out[at + 1] = c1
  out[at + 2] = c2
  out[at + 3] = c3
}

/** One Philox block: four 32-bit words for a counter of four words under a key of two. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  const out = new Uint32Array(4)
  writeBlock(out, 0, ...counter, ...key)
  return [out[0]!, out[1]!, out[2]!, out[3]!]
}

/** `count` words of the stream of a key; `start` skips that many blocks of four. */
export function words(key: RngKey, count: number, start = 0): Uint32Array {
  const blocks = Math.ceil(count / 4)
  const out = new Uint32Array(blocks * 4)
  const purpose = PURPOSES[key.purpose]
  const { seed, step = 0, layer = 0 } = key
  for (let block = 0; block < blocks; block++) {
    writeBlock(out, block * 4, start + block, 0, step, layer, seed, purpose)
  }
  return out.subarray(0, count)
}

/** Uniform numbers in [0, 1) with 24 random bits, exact in float32. */
export function uniforms(key: RngKey, count: number): Float32Array {
  const drawn = words(key, count)
  const out = new Float32Array(count)
  for (let i = 0; i < count; i++) out[i] = (drawn[i]! >>> 8) / 0x1000000
  return out
}

/** Standard normal numbers (Box-Muller). */
export function normals(key: RngKey, count: number): Float32Array {
  const u = words(key, count + (count % 2))
  const out = new Float32Array(count)
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log((u[i]! + 0.5) / 0x100000000))
    const angle = (2 * Math.PI * u[i + 1]!) / 0x100000000
    out[i] = radius * Math.cos(angle)
    if (i + 1 < count) out[i + 1] = radius * Math.sin(angle)
  }
  return out
}

/** A seeded order of 0..n-1 (Fisher-Yates). */
export function permutation(key: RngKey, n: number): Uint32Array {
  const order = new Uint32Array(n)
  for (let i = 0; i < n; i++) order[i] = i
  const random = words(key, Math.max(0, n - 1))
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((random[n - 1 - i]! / 0x100000000) * (i + 1))
    const swap = order[i]!
    order[i] = order[j]!
    order[j] = swap
  }
  return order
}
