// Rows that have no part of the split yet: those that were added later, and those that an earlier recipe had left out. A row of
// a known group goes where its group is, one of a known time where its time is, and any other by its number. None ever moves.
import { pausing } from '../../src/data/pause.ts'
import { flowOf } from '../../src/data/recipe/flow.ts'
import { nearGroups } from '../../src/data/recipe/nearGroups.ts'
import { hash53, RowKeys } from '../../src/data/recipe/rowKeys.ts'
import { DEFAULT_SPLIT, laterPart, NO_PART, partsOfFolds } from '../../src/data/split.ts'
import { timesOf } from '../../src/data/times.ts'
import { SPLIT_NAMES, type Dataset } from '../../src/protocol/data.ts'
import type { Store } from '../../src/store/database.ts'
import { columnValues } from '../configure.ts'
import { joinedGroups, textPlaces } from './alike.ts'
import { rawTable } from './raw.ts'
import type { RawSplit } from './version.ts'

/** The part of each raw row, none without; `split.folds` is completed in place. */
export async function laterParts(
  store: Store,
  raw: Dataset,
  split: RawSplit,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const parts = new Uint8Array(raw.rows).fill(NO_PART)
  parts.set(split.parts)
  if (!parts.includes(NO_PART)) return parts
  const config = raw.split ?? DEFAULT_SPLIT
  const { seed, folds: count, fold = 0 } = config
  const known = (name: string | undefined): name is string =>
    raw.columns.some((column) => column.name === name)
  if (known(config.time)) {
    byTime(parts, timesOf(await columnValues(store, raw, config.time, signal)))
    return parts
  }
  const values = known(config.group) ? await columnValues(store, raw, config.group, signal) : null
  const groups =
    config.near === undefined ? values : await namedGroups(store, raw, config.near, { seed, values, signal })
  const keyOf = (row: number): number =>
    groups && groups[row] !== '' ? hash53(groups[row]!, seed) % 0xffffffff : row
  if (count && split.folds) {
    const shares = [...Array.from({ length: count }, () => (1 - config.test) / count), config.test]
    // Testing is the last share here, and has no fold.
    const drawn = new Uint8Array(raw.rows).fill(NO_PART)
    for (const [row, part] of split.parts.entries())
      if (part !== NO_PART) drawn[row] = split.folds[row] === NO_PART ? count : split.folds[row]!
    place(drawn, groups, (row) => laterPart(shares, seed, keyOf(row)))
    split.folds = drawn.map((part) => (part === count ? NO_PART : part))
    return partsOfFolds(split.folds, fold)
  }
  const shares = SPLIT_NAMES.map((name) => config[name])
  place(parts, groups, (row) => laterPart(shares, seed, keyOf(row)))
  return parts
}

/**
 * The name of each row's group where near-duplicates stay together, and rows of one value where a column groups them too. A group
 * is named by its first row, so that rows which come later do not rename it.
 */
async function namedGroups(
  store: Store,
  raw: Dataset,
  near: number,
  { seed, values, signal }: { seed: number; values: readonly string[] | null; signal: AbortSignal },
): Promise<string[]> {
  const table = rawTable(store, raw)
  const alike = await nearGroups(flowOf(table), textPlaces(raw, table.columns), near, {
    seed,
    rows: raw.rows,
    pause: pausing(signal, () => undefined),
  })
  const keys = new RowKeys()
  const ofValue = values?.map((value, row) => keys.number(value === '' ? `\u001f${row}` : value))
  const groups = ofValue ? joinedGroups(ofValue, alike) : alike
  const first = new Map<number, number>()
  for (const [row, group] of groups.entries()) if (!first.has(group)) first.set(group, row)
  return Array.from(groups, (group) => String(first.get(group)!))
}

/** Gives every row without a part that of its group, or a new one. */
function place(parts: Uint8Array, groups: readonly string[] | null, drawn: (row: number) => number): void {
  const ofGroup = new Map<string, number>()
  if (groups)
    for (const [row, part] of parts.entries())
      // Rows that were apart before something between them came stay apart; what is new goes to the first of them.
      if (part !== NO_PART && groups[row] !== '' && !ofGroup.has(groups[row]!))
        ofGroup.set(groups[row]!, part)
  for (const [row, part] of parts.entries())
    if (part === NO_PART) parts[row] = (groups && ofGroup.get(groups[row]!)) ?? drawn(row)
}

/** After the last training row and up to the last validating one: validation; later: test. */
function byTime(parts: Uint8Array, times: Float64Array): void {
  const [TRAIN, VALIDATION, TEST] = SPLIT_NAMES.map((_, part) => part) as [number, number, number]
  const last = (wanted: number): number =>
    parts.reduce(
      (latest, part, row) => (part === wanted && times[row]! > latest ? times[row]! : latest),
      -Infinity,
    )
  const trained = last(TRAIN)
  const validated = Math.max(trained, last(VALIDATION))
  const tests = parts.includes(TEST)
  for (const [row, part] of parts.entries()) {
    if (part !== NO_PART) continue
    const time = times[row]!
    parts[row] =
      Number.isNaN(time) || time <= trained ? TRAIN : time <= validated || !tests ? VALIDATION : TEST
  }
}
