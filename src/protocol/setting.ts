// How a setting is described: its kind, its range, its words for people. Forms and checks are made from it.
import { GraftError } from './errors.ts'

export interface NumberSetting {
  kind: 'number'
  label: string
  unit?: string
  min: number
  max: number
  integer?: boolean
  help: string
  /** Shown at first sight; the others are behind Advanced. */
  main?: boolean
}
export interface ChoiceSetting {
  kind: 'choice'
  label: string
  choices: { value: string; label: string }[]
  help: string
  main?: boolean
}
export interface ToggleSetting {
  kind: 'toggle'
  label: string
  help: string
  main?: boolean
}
export type Setting = NumberSetting | ChoiceSetting | ToggleSetting

/** What is wrong with a value, as the rest of a sentence, or null. */
export function checkSetting(setting: Setting, value: unknown): string | null {
  switch (setting.kind) {
    case 'number': {
      if (typeof value !== 'number' || !Number.isFinite(value))
        return `must be a number, but is ${String(value)}.`
      if (setting.integer && !Number.isInteger(value)) return `must be a whole number, but is ${value}.`
      if (value < setting.min || value > setting.max)
        return `must be from ${setting.min} to ${setting.max}, but is ${value}.`
      return null
    }
    case 'choice':
      return setting.choices.some((choice) => choice.value === String(value))
        ? null
        : `must be one of ${setting.choices.map((choice) => choice.value).join(', ')}, but is ${String(value)}.`
    case 'toggle':
      return typeof value === 'boolean' ? null : `must be true or false, but is ${String(value)}.`
    default:
      return setting satisfies never
  }
}

/**
 * Values of a place such as `training`, checked against its settings; keys with a `special` check use that one instead.
 * Throws E_ARGUMENT naming the setting.
 */
export function checkSettings<T extends object>(
  place: string,
  settings: Record<string, Setting>,
  values: T,
  special: Record<string, { check(value: unknown): string | null }> = {},
): T {
  for (const [name, value] of Object.entries(values)) {
    const setting = settings[name]
    const own = special[name]
    if (!setting && !own)
      throw new GraftError(
        'E_ARGUMENT',
        `${place}.${name} is not a setting. Known: ${[...Object.keys(settings), ...Object.keys(special)].join(', ')}.`,
      )
    const problem = own ? own.check(value) : checkSetting(setting!, value)
    if (problem) throw new GraftError('E_ARGUMENT', `${place}.${name} ${problem}`, { setting: name, value })
  }
  return values
}

/** Without what is undefined, which stands for the default. */
export function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T
}
