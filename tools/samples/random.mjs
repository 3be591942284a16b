// Seeded random numbers for the sample generator: the samples must come out the same on every machine, to the byte.
// The generator is mulberry32 (Tommy Ettinger, public domain): 32 bits of state, ample for a few thousand draws.

/**
 * @typedef {object} Random
 * @property {() => number} next a number in [0, 1)
 * @property {(low: number, high: number) => number} integer a whole number from low to high, both included
 * @property {(p: number) => boolean} chance true with probability p
 * @property {<T>(items: readonly T[]) => T} pick one of the items
 * @property {<T>(items: readonly T[]) => T[]} shuffled a shuffled copy
 * @property {<T>(items: readonly T[]) => () => T} deck draws without replacement, and shuffles again when all are drawn
 */

/**
 * @param {number} seed a whole number
 * @returns {Random}
 */
export function seeded(seed) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const integer = (low, high) => low + Math.floor(next() * (high - low + 1))
  const shuffled = (items) => {
    const out = [...items]
    for (let i = out.length - 1; i > 0; i--) {
      const j = integer(0, i)
      const swap = out[i]
      out[i] = out[j]
      out[j] = swap
    }
    return out
  }
  return {
    next,
    integer,
    shuffled,
    chance: (p) => next() < p,
    pick: (items) => items[integer(0, items.length - 1)],
    deck: (items) => {
      let left = []
      return () => {
        if (left.length === 0) left = shuffled(items)
        return left.pop()
      }
    },
  }
}
