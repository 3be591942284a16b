// What scripts and files hand over is looked at member by member before anything is done with it. A check says what is wrong
// with a value, "must be ...", or null.

export type Check = (value: unknown) => string | null

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    values.includes(value as string) ? null : `must be one of ${values.join(', ')}`
export const flag: Check = (value) => (typeof value === 'boolean' ? null : 'must be true or false')
export const text: Check = (value) => (typeof value === 'string' ? null : 'must be a text')
/** The name of a column. */
export const name: Check = (value) =>
  typeof value === 'string' && value !== '' ? null : 'must be the name of a column'
export const listOf =
  (what: string, item: Check, least = 0): Check =>
  (value) =>
    Array.isArray(value) && value.length >= least && value.every((one) => item(one) === null)
      ? null
      : `must be a list of ${what}`
export const names = listOf('column names', name, 1)
export const within =
  (least: number, most: number, whole = false): Check =>
  (value) =>
    typeof value === 'number' && value >= least && value <= most && (!whole || Number.isSafeInteger(value))
      ? null
      : `must be ${whole ? 'a whole number' : 'a number'} from ${least} to ${most}`

/** An optional member. */
export const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined ? null : check(value)
export const either =
  (first: Check, second: Check): Check =>
  (value) => {
    const wrong = first(value)
    return wrong === null || second(value) === null ? null : `${wrong}, or ${second(value)!}`
  }

/** What is wrong with the members of an object, in a sentence about `subject`: an unknown one, a wrong one or one that lacks; or null. */
export function faultOf(
  subject: string,
  given: Readonly<Record<string, unknown>>,
  members: Readonly<Record<string, Check>>,
): string | null {
  for (const [member, value] of Object.entries(given)) {
    if (!Object.hasOwn(members, member))
      return `${subject} has no "${member}". It has ${Object.keys(members).join(', ')}`
    const fault = members[member]!(value)
    if (fault !== null) return `${member} of ${subject} ${fault}`
  }
  for (const [member, check] of Object.entries(members)) {
    const fault = Object.hasOwn(given, member) ? null : check(undefined)
    if (fault !== null) return `${subject} needs "${member}", which ${fault}`
  }
  return null
}
