// Just enough of WebAssembly's binary format (webassembly.github.io/spec/core/binary) to write kernels down in TypeScript:
// what tfjs's module has no good kernel for runs in a module of our own over the same memory, and so does the search for
// a table's delimiters (byteSearch.ts). Code is a nested list of bytes and every operation is a function from its operands'
// code to its own, so that a kernel reads like its formula.

export type Code = number | readonly Code[]

/** Value types. */
export const I32 = 0x7f
export const F32 = 0x7d
export const V128 = 0x7b

/** The 7-bit groups of a whole number, lowest first; signed, as constants are. */
function signed(value: number): number[] {
  const low = value & 0x7f
  const rest = value >> 7
  const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
  return done ? [low] : [low | 0x80, ...signed(rest)]
}

/** The same of a number from 0. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

// Whole numbers of 32 bits; comparisons and quotients take them as numbers from 0.
export const constant = (value: number): Code => [0x41, signed(value)]
export const get = (local: number): Code => [0x20, unsigned(local)]
export const set = (local: number, value: Code): Code => [value, 0x21, unsigned(local)]
export const add = (a: Code, b: Code): Code => [a, b, 0x6a]
export const sub = (a: Code, b: Code): Code => [a, b, 0x6b]
export const times = (a: Code, b: Code): Code => [a, b, 0x6c]
export const quotient = (a: Code, b: Code): Code => [a, b, 0x6e]
export const remainder = (a: Code, b: Code): Code => [a, b, 0x70]
export const below = (a: Code, b: Code): Code => [a, b, 0x49]
export const equal = (a: Code, b: Code): Code => [a, b, 0x46]
export const or = (a: Code, b: Code): Code => [a, b, 0x72]
export const both = (a: Code, b: Code): Code => [a, b, 0x71]
/** Zeros below the lowest bit that is set. */
export const lowestBit = (a: Code): Code => [a, 0x68]
export const select = (condition: Code, yes: Code, no: Code): Code => [yes, no, condition, 0x1b]
export const least = (a: Code, b: Code): Code => select(below(a, b), a, b)
/** ceil(a / b) */
export const parts = (a: Code, b: Code): Code => quotient(add(a, sub(b, constant(1))), b)
export const increase = (local: number, by: Code): Code => set(local, add(get(local), by))

/** Calls a function of the module, by its number. */
export const call = (fn: number, ...operands: Code[]): Code => [operands, 0x10, unsigned(fn)]

const NOTHING = 0x40
export const when = (condition: Code, yes: Code, no?: Code): Code => [
  condition,
  [0x04, NOTHING],
  yes,
  no === undefined ? [] : [0x05, no],
  0x0b,
]
/** body while the condition, which is looked at first, holds. */
export const loopWhile = (condition: Code, body: Code): Code =>
  when(condition, [0x03, NOTHING, body, condition, 0x0d, 0x00, 0x0b])
/** body with a counter from `from` on in steps, below the limit. */
export const loop = (counter: number, from: Code, limit: Code, step: number, body: Code): Code => [
  set(counter, from),
  loopWhile(below(get(counter), limit), [body, increase(counter, constant(step))]),
]

// Memory: an address and a constant offset, in bytes.
const at = (operation: readonly number[], alignment: number, offset: number): Code => [
  operation,
  alignment,
  unsigned(offset),
]
export const loadInt = (address: Code, offset = 0): Code => [address, at([0x28], 2, offset)]
export const storeInt = (address: Code, offset: number, value: Code): Code => [
  address,
  value,
  at([0x36], 2, offset),
]
export const loadFloat = (address: Code, offset = 0): Code => [address, at([0x2a], 2, offset)]
export const storeFloat = (address: Code, offset: number, value: Code): Code => [
  address,
  value,
  at([0x38], 2, offset),
]
/** Adds to a number in memory for all threads at once; what was there before. */
export const fetchAdd = (address: Code, value: Code): Code => [address, value, at([0xfe, 0x1e], 2, 0)]

export const load = (address: Code, offset = 0): Code => [address, at([0xfd, 0x00], 2, offset)]
/** One float four times. */
export const loadSplat = (address: Code, offset = 0): Code => [address, at([0xfd, 0x09], 2, offset)]
/** A vector with one lane replaced by a float of memory. */
export const loadLane = (address: Code, lane: number, vector: Code): Code => [
  address,
  vector,
  at([0xfd, 0x56], 2, 0),
  lane,
]
export const store = (address: Code, offset: number, value: Code): Code => [
  address,
  value,
  at([0xfd, 0x0b], 2, offset),
]
/** The first lane alone. */
export const storeLane = (address: Code, offset: number, value: Code): Code => [
  address,
  value,
  at([0xfd, 0x5a], 2, offset),
  0,
]

const bytesOf = (values: Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): Code => [
  ...new Uint8Array(values.buffer),
]
export const floats = (value: number): Code => [0xfd, 0x0c, bytesOf(new Float32Array(4).fill(value))]
export const integers = (...values: number[]): Code => [
  0xfd,
  0x0c,
  bytesOf(Int32Array.from({ length: 4 }, (_, i) => values[i % values.length]!)),
]
export const zeros = integers(0)
export const float = (value: number): Code => [0x43, bytesOf(Float32Array.of(value))]
export const splat = (value: Code): Code => [value, 0xfd, 0x13]
export const lane = (vector: Code, index: number): Code => [vector, 0xfd, 0x1f, index]

