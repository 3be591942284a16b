// Training, validation and test rows: seeded and made once, so that what was held out stays held out. Rows are divided one by
// one, or in groups that stay together; strata keep their shares; times keep their order.
import { SPLIT_NAMES, type Split, type SplitConfig } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import { permutation, words } from './rng.ts'

export const DEFAULT_SPLIT: SplitConfig = { train: 0.8, validation: 0.1, test: 0.1, seed: 42 }
export const FOLDS_LIMIT = 50
/** Part of a row that has none yet. */
export const NO_PART = 255

const TRAIN = SPLIT_NAMES.indexOf('train')
const VALIDATION = SPLIT_NAMES.indexOf('validation')
const TEST = SPLIT_NAMES.indexOf('test')

export interface SplitResult {
  /** Part of each row: an index into SPLIT_NAMES. */
  parts: Uint8Array
  split: Split
  /** Fold of each row that is not for testing, else NO_PART; only with `folds`. */
  folds?: Uint8Array
}

/** What is known of the rows; each has one value a row. */
export interface RowFacts {
  /** Rows of one stratum keep their shares. */
  strata?: readonly string[] | null
  /** Rows of one group stay together. */
  groups?: ArrayLike<number> | null
  /** Rows are divided in this order; NaN: for training. */
  times?: Float64Array | null
}

/**
 * Splits rows. `strata` has one value a row (null: one stratum); each stratum is split by the same shares, to within one
 * row. Throws E_ARGUMENT for shares that do not add up.
 */
export function splitRows(rows: number, config: SplitConfig, strata: readonly string[] | null): SplitResult {
  return splitBy(rows, config, { strata })
}

/** Splits rows by what is known of them. Groups are exact, and then shares as near as whole groups allow. */
export function splitBy(rows: number, config: SplitConfig, facts: RowFacts): SplitResult {
  checkSplit(config)
  const { folds: count } = config
  const shares = count
    ? [...Array.from({ length: count }, () => (1 - config.test) / count), config.test]
    : SPLIT_NAMES.map((name) => config[name])
  const drawn = facts.times ? divideByTime(facts.times, shares) : divide(rows, shares, config.seed, facts)
  if (!count) return { parts: drawn, split: withCounts(config, drawn) }
  const folds = drawn.map((part) => (part === count ? NO_PART : part))
  const parts = partsOfFolds(folds, config.fold ?? 0)
  return { parts, split: withCounts(config, parts), folds }
}

/** The parts when one of the folds validates. */
export function partsOfFolds(folds: Uint8Array, fold: number): Uint8Array {
  return folds.map((own) => (own === NO_PART ? TEST : own === fold ? VALIDATION : TRAIN))
}

/** The split with the rows of its parts counted. */
export function withCounts(config: SplitConfig, parts: Uint8Array): Split {
  const counts = [0, 0, 0]
  for (let row = 0; row < parts.length; row++) {
    const part = parts[row]!
    if (part < counts.length) counts[part]!++
  }
  const [train, validation, test] = counts as [number, number, number]
  return { ...config, rows: { train, validation, test } }
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
  const { folds, fold = 0, time, group, near, stratify, by } = config
  if (folds !== undefined && !(Number.isInteger(folds) && folds >= 2 && folds <= FOLDS_LIMIT))
    throw new GraftError('E_ARGUMENT', `Folds must be a whole number from 2 to ${FOLDS_LIMIT}.`)
  if (!(Number.isInteger(fold) && fold >= 0 && fold < (folds ?? 1)))
    throw new GraftError(
      'E_ARGUMENT',
      'The fold that validates is counted from 0 and must be one of the folds.',
    )
  if (near !== undefined && !(near >= 0.5 && near <= 1))
    throw new GraftError('E_ARGUMENT', 'The similarity of near-duplicates must be from 0.5 to 1.')
  if (time !== undefined && (group ?? near ?? stratify ?? by ?? folds) !== undefined)
    throw new GraftError(
      'E_ARGUMENT',
      'A split by time has no groups, strata or folds: the order of the rows decides.',
    )
}

/**
 * The part of a row that came later, or was left out when the others were divided: by its number alone, so that it never
 * moves. Folds go the same way.
 */
export function laterPart(shares: readonly number[], seed: number, row: number): number {
  const draw = words({ seed, purpose: 'split', step: 1, layer: row }, 1)[0]! / 0x100000000
  let sum = 0
  for (const [part, share] of shares.entries()) if (draw < (sum += share)) return part
  return shares.findIndex((share) => share > 0)
}

function divide(rows: number, shares: readonly number[], seed: number, facts: RowFacts): Uint8Array {
  const { strata = null, groups = null } = facts
  const parts = new Uint8Array(rows)
  const counts = shares.map(() => 0)
  const layers = [...collect(rows, (row) => strata?.[row] ?? '').entries()].sort(([a], [b]) =>
    a < b ? -1 : 1,
  )
  const units = groups ? unitsOf(rows, groups) : null
  let done = 0
  for (const [layer, [, all]] of layers.entries()) {
    // A group belongs to the stratum of its first row.
    const members = units ? all.filter((row) => units.has(row)) : all
    const size = units ? members.reduce((sum, row) => sum + units.get(row)!.length, 0) : members.length
    done += size
    const owed = shares.map((share, part) => share * done - counts[part]!)
    const order = permutation({ seed, purpose: 'split', layer }, members.length)
    const take = (part: number, taken: ArrayLike<number>): void => {
      for (let i = 0; i < taken.length; i++) parts[taken[i]!] = part
      counts[part]! += taken.length
    }
    if (units) {
      const drawn = Array.from(order, (place) => units.get(members[place]!)!)
      fill(drawn, owed, take)
      continue
    }
    for (let i = 0; i < order.length; i++) order[i] = members[order[i]!]!
    let at = 0
    for (const [part, length] of apportion(members.length, shares, owed).entries()) {
      take(part, order.subarray(at, at + length))
      at += length
    }
  }
  return parts
}

/** Whole groups, the largest first, each to the part that lacks most. */
function fill(
  units: number[][],
  owed: readonly number[],
  take: (part: number, rows: readonly number[]) => void,
): void {
  const lacking = [...owed]
  for (const unit of units.sort((a, b) => b.length - a.length)) {
    let part = 0
    for (let other = 1; other < lacking.length; other++)
      if (lacking[other]! > lacking[part]! + 1e-9) part = other
    lacking[part]! -= unit.length
    take(part, unit)
  }
}

/** Rows of each group, by the group's first row. */
function unitsOf(rows: number, groups: ArrayLike<number>): Map<number, number[]> {
  return new Map([...collect(rows, (row) => groups[row]!).values()].map((members) => [members[0]!, members]))
}

function divideByTime(times: Float64Array, shares: readonly number[]): Uint8Array {
  const parts = new Uint8Array(times.length)
  const timed = Uint32Array.from(times.keys()).filter((row) => !Number.isNaN(times[row]!))
  timed.sort((a, b) => times[a]! - times[b]! || a - b)
  const sizes = apportion(
    timed.length,
    shares,
    shares.map((share) => share * timed.length),
  )
  let at = 0
  for (const [part, size] of sizes.entries())
    for (const end = at + size; at < end; at++) parts[timed[at]!] = part
  return parts
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

function collect<K>(rows: number, keyOf: (row: number) => K): Map<K, number[]> {
  const found = new Map<K, number[]>()
  for (let row = 0; row < rows; row++) {
    const key = keyOf(row)
    const members = found.get(key)
    if (members) members.push(row)
    else found.set(key, [row])
  }
  return found
}
