// A text as hashed words and pairs of words, for the linear model behind the label check (Weinberger et al. 2009,
// "Feature Hashing"). Rows are kept as compressed sparse rows: feature numbers one after the other, and where each begins.
import { hashesOf, mix } from './hash.ts'

/** Numbers that a feature may have; a model with many classes folds them. */
export const FEATURES_MOST = 2 ** 16
/** Features of one text; a longer one is known by its beginning. */
export const FEATURES_LIMIT = 400

/** Distinct features of a text: its words and pairs of neighbours. `mask` is the number of features - 1 (a power of 2). */
export function features(words: readonly string[], mask: number): Uint32Array {
  return featuresOf(hashesOf(words), mask)
}

/** The same of words that are hashed already. */
export function featuresOf(hashes: Uint32Array, mask: number): Uint32Array {
  const most = Math.min(hashes.length, FEATURES_LIMIT / 2)
  const found = new Uint32Array(Math.max(0, 2 * most - 1))
  let before = 0
  let size = 0
  for (let i = 0; i < most; i++) {
    const word = hashes[i]!
    found[size++] = word & mask
    if (i > 0) found[size++] = mix((Math.imul(before, 31) + word) | 0) & mask
    before = word
  }
  found.sort()
  let distinct = 0
  for (let i = 0; i < size; i++) if (i === 0 || found[i] !== found[i - 1]) found[distinct++] = found[i]!
  return found.subarray(0, distinct)
}

/** Rows of features to be read. */
export interface FeatureRows {
  readonly rows: number
  at(row: number): Uint32Array
}

/** Rows of features that grow by appending. */
export class SparseRows implements FeatureRows {
  #features = new Uint32Array(1 << 14)
  #ends: number[] = [0]

  get rows(): number {
    return this.#ends.length - 1
  }

  add(features: Uint32Array): void {
    const start = this.#ends.at(-1)!
    const end = start + features.length
    if (end > this.#features.length) {
      const larger = new Uint32Array(Math.max(end, this.#features.length * 2))
      larger.set(this.#features.subarray(0, start))
      this.#features = larger
    }
    this.#features.set(features, start)
    this.#ends.push(end)
  }

  at(row: number): Uint32Array {
    return this.#features.subarray(this.#ends[row]!, this.#ends[row + 1]!)
  }

  /** Some of the rows in another order, not copied. */
  chosen(members: Uint32Array): FeatureRows {
    return { rows: members.length, at: (row) => this.at(members[row]!) }
  }
}

/** Smoothed inverse document frequency: ln((1 + rows) / (1 + rows with it)) + 1, as scikit-learn has it. */
export function inverseFrequencies(rows: FeatureRows, size: number): Float32Array {
  const weights = new Float32Array(size)
  for (let row = 0; row < rows.rows; row++) for (const feature of rows.at(row)) weights[feature]!++
  for (let i = 0; i < size; i++) weights[i] = Math.log((1 + rows.rows) / (1 + weights[i]!)) + 1
  return weights
}
