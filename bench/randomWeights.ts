// A checkpoint that exists only as a rule: every row of every tensor is made when it is asked for, and is the same each
// time. Values are normal with standard deviation 0.02 (norms 1, biases 0), windows into one pool of random numbers.
import type { Architecture, Family } from '../src/core/models/architecture.ts'
import { tensorSpecs } from '../src/core/models/tensors.ts'
import type { WeightSource } from '../src/core/models/weights.ts'
import { normals } from '../src/core/rng.ts'

const STD = 0.02
/** A prime, so that rows of any width begin at other places of the pool. */
const POOL = 1_048_573

let pool: Float32Array | null = null

function poolOf(): Float32Array {
  pool ??= Float32Array.from(normals({ seed: 7, purpose: 'init' }, POOL), (z) => z * STD)
  return pool
}

export function randomWeights(family: Family, architecture: Architecture): WeightSource {
  const specs = new Map(
    tensorSpecs(family, architecture).map((spec, place) => [
      spec.name,
      { ...spec, place, shape: spec.transposed ? [...spec.shape].reverse() : [...spec.shape] },
    ]),
  )
  const size = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1)
  const values = (name: string, begin: number, end: number) => {
    const { role, place } = specs.get(name)!
    const out = new Float32Array(end - begin)
    if (role === 'vector' && name.endsWith('.bias')) return out
    // A learned table of positions is kept as a vector too, but is a matrix.
    if (role === 'vector' && specs.get(name)!.shape.length === 1) return out.fill(1)
    const source = poolOf()
    for (let at = 0; at < out.length;) {
      const from = (place * 92_821 + begin + at) % POOL
      const count = Math.min(out.length - at, POOL - from)
      out.set(source.subarray(from, from + count), at)
      at += count
    }
    return out
  }
  return {
    has: (name) => specs.has(name),
    shape: (name) => specs.get(name)!.shape,
    read: (name) => Promise.resolve(values(name, 0, size(specs.get(name)!.shape))),
    rows(name, begin, end) {
      const width = size(specs.get(name)!.shape.slice(1))
      return Promise.resolve(values(name, begin * width, end * width))
    },
  }
}

/** Token ids of a batch: the same for Graft and for everything it is compared with. */
export function randomIds(rows: number, length: number, vocab: number): number[][] {
  let state = 12345
  return Array.from({ length: rows }, () =>
    Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * vocab)
    }),
  )
}
