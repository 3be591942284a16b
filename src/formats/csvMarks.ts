// Where in some bytes those are that may end a cell of a table: delimiters, quotes, line ends. Most bytes are none of them, so
// sixteen are compared at once, in a few instructions of WebAssembly (Langdale and Lemire, "Parsing gigabytes of JSON per
// second", VLDB Journal 2019, have the idea); one by one in JavaScript where there are no such instructions.
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
} from './wasmCode.ts'

const [LINE_FEED, RETURN] = [0x0a, 0x0d]
/** Bytes that are looked through at a time; they and their marks stay in a processor's nearest cache. */
export const MARK_WINDOW = 16 * 1024
const VECTOR = 16
/** Bytes of a page of memory. */
const PAGE = 65_536

// Addresses in the module's memory. A mark has four bytes, and every byte may be one.
const [COUNT, BYTES, MARKS] = [0, VECTOR, VECTOR + MARK_WINDOW]
const MEMORY = MARKS + 4 * MARK_WINDOW

/** Places of bytes, in their order, as many as `find` said; gone with the next search of anybody in this thread. */
export interface MarkFinder {
  readonly places: Uint32Array
  /** Bytes `from` to `to`, at most MARK_WINDOW of them, that are a delimiter, a quote, LF or CR; how many there are. */
  find(bytes: Uint8Array, from: number, to: number, delimiter: number, quote: number): number
}

let shared: MarkFinder | null = null

/** The best that there is in this thread. */
export function markFinder(): MarkFinder {
  shared ??= vectorFinder() ?? plainFinder()
  return shared
}

/** Null without SIMD. */
export function vectorFinder(): MarkFinder | null {
  const code = finderCode()
  if (!WebAssembly.validate(code)) return null
  const memory = new WebAssembly.Memory({ initial: Math.ceil(MEMORY / PAGE) })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } })
  const search = exports['find'] as (end: number, base: number, delimiter: number, quote: number) => void
  const count = new Uint32Array(memory.buffer, COUNT, 1)
  const window = new Uint8Array(memory.buffer, BYTES, MARK_WINDOW)
  const places = new Uint32Array(memory.buffer, MARKS, MARK_WINDOW)
  return {
    places,
    find: (bytes, from, to, delimiter, quote) => {
      window.set(bytes.subarray(from, to))
      search(BYTES + to - from, from, delimiter, quote)
      let found = count[0]!
      // The last vector goes beyond the end.
      while (found > 0 && places[found - 1]! >= to) found--
      return found
    },
  }
}

export function plainFinder(): MarkFinder {
  const places = new Uint32Array(MARK_WINDOW)
  return {
    places,
    find: (bytes, from, to, delimiter, quote) => {
      let found = 0
      for (let at = from; at < to; at++) {
        const byte = bytes[at]!
        if (byte === delimiter || byte === quote || byte === LINE_FEED || byte === RETURN)
          places[found++] = at
      }
      return found
    },
  }
}

/** find(end, base, delimiter, quote): marks of the bytes up to address `end`, the first of which is number `base`. */
function finderCode(): Uint8Array<ArrayBuffer> {
  const module = new CodeModule({ fused: false, shared: false })
  const [end, base, delimiter, quote] = [0, 1, 2, 3]
  const find = module.fn([I32, I32, I32, I32], (locals) => {
    const [at, out, bits] = [locals.int(), locals.int(), locals.int()]
    const [delimiters, quotes, lineFeeds, returns] = locals.vectors(4) as [number, number, number, number]
    const [bytes, marks] = [locals.vector(), locals.vector()]
    const same = (vector: number) => equalBytes(get(bytes), get(vector))
    return [
      set(delimiters, splatByte(get(delimiter))),
      set(quotes, splatByte(get(quote))),
      set(lineFeeds, splatByte(constant(LINE_FEED))),
      set(returns, splatByte(constant(RETURN))),
      set(at, constant(BYTES)),
      set(out, constant(MARKS)),
      loopWhile(below(get(at), get(end)), [
        set(bytes, load(get(at))),
        set(marks, either(either(same(delimiters), same(quotes)), either(same(lineFeeds), same(returns)))),
        when(anySet(get(marks)), [
          set(bits, bitsOfBytes(get(marks))),
          loopWhile(get(bits), [
            storeInt(get(out), 0, add(get(base), add(sub(get(at), constant(BYTES)), lowestBit(get(bits))))),
            increase(out, constant(4)),
            set(bits, both(get(bits), sub(get(bits), constant(1)))),
          ]),
        ]),
        increase(at, constant(VECTOR)),
      ]),
      storeInt(constant(COUNT), 0, quotient(sub(get(out), constant(MARKS)), constant(4))),
    ]
  })
  module.exported('find', find)
  return module.bytes()
}
