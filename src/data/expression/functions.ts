// The functions of an expression. A value is a text, a number or a truth value; cells are texts, and a text that is a number
// counts as one where a number is wanted.
import { fault } from './fault.ts'
import { compilePattern } from './pattern.ts'

export type Value = string | number | boolean

/** A plain number as people write it; anything else is NaN, and NaN compares with nothing. */
export function asNumber(value: Value): number {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  const text = value.trim()
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN
}

export function asText(value: Value): string {
  if (typeof value === 'string') return value
  return Number.isNaN(value) ? '' : String(value)
}

/** Texts are true unless they are blank, "false" or "0". */
export function asTruth(value: Value): boolean {
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return value !== 0 && !Number.isNaN(value)
  return !/^\s*(false|0)?\s*$/i.test(value)
}

/** Characters as people count them (code points). */
export function lengthOf(text: string): number {
  let length = text.length
  for (let i = 0; i + 1 < text.length; i++)
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      length--
      i++
    }
  return length
}

interface Definition {
  least: number
  most: number
  apply(args: Value[]): Value
}

const text = (apply: (text: string) => Value): Definition => ({
  least: 1,
  most: 1,
  apply: ([value]) => apply(asText(value!)),
})
const texts = (apply: (a: string, b: string) => Value): Definition => ({
  least: 2,
  most: 2,
  apply: ([a, b]) => apply(asText(a!), asText(b!)),
})
const numbers = (most: number, apply: (...values: number[]) => number): Definition => ({
  least: 1,
  most,
  apply: (args) => apply(...args.map(asNumber)),
})

/** Names in lower case; people may write them in any. */
export const FUNCTIONS: ReadonlyMap<string, Definition> = new Map(
  Object.entries({
    length: text(lengthOf),
    words: text((value) => value.match(/\S+/g)?.length ?? 0),
    lower: text((value) => value.toLowerCase()),
    upper: text((value) => value.toUpperCase()),
    trim: text((value) => value.trim()),
    isempty: text((value) => value.trim() === ''),
    contains: texts((value, part) => value.includes(part)),
    startswith: texts((value, part) => value.startsWith(part)),
    endswith: texts((value, part) => value.endsWith(part)),
    left: { least: 2, most: 2, apply: ([a, n]) => cut(asText(a!), 0, asNumber(n!)) },
    right: { least: 2, most: 2, apply: ([a, n]) => cut(asText(a!), -asNumber(n!), Infinity) },
    replace: {
      least: 3,
      most: 3,
      apply: ([a, from, to]) =>
        asText(from!) === '' ? asText(a!) : asText(a!).replaceAll(asText(from!), () => asText(to!)),
    },
    concat: { least: 1, most: 50, apply: (args) => args.map(asText).join('') },
    coalesce: { least: 1, most: 50, apply: (args) => args.find((arg) => asText(arg).trim() !== '') ?? '' },
    if: { least: 3, most: 3, apply: ([test, yes, no]) => (asTruth(test!) ? yes! : no!) },
    number: { least: 1, most: 1, apply: ([value]) => asNumber(value!) },
    abs: numbers(1, Math.abs),
    round: {
      least: 1,
      most: 2,
      apply: ([value, digits]) => {
        const scale = 10 ** (digits === undefined ? 0 : Math.max(0, Math.min(12, asNumber(digits))))
        return Math.round(asNumber(value!) * scale) / scale
      },
    },
    min: numbers(50, Math.min),
    max: numbers(50, Math.max),
  } satisfies Record<string, Definition>),
)

function cut(value: string, from: number, to: number): string {
  const chars = Array.from(value)
  if (Number.isNaN(from) || Number.isNaN(to)) return ''
  if (from < 0) return chars.slice(Math.max(0, chars.length + from)).join('')
  return Object.is(from, -0) ? '' : chars.slice(from, Math.max(0, to)).join('')
}

/** `matches`: its pattern is compiled once, so it must not come from a cell. */
export function matcher(source: string, at: number, pattern: Value | undefined): (text: string) => boolean {
  if (typeof pattern !== 'string')
    throw fault(source, at, "matches needs a pattern in quotes, such as matches(text, '^Dear ').")
  return compilePattern(pattern)
}
