// Training, validation and test rows: seeded, stratified, and made once, so that what was held out stays held out.
import { SPLIT_NAMES, type Split, type SplitConfig } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import { permutation } from './rng.ts'

export const DEFAULT_SPLIT: SplitConfig = { train: 0.8, validation: 0.1, test: 0.1, seed: 42 }

export interface SplitResult {
  /** Part of each row: an index into SPLIT_NAMES. */
  parts: Uint8Array
  split: Split
}

/**
 * Splits rows. `strata` has one value a row (null: one stratum); each stratum is split by the same shares, to within one
 * row. Throws E_ARGUMENT for shares that do not add up.
 */
export function splitRows(rows: number, config: SplitConfig, strata: readonly string[] | null): SplitResult {
  checkSplit(config)
  const shares = SPLIT_NAMES.map((name) => config[name])
  const parts = new Uint8Array(rows)
  const counts = shares.map(() => 0)
  const groups = [...groupRows(rows, strata).entries()].sort(([a], [b]) => (a < b ? -1 : 1))
  let done = 0
  for (const [layer, [, members]] of groups.entries()) {
    done += members.length
    const owed = shares.map((share, part) => share * done - counts[part]!)
    const sizes = apportion(members.length, shares, owed)
    const order = permutation({ seed: config.seed, purpose: 'split', layer }, members.length)
    let at = 0
    for (const [part, size] of sizes.entries()) {
      for (const end = at + size; at < end; at++) parts[members[order[at]!]!] = part
      counts[part]! += size
    }
  }
  const [train, validation, test] = counts as [number, number, number]
  return { parts, split: { ...config, rows: { train, validation, test } } }
}

/** Throws E_ARGUMENT, naming what is wrong. */
export function checkSplit(config: SplitConfig): void {
  for (const name of SPLIT_NAMES) {
    const share = config[name]
    if (!(typeof share === 'number' && share >= 0 && share <= 1))
      throw new GraftError(
        'E_ARGUMENT',
        `The share of ${name} rows must be from 0 to 1, but is ${String(share)}.`,
      )
  }
  const sum = config.train + config.validation + config.test
  if (Math.abs(sum - 1) > 1e-6)
    throw new GraftError(
      'E_ARGUMENT',
      `The shares must add up to 1, but they add up to ${Number(sum.toFixed(4))}.`,
    )
  if (config.train === 0) throw new GraftError('E_ARGUMENT', 'Some rows must be for training.')
  if (!Number.isInteger(config.seed) || config.seed < 0 || config.seed > 0xffffffff)
    throw new GraftError('E_ARGUMENT', 'The seed must be a whole number from 0 to 4,294,967,295.')
}

/**
 * Sizes of the parts of one stratum: the whole rows of each share, and the left-over rows by what the parts are owed so
 * far over all strata (so that many small strata do not all round the same way). A part gets at most one left-over row,
 * and none where its share is whole; training comes first where it would have none.
 */
function apportion(rows: number, shares: readonly number[], owed: readonly number[]): number[] {
  const exact = shares.map((share) => share * rows)
  // Sums of decimal shares miss whole numbers by a hair: 0.1 * 30 is 3, 0.7 * 10 is not quite 7.
  const sizes = exact.map((size) => Math.floor(size + 1e-9))
  const left = rows - sizes.reduce((sum, size) => sum + size, 0)
  const takers = sizes
    .map((size, part) => ({
      part,
      remainder: exact[part]! - size,
      rank: part === 0 && size === 0 ? Infinity : owed[part]! - size,
    }))
    .filter(({ remainder }) => remainder > 1e-9)
    .sort((a, b) => b.rank - a.rank || b.remainder - a.remainder || a.part - b.part)
  for (const { part } of takers.slice(0, left)) sizes[part]!++
  return sizes
}

function groupRows(rows: number, strata: readonly string[] | null): Map<string, number[]> {
  const groups = new Map<string, number[]>()
  for (let row = 0; row < rows; row++) {
    const key = strata?.[row] ?? ''
    const group = groups.get(key)
    if (group) group.push(row)
    else groups.set(key, [row])
  }
  return groups
}
