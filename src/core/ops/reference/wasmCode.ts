// Just enough of WebAssembly's binary format (webassembly.github.io/spec/core/binary) to write a kernel down in TypeScript:
// tfjs's module has none that multiplies by a transposed matrix as it lies. Code is a list of bytes, expressions are nested.

export type Code = readonly number[]

/** The 7-bit groups of a whole number, lowest first; signed, as constants are. */
function signed(value: number): Code {
  const low = value & 0x7f
  const rest = value >> 7
  const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
  return done ? [low] : [low | 0x80, ...signed(rest)]
}

/** The same of a number from 0. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

export const constant = (value: number): Code => [0x41, ...signed(value)]
export const get = (local: number): Code => [0x20, ...unsigned(local)]
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)]
export const add = (a: Code, b: Code): Code => [...a, ...b, 0x6a]
export const times = (a: Code, b: Code): Code => [...a, ...b, 0x6c]
/** a < b of whole numbers from 0. */
export const below = (a: Code, b: Code): Code => [...a, ...b, 0x49]
export const either = (condition: Code, yes: Code, no: Code): Code => [
  ...condition,
  ...[0x04, 0x40],
  ...yes,
  0x05,
  ...no,
  0x0b,
]
/** body while the counter, which starts at `from` and grows by `step`, is below the limit; at least once. */
export const loop = (counter: number, from: Code, limit: Code, step: number, body: Code): Code => [
  ...set(counter, from),
  ...[0x03, 0x40],
  ...body,
  ...set(counter, add(get(counter), constant(step))),
  ...below(get(counter), limit),
  ...[0x0d, 0x00, 0x0b],
]

/** Four floats at an address and a constant offset in bytes. */
export const load = (address: Code, offset: number): Code => [
  ...address,
  0xfd,
  0x00,
  0x02,
  ...unsigned(offset),
]
/** One float four times. */
export const loadSplat = (address: Code, offset: number): Code => [
  ...address,
  ...[0xfd, 0x09, 0x02],
  ...unsigned(offset),
]
export const store = (address: Code, offset: number, value: Code): Code => [
  ...address,
  ...value,
  ...[0xfd, 0x0b, 0x02],
  ...unsigned(offset),
]
export const zeros: Code = [0xfd, 0x0c, ...new Array<number>(16).fill(0)]
export const addFloats = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xe4, 0x01]
export const timesFloats = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xe6, 0x01]

const I32 = 0x7f
const V128 = 0x7b
const PAGES = 65_536

export interface KernelCode {
  /** Whole numbers that it takes: locals from 0. */
  parameters: number
  /** Further locals: whole numbers, then vectors. */
  integers: number
  vectors: number
  body: Code
}

/** A module with one function, `run`, over the imported memory `env.memory`. */
export function moduleOf(
  { parameters, integers, vectors, body }: KernelCode,
  shared: boolean,
): Uint8Array<ArrayBuffer> {
  const text = (name: string): Code => [name.length, ...new TextEncoder().encode(name)]
  const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content]
  const limits = shared ? [0x03, 0, ...unsigned(PAGES)] : [0x00, 0]
  const code = [2, ...unsigned(integers), I32, ...unsigned(vectors), V128, ...body, 0x0b]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, parameters, ...new Array<number>(parameters).fill(I32), 0]),
    ...section(2, [1, ...text('env'), ...text('memory'), 0x02, ...limits]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text('run'), 0x00, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ])
}
