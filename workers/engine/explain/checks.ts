// Refusals of settings, before the device is touched. A setting that is absent is its default and passes.
import { GraftError } from '../../../src/protocol/errors.ts'
import { GRANULARITIES, type UnitChoice } from '../../../src/protocol/explain.ts'

const REPLACEMENTS = ['mask', 'pad', 'remove'] as const

/** Throws E_ARGUMENT unless the setting is one of the choices, or absent where it is not needed. */
export function checkOneOf(
  name: string,
  value: string | undefined,
  choices: readonly string[],
  { needed = false } = {},
): void {
  if (value === undefined ? needed : !choices.includes(value))
    throw new GraftError(
      'E_ARGUMENT',
      `${value === undefined ? `Give a ${name}` : `There is no ${name} "${String(value)}"`}. There are: ${choices.join(', ')}.`,
      { setting: name, value },
    )
}

/** Throws E_ARGUMENT unless the setting is absent or a number in the range. */
export function checkNumber(name: string, value: number | undefined, least: number, most: number): void {
  if (value !== undefined && !(typeof value === 'number' && value >= least && value <= most))
    refuse(name, value, 'number', least, most)
}

/** Throws E_ARGUMENT unless the setting is absent or a whole number in the range. */
export function checkCount(name: string, value: number | undefined, least: number, most: number): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most))
    refuse(name, value, 'whole number', least, most)
}

/** Throws E_ARGUMENT unless the setting is absent or between 0 and 1, both left out. */
export function checkShare(name: string, value: number | undefined): void {
  if (value !== undefined && !(typeof value === 'number' && value > 0 && value < 1))
    throw new GraftError('E_ARGUMENT', `${name} must be above 0 and below 1, but is ${String(value)}.`, {
      setting: name,
      value,
    })
}

export function checkSeed(seed: number | undefined): void {
  checkCount('seed', seed, 0, 2 ** 32 - 1)
}

/** Throws E_ARGUMENT where no dataset is named. */
export function checkDataset(id: string | undefined, instead = ''): void {
  if (id === undefined || id === '')
    throw new GraftError('E_ARGUMENT', `Give a dataset: the id of one of graft.datasets.list()${instead}.`, {
      setting: 'dataset',
    })
}

export function checkPieces({ granularity, replacement }: UnitChoice): void {
  checkOneOf('granularity', granularity, GRANULARITIES)
  checkOneOf('replacement', replacement, REPLACEMENTS)
}

function refuse(name: string, value: number, kind: string, least: number, most: number): never {
  throw new GraftError(
    'E_ARGUMENT',
    `${name} must be a ${kind} from ${least} to ${most}, but is ${typeof value === 'string' ? 'the text ' : ''}${String(value)}.`,
    { setting: name, value },
  )
}
