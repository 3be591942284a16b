// Passes over all bytes of a table: whether each is a character of its own, and where those are that may end a cell, delimiters,
// quotes and line ends. Most bytes are none of them, so sixteen are compared at once in a few instructions of WebAssembly
// (after Langdale and Lemire, "Parsing gigabytes of JSON per second", VLDB Journal 2019); one by one in JavaScript where
// there are no such instructions. Bytes are copied into the module's memory in windows that stay in a processor's nearest
// cache: a copy comes from a distant memory three times as fast as a loop of JavaScript reads it.
import { isAscii } from '../protocol/byteRows.ts'
import {
  add,
  anySet,
  below,
  bitsOfBytes,
  both,
  CodeModule,
  constant,
  either,
  equalBytes,
  get,
  I32,
  increase,
  load,
  lowestBit,
  loopWhile,
  quotient,
  set,
  splatByte,
  storeInt,
  sub,
  when,
  zeros,
  type Code,
  type Locals,
} from './wasmCode.ts'

const [LINE_FEED, RETURN] = [0x0a, 0x0d]
/** Bytes that are looked through at a time. */
export const WINDOW = 16 * 1024
const VECTOR = 16
/** Bytes of a page of memory. */
const PAGE = 65_536

// Addresses in the module's memory. A place has four bytes, and every byte may be a mark.
const [RESULT, BYTES, PLACES] = [0, VECTOR, VECTOR + WINDOW]
const MEMORY = PLACES + 4 * WINDOW

export interface ByteSearch {
  /** Places that `marks` found, in their order; gone with the next search of anybody in this thread. */
  readonly places: Uint32Array
  /** How many of the bytes `from` to `to`, at most WINDOW of them, are a delimiter, a quote, LF or CR; `places` has where. */
  marks(bytes: Uint8Array, from: number, to: number, delimiter: number, quote: number): number
  /** Whether every byte is a character of its own. */
  isAscii(bytes: Uint8Array): boolean
}

let shared: ByteSearch | null = null

/** The best that there is. */
export function byteSearch(): ByteSearch {
  shared ??= vectorSearch() ?? plainSearch()
  return shared
}

/** Null without SIMD, or where a browser is locked down and has no WebAssembly. */
export function vectorSearch(): ByteSearch | null {
  if (typeof WebAssembly === 'undefined') return null
  const code = searchCode()
  if (!WebAssembly.validate(code)) return null
  const memory = new WebAssembly.Memory({ initial: Math.ceil(MEMORY / PAGE) })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } })
  const marks = exports['marks'] as (end: number, base: number, delimiter: number, quote: number) => void
  const high = exports['high'] as (end: number) => void
  const result = new Uint32Array(memory.buffer, RESULT, 1)
  const window = new Uint8Array(memory.buffer, BYTES, WINDOW)
  const places = new Uint32Array(memory.buffer, PLACES, WINDOW)
  return {
    places,
    marks: (bytes, from, to, delimiter, quote) => {
      window.set(bytes.subarray(from, to))
      marks(BYTES + to - from, from, delimiter, quote)
      let found = result[0]!
      // The last vector goes beyond the end.
      while (found > 0 && places[found - 1]! >= to) found--
      return found
    },
    isAscii: (bytes) => {
      for (let at = 0; at < bytes.length; at += WINDOW) {
        const part = bytes.subarray(at, at + WINDOW)
        window.set(part)
        window.fill(0, part.length, part.length + VECTOR)
        high(BYTES + part.length)
        if (result[0] !== 0) return false
      }
      return true
    },
  }
}

export function plainSearch(): ByteSearch {
  const places = new Uint32Array(WINDOW)
  return {
    places,
    marks: (bytes, from, to, delimiter, quote) => {
      let found = 0
      for (let at = from; at < to; at++) {
        const byte = bytes[at]!
        if (byte === delimiter || byte === quote || byte === LINE_FEED || byte === RETURN)
          places[found++] = at
      }
      return found
    },
    isAscii,
  }
}

const [END, BASE, DELIMITER, QUOTE] = [0, 1, 2, 3]

function searchCode(): Uint8Array<ArrayBuffer> {
  const module = new CodeModule({ fused: false, shared: false })
  module.exported('marks', module.fn([I32, I32, I32, I32], marksCode))
  module.exported('high', module.fn([I32], highCode))
  return module.bytes()
}

/** For every vector of bytes up to address END. */
function along(at: number, body: Code): Code {
  return [
    set(at, constant(BYTES)),
    loopWhile(below(get(at), get(END)), [body, increase(at, constant(VECTOR))]),
  ]
}

/** The places of marks, the first byte being number BASE, and how many there are. */
function marksCode(locals: Locals): Code {
  const [at, out, bits] = [locals.int(), locals.int(), locals.int()]
  const [bytes, marks] = [locals.vector(), locals.vector()]
  const wanted = [get(DELIMITER), get(QUOTE), constant(LINE_FEED), constant(RETURN)]
  const splats = wanted.map(() => locals.vector())
  const place = add(get(BASE), add(sub(get(at), constant(BYTES)), lowestBit(get(bits))))
  return [
    splats.map((splat, i) => set(splat, splatByte(wanted[i]!))),
    set(out, constant(PLACES)),
    along(at, [
      set(bytes, load(get(at))),
      set(marks, splats.map((splat) => equalBytes(get(bytes), get(splat))).reduce(either)),
      when(anySet(get(marks)), [
        set(bits, bitsOfBytes(get(marks))),
        loopWhile(get(bits), [
          storeInt(get(out), 0, place),
          increase(out, constant(4)),
          // Takes the lowest bit away.
          set(bits, both(get(bits), sub(get(bits), constant(1)))),
        ]),
      ]),
    ]),
    storeInt(constant(RESULT), 0, quotient(sub(get(out), constant(PLACES)), constant(4))),
  ]
}

/** Something else than 0 where a byte has its highest bit. */
function highCode(locals: Locals): Code {
  const [at, all] = [locals.int(), locals.vector()]
  return [
    set(all, zeros),
    along(at, set(all, either(get(all), load(get(at))))),
    storeInt(constant(RESULT), 0, bitsOfBytes(get(all))),
  ]
}
