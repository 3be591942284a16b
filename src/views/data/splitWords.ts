// How a split is asked for, and how one that was made is said.
import type { Column, Dataset, Split, SplitRequest } from '../../protocol/data.ts'

export type SplitMode = 'random' | 'group' | 'time'

/** A split as the form holds it. */
export interface SplitChoice {
  mode: SplitMode
  unit: 'share' | 'rows'
  /** Per cent, or rows. */
  validation: number
  test: number
  seed: number
  by: string[]
  group: string
  time: string
  near: boolean
  /** 0: no folds. */
  folds: number
  fold: number
}

/** The form for a split that is there. */
export function choiceOf({ split, columns, rows, config, suggestion }: Dataset): SplitChoice {
  const used = Object.values((config ?? suggestion)?.columns ?? {})
  const nameOf = (found: Column | undefined): string => (found ?? columns[0])?.name ?? ''
  // A column whose values repeat and that is not what is learnt: a customer, an author.
  const group = columns.find(
    ({ name, distinct, type }) => type !== 'date' && !used.includes(name) && distinct < rows,
  )
  const time = columns.find(({ type }) => type === 'date')
  return {
    mode: split?.time === undefined ? (split?.group === undefined ? 'random' : 'group') : 'time',
    unit: 'share',
    validation: Math.round((split?.validation ?? 0.1) * 1000) / 10,
    test: Math.round((split?.test ?? 0.1) * 1000) / 10,
    seed: split?.seed ?? 42,
    by: split?.by ?? (split?.stratify === undefined ? [] : [split.stratify]),
    group: split?.group ?? nameOf(group),
    time: split?.time ?? nameOf(time),
    near: split?.near !== undefined,
    folds: split?.folds ?? 0,
    fold: split?.fold ?? 0,
  }
}

/** What to ask the data worker for. */
export function requestOf(choice: SplitChoice): SplitRequest {
  const { mode, unit, validation, test, seed, by, group, time, near, folds, fold } = choice
  const sizes: SplitRequest =
    unit === 'rows'
      ? { unit, validation, test }
      : { train: (100 - validation - test) / 100, validation: validation / 100, test: test / 100 }
  if (mode === 'time') return { ...sizes, seed, time }
  return {
    ...sizes,
    seed,
    by,
    ...(mode === 'group' && { group }),
    ...(near && { near: true }),
    ...(folds > 0 && { folds, fold }),
  }
}

/** What is wrong with a choice, or null. */
export function problemOf(choice: SplitChoice, rows: number): string | null {
  const { unit, validation, test } = choice
  const whole = unit === 'rows' ? rows : 100
  if (validation + test >= whole) return 'Nothing would be left to train on: lower the other two parts.'
  return null
}

/** How the rows of a split were divided, in a phrase. */
export function saySplit(split: Split): string {
  const how = [
    split.time === undefined
      ? split.group === undefined
        ? 'at random'
        : null
      : `in the order of ${split.time}`,
    split.group === undefined ? null : `rows of one ${split.group} together`,
    split.near === undefined ? null : 'near-duplicates together',
    split.stratify === undefined ? null : `shares of ${split.stratify} kept`,
    split.by === undefined ? null : `shares of ${split.by.join(' and ')} kept`,
    split.folds === undefined ? null : `fold ${(split.fold ?? 0) + 1} of ${split.folds} validates`,
  ].filter((part) => part !== null)
  return how.join(', ')
}

/** Whether the short form beside the rows can say this split; otherwise it must not overwrite it. */
export function isPlain(split: Split | null): boolean {
  return (
    !split || [split.by, split.group, split.time, split.near, split.folds].every((part) => part === undefined)
  )
}
