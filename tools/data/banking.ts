// Confident learning on banking77 (Casanueva et al. 2020, CC BY 4.0) with 5% of its labels flipped by a seed: how many of
// them are found, and how many of those found were flipped.
import { words } from '../../src/data/health/words.ts'
import { features, FEATURES_MOST, SparseRows } from '../../src/data/health/features.ts'
import { crossValidate } from '../../src/data/health/mislabelled.ts'
import { permutation, words as randomWords } from '../../src/data/rng.ts'

const FLIPPED = 0.05

export interface Flipped {
  rows: number
  classes: number
  flipped: number
  named: number
  recall: number
  precision: number
}

/** @param rows text and label of each row */
export async function findFlipped(rows: readonly (readonly string[])[], seed: number): Promise<Flipped> {
  const names = [...new Set(rows.map(([, label]) => label!))].sort()
  const given = Int32Array.from(rows, ([, label]) => names.indexOf(label!))
  const flips = permutation({ seed, purpose: 'noise' }, rows.length).subarray(
    0,
    Math.round(FLIPPED * rows.length),
  )
  const shifts = randomWords({ seed, purpose: 'noise', step: 1 }, flips.length)
  for (const [i, row] of flips.entries())
    given[row] = (given[row]! + 1 + (shifts[i]! % (names.length - 1))) % names.length
  const sparse = new SparseRows()
  for (const [text] of rows) sparse.add(features(words(text!), FEATURES_MOST - 1))
  const judged = await crossValidate(sparse, given, names.length, 42, () => Promise.resolve())
  const flipped = new Set(flips)
  const named = judged!.issues.length
  const found = judged!.issues.filter(({ row }) => flipped.has(row)).length
  return {
    rows: rows.length,
    classes: names.length,
    flipped: flipped.size,
    named,
    recall: found / flipped.size,
    precision: found / named,
  }
}