const simd = (operation: number) => (a: Code, b: Code) => [a, b, 0xfd, unsigned(operation)]
const simdOne = (operation: number) => (a: Code) => [a, 0xfd, unsigned(operation)]
export const addFloats = simd(0xe4)
export const subFloats = simd(0xe5)
export const timesFloats = simd(0xe6)
export const divideFloats = simd(0xe7)
export const minFloats = simd(0xe8)
export const maxFloats = simd(0xe9)
export const nearest = simdOne(0x6a)
export const rootOf = simdOne(0xe3)
export const and = simd(0x4e)
export const either = simd(0x50)
/** Whether a bit of a vector is set. */
export const anySet = simdOne(0x53)
export const above = simd(0x44)
export const addIntegers = simd(0xae)
/** Of floats in the range of int32. */
export const toIntegers = simdOne(0xf8)
export const shiftLeft = (a: Code, by: number): Code => [a, constant(by), 0xfd, 0xab, 0x01]
// Sixteen bytes.
export const splatByte = simdOne(0x0f)
/** All bits of the bytes that are equal. */
export const equalBytes = simd(0x23)
/** The highest bit of each byte, the first one's lowest. */
export const bitsOfBytes = simdOne(0x64)
/** Lane i of the result is lane indices[i] of a. */
export const swizzle = (a: Code, ...indices: number[]): Code => [
  a,
  a,
  [0xfd, 0x0d],
  indices.flatMap((index) => [0, 1, 2, 3].map((byte) => index * 4 + byte)),
]
/** The same reduction of all four lanes, in each of them. */
export const across = (operation: (a: Code, b: Code) => Code, vector: number): Code => [
  set(vector, operation(get(vector), swizzle(get(vector), 2, 3, 0, 1))),
  set(vector, operation(get(vector), swizzle(get(vector), 1, 0, 3, 2))),
]

/** Nested code as one list. */
function flat(code: Code, bytes: number[] = []): number[] {
  if (typeof code === 'number') bytes.push(code)
  else for (const part of code) flat(part, bytes)
  return bytes
}

/** What the engine can do beyond SIMD. */
export interface CodeFeatures {
  /** a b + c with one rounding (relaxed SIMD), twice the speed of two operations. */
  fused: boolean
  /** Memory that threads share. */
  shared: boolean
}

/** The locals of a function under construction. */
export class Locals {
  readonly types: number[] = []
  readonly #parameters: number

  constructor(parameters: number) {
    this.#parameters = parameters
  }

  #one(type: number): number {
    return this.#parameters + this.types.push(type) - 1
  }
  int(): number {
    return this.#one(I32)
  }
  float(): number {
    return this.#one(F32)
  }
  vector(): number {
    return this.#one(V128)
  }
  vectors(count: number): number[] {
    return Array.from({ length: count }, () => this.vector())
  }
  ints(count: number): number[] {
    return Array.from({ length: count }, () => this.int())
  }
}

/** The most pages a memory can have. */
const PAGES = 65_536

/** A module under construction, over the imported memory `env.memory`. */
export class CodeModule {
  readonly #functions: { parameters: readonly number[]; locals: readonly number[]; body: Code }[] = []
  readonly #exports: { name: string; fn: number }[] = []

  constructor(readonly features: CodeFeatures) {}

  /** A function without a result: its parameters are locals from 0. @returns its number */
  fn(parameters: readonly number[], build: (locals: Locals) => Code): number {
    const locals = new Locals(parameters.length)
    const body = build(locals)
    return this.#functions.push({ parameters, locals: locals.types, body }) - 1
  }

  exported(name: string, fn: number): void {
    this.#exports.push({ name, fn })
  }

  /** a b + c */
  fused(a: Code, b: Code, c: Code): Code {
    return this.features.fused ? [a, b, c, 0xfd, 0x85, 0x02] : addFloats(timesFloats(a, b), c)
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const list = (items: readonly Code[]): Code => [unsigned(items.length), items]
    const text = (name: string): Code => list([...new TextEncoder().encode(name)])
    const sized = (code: Code): number[] => {
      const content = flat(code)
      return [...unsigned(content.length), ...content]
    }
    const section = (id: number, content: Code): Code => [id, sized(content)]
    const limits = this.features.shared ? [0x03, 0, unsigned(PAGES)] : [0x00, 0]
    const functions = this.#functions
    return Uint8Array.from(
      flat([
        [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        section(1, list(functions.map(({ parameters }) => [0x60, list(parameters), 0]))),
        section(2, list([[text('env'), text('memory'), 0x02, limits]])),
        section(3, list(functions.map((_, i) => unsigned(i)))),
        section(7, list(this.#exports.map(({ name, fn }) => [text(name), 0x00, unsigned(fn)]))),
        section(
          10,
          list(
            functions.map(({ locals, body }) => sized([list(locals.map((type) => [1, type])), body, 0x0b])),
          ),
        ),
      ]),
    )
  }
}
