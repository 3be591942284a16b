// What works row by row in WebAssembly, each in one pass over memory where a chain of tfjs ops makes one for every sign of the
// formula: softmax and its way back, RMSNorm, gates. Four floats at a time, the rest of a row one by one. Threads take blocks
// of rows from a counter, as in wasmProductCode.ts.
// exp is Cephes' expf (Moshier 1992): 2^n times a polynomial on half a step of ln 2, within 2 units of the last place. What
// would be smaller than a floor is 0, since numbers that underflow slow down whatever reads them.
import {
  above,
  across,
  add,
  addFloats,
  addIntegers,
  and,
  below,
  constant,
  divideFloats,
  fetchAdd,
  floats,
  get,
  I32,
  increase,
  integers,
  lane,
  least,
  load,
  loadFloat,
  loadInt,
  loadSplat,
  loopWhile,
  maxFloats,
  minFloats,
  nearest,
  quotient,
  remainder,
  rootOf,
  set,
  shiftLeft,
  splat,
  store,
  storeFloat,
  storeLane,
  sub,
  subFloats,
  times,
  timesFloats,
  toIntegers,
  when,
  zeros,
  type Code,
  type CodeModule,
  type Locals,
} from '../../../formats/wasmCode.ts'

/** Words of the arguments of every kernel here; its own follow. */
export const ROWS = { counter: 0, rows: 1, taskRows: 2, width: 3, own: 4 } as const

/** Added to scores that are not seen (attention.ts); half of it tells them. */
const HARDLY_SEEN = -(2 ** 99)
const FLOAT = 4
const VECTOR = 16
const ARGS = 0

/** How a vector, or the single number at the end of a row, is read and written. */
interface Lanes {
  load(pointer: number): Code
  store(pointer: number, value: Code): Code
  /** The value where it counts, 0 in lanes that are no numbers of the row. */
  only(value: Code): Code
}

interface Kernel {
  locals: Locals
  /** The row. */
  row: number
  /** The kernel's own arguments. */
  int(word: number): Code
  float(word: number): Code
  /** Address of the row in a matrix as wide as the kernel's. */
  rowOf(word: number): Code
  /** body for all numbers of the row. */
  along(pointers: readonly number[], body: (lanes: Lanes) => Code): Code
}

const FULL: Lanes = {
  load: (pointer) => load(get(pointer)),
  store: (pointer, value) => store(get(pointer), 0, value),
  only: (value) => value,
}
const SINGLE: Lanes = {
  load: (pointer) => loadSplat(get(pointer)),
  store: (pointer, value) => storeLane(get(pointer), 0, value),
  only: (value) => and(value, integers(-1, 0, 0, 0)),
}

/** Adds a kernel that is run as `name(arguments, thread)`. */
function addKernel(module: CodeModule, name: string, build: (kernel: Kernel) => Code): void {
  const fn = module.fn([I32, I32], (locals) => {
    const [row, end, left] = locals.ints(3) as [number, number, number]
    const word = (index: number): Code => loadInt(get(ARGS), index * FLOAT)
    const own = (index: number): Code => word(ROWS.own + index)
    const width = word(ROWS.width)
    const body = build({
      locals,
      row,
      int: own,
      float: (index) => splat(loadFloat(get(ARGS), (ROWS.own + index) * FLOAT)),
      rowOf: (index) => add(own(index), times(times(get(row), width), constant(FLOAT))),
      along: (pointers, each) => {
        const turn = (lanes: Lanes, count: number): Code =>
          loopWhile(below(constant(count - 1), get(left)), [
            each(lanes),
            pointers.map((pointer) => increase(pointer, constant(count * FLOAT))),
            set(left, sub(get(left), constant(count))),
          ])
        return [set(left, width), turn(FULL, VECTOR / FLOAT), turn(SINGLE, 1)]
      },
    })
    const take = set(row, times(fetchAdd(get(ARGS), constant(1)), word(ROWS.taskRows)))
    return [
      take,
      loopWhile(below(get(row), word(ROWS.rows)), [
        set(end, least(word(ROWS.rows), add(get(row), word(ROWS.taskRows)))),
        loopWhile(below(get(row), get(end)), [body, increase(row, constant(1))]),
        take,
      ]),
    ]
  })
  module.exported(name, fn)
}

/** The smallest exponent that float32 has, and one far below its resolution beside a maximum of 1. */
const SMALLEST = -87
const NEGLIGIBLE = -60

/** exp of a vector, 0 below the floor: code that puts it there. */
function exponential(module: CodeModule, locals: Locals, floor: number): (x: number) => Code {
  const [n, r, tall] = locals.vectors(3) as [number, number, number]
  const polynomial = [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 0.16666665459, 0.5]
    .map(floats)
    .reduce((sum, coefficient) => module.fused(sum, get(r), coefficient))
  return (x) => [
    set(tall, above(get(x), floats(floor))),
    set(x, maxFloats(minFloats(get(x), floats(88)), floats(floor))),
    set(n, nearest(timesFloats(get(x), floats(Math.LOG2E)))),
    // x - n ln 2, the first part of which has few digits: n times it is exact.
    set(r, subFloats(get(x), timesFloats(get(n), floats(0.693359375)))),
    set(r, subFloats(get(r), timesFloats(get(n), floats(-2.1219444e-4)))),
    set(x, addFloats(module.fused(polynomial, timesFloats(get(r), get(r)), get(r)), floats(1))),
    set(x, timesFloats(get(x), shiftLeft(addIntegers(toIntegers(get(n)), integers(127)), 23))),
    set(x, and(get(x), get(tall))),
  ]
}

export function addRowKernels(module: CodeModule): void {
  addSoftmax(module)
  addAttentionBackward(module)
  addDots(module)
  addNorms(module)
  for (const act of ['silu', 'geluTanh'] as const) addGates(module, act)
}

/** Rows are queries [B, H, some] of [B, H, T]: where one finds its mask in [B, T, keys] and its number in [B T, H]. Words of the
 *  arguments from `first` on: how many queries, H, T, keys, the first query. */
function attentionRow({ row, int }: Kernel, first: number) {
  const [some, heads, all, keys, begin] = [0, 1, 2, 3, 4].map((i) => int(first + i)) as [
    Code,
    Code,
    Code,
    Code,
    Code,
  ]
  const head = remainder(quotient(get(row), some), heads)
  const batch = quotient(get(row), times(some, heads))
  const token = add(times(batch, all), add(begin, remainder(get(row), some)))
  return {
    mask: (address: Code): Code => add(address, times(times(token, keys), constant(FLOAT))),
    place: (address: Code): Code => add(address, times(add(times(token, heads), head), constant(FLOAT))),
  }
}

/** softmax(x + mask) in place, and of each row its largest number and the sum of exp(x - largest): x, mask (0: none),
 *  largest, sums, and what attentionRow takes. A row of which nothing is seen becomes 0. */
function addSoftmax(module: CodeModule): void {
  addKernel(module, 'softmax', (kernel) => {
    const { locals, int, rowOf, along } = kernel
    const [x, mask] = locals.ints(2) as [number, number]
    const [value, top, sum] = locals.vectors(3) as [number, number, number]
    const exp = exponential(module, locals, NEGLIGIBLE)
    const { mask: maskOf, place } = attentionRow(kernel, 4)
    const topOf = (masked: boolean): Code =>
      along(masked ? [x, mask] : [x], (lanes) => [
        set(value, masked ? addFloats(lanes.load(x), lanes.load(mask)) : lanes.load(x)),
        masked ? lanes.store(x, get(value)) : [],
        set(top, maxFloats(get(top), get(value))),
      ])
    return [
      set(x, rowOf(0)),
      set(top, floats(-Infinity)),
      when(int(1), [set(mask, maskOf(int(1))), topOf(true)], topOf(false)),
      across(maxFloats, top),
      set(sum, zeros),
      set(x, rowOf(0)),
      along([x], (lanes) => [
        set(value, subFloats(lanes.load(x), get(top))),
        exp(value),
        lanes.store(x, get(value)),
        set(sum, addFloats(get(sum), lanes.only(get(value)))),
      ]),
      across(addFloats, sum),
      storeFloat(place(int(2)), 0, lane(get(top), 0)),
      storeFloat(place(int(3)), 0, lane(get(sum), 0)),
      set(x, rowOf(0)),
      set(sum, and(divideFloats(floats(1), get(sum)), above(get(top), floats(HARDLY_SEEN)))),
      along([x], (lanes) => lanes.store(x, timesFloats(lanes.load(x), get(sum)))),
    ]
  })
}

/** p = exp(s + mask - L) in place of s, and p (dp - d) in place of dp: s, dp, mask, L, d, and what attentionRow takes. */
function addAttentionBackward(module: CodeModule): void {
  addKernel(module, 'attentionBackward', (kernel) => {
    const { locals, int, rowOf, along } = kernel
    const [s, dp, mask] = locals.ints(3) as [number, number, number]
    const [value, total, d] = locals.vectors(3) as [number, number, number]
    const exp = exponential(module, locals, NEGLIGIBLE)
    const { mask: maskOf, place } = attentionRow(kernel, 5)
    return [
      set(s, rowOf(0)),
      set(dp, rowOf(1)),
      set(mask, maskOf(int(2))),
      set(total, loadSplat(place(int(3)))),
      set(d, loadSplat(place(int(4)))),
      along([s, dp, mask], (lanes) => [
        set(value, subFloats(addFloats(lanes.load(s), lanes.load(mask)), get(total))),
        exp(value),
        lanes.store(s, get(value)),
        lanes.store(dp, timesFloats(get(value), subFloats(lanes.load(dp), get(d)))),
      ]),
    ]
  })
}

/** sum a b of each row: a, b, out. */
function addDots(module: CodeModule): void {
  addKernel(module, 'dots', ({ locals, row, int, rowOf, along }) => {
    const [a, b] = locals.ints(2) as [number, number]
    const sum = locals.vector()
    return [
      set(a, rowOf(0)),
      set(b, rowOf(1)),
      set(sum, zeros),
      along([a, b], (lanes) =>
        set(sum, addFloats(get(sum), lanes.only(timesFloats(lanes.load(a), lanes.load(b))))),
      ),
      across(addFloats, sum),
      storeFloat(add(int(2), times(get(row), constant(FLOAT))), 0, lane(get(sum), 0)),
    ]
  })
}

/** RMSNorm (rmsNorm.ts): x, w, out, plus (0: none), 1 / width, eps; its way back: dy, x, w, out, plus, 1 / width, eps. */
function addNorms(module: CodeModule): void {
  const norm = (name: string, backward: boolean): void =>
    addKernel(module, name, ({ locals, int, float, rowOf, along }) => {
      const [x, dy, w, out, plus] = locals.ints(5) as [number, number, number, number, number]
      const [squares, dots, value] = locals.vectors(3) as [number, number, number]
      const first = backward ? 1 : 0
      const begin: Code = [
        set(x, rowOf(first)),
        set(w, int(first + 1)),
        set(out, rowOf(first + 2)),
        set(plus, rowOf(first + 3)),
        backward ? set(dy, rowOf(0)) : [],
      ]
      const share = float(first + 4)
      const g = (lanes: Lanes): Code => timesFloats(lanes.load(dy), lanes.load(w))
      const made = (lanes: Lanes): Code => {
        if (!backward) return timesFloats(timesFloats(lanes.load(x), get(squares)), lanes.load(w))
        return timesFloats(subFloats(g(lanes), timesFloats(lanes.load(x), get(dots))), get(squares))
      }
      const write = (more: boolean): Code =>
        along([x, w, out, ...(more ? [plus] : []), ...(backward ? [dy] : [])], (lanes) =>
          lanes.store(out, more ? addFloats(made(lanes), lanes.load(plus)) : made(lanes)),
        )
      return [
        begin,
        set(squares, zeros),
        set(dots, zeros),
        along(backward ? [x, w, dy] : [x], (lanes) => [
          set(value, lanes.load(x)),
          set(squares, addFloats(get(squares), lanes.only(timesFloats(get(value), get(value))))),
          backward ? set(dots, addFloats(get(dots), lanes.only(timesFloats(get(value), g(lanes))))) : [],
        ]),
        across(addFloats, squares),
        backward ? across(addFloats, dots) : [],
        // 1 / (mean x^2 + eps), which the projection has, and its root.
        set(value, addFloats(timesFloats(get(squares), share), float(first + 5))),
        set(dots, divideFloats(timesFloats(get(dots), share), get(value))),
        set(squares, divideFloats(floats(1), rootOf(get(value)))),
        begin,
        when(int(first + 3), write(true), write(false)),
      ]
    })
  norm('rmsNorm', false)
  norm('rmsNormBackward', true)
}

/** act(gate) up: gate, up (0: none), out; dh up act'(gate) and dh act(gate): dh, gate, up (0: none), dGate, dUp. */
function addGates(module: CodeModule, act: 'silu' | 'geluTanh'): void {
  const FACTOR = 2 * Math.sqrt(2 / Math.PI)
  const CUBE = 0.044715
  /** sigmoid of x, or of 2 u (activation.ts). */
  const sigmoid = (locals: Locals): ((x: number, s: number) => Code) => {
    const exp = exponential(module, locals, SMALLEST)
    return (x, s) => [
      set(
        s,
        act === 'silu'
          ? subFloats(zeros, get(x))
          : timesFloats(
              timesFloats(get(x), floats(-FACTOR)),
              module.fused(timesFloats(get(x), get(x)), floats(CUBE), floats(1)),
            ),
      ),
      exp(s),
      set(s, divideFloats(floats(1), addFloats(floats(1), get(s)))),
    ]
  }
  addKernel(module, `gated:${act}`, ({ locals, int, rowOf, along }) => {
    const [gate, up, out] = locals.ints(3) as [number, number, number]
    const [x, s] = locals.vectors(2) as [number, number]
    const sig = sigmoid(locals)
    const write = (gated: boolean): Code =>
      along(gated ? [gate, up, out] : [gate, out], (lanes) => [
        set(x, lanes.load(gate)),
        sig(x, s),
        set(x, timesFloats(get(x), get(s))),
        lanes.store(out, gated ? timesFloats(get(x), lanes.load(up)) : get(x)),
      ])
    return [
      set(gate, rowOf(0)),
      set(out, rowOf(2)),
      when(int(1), [set(up, rowOf(1)), write(true)], write(false)),
    ]
  })
  addKernel(module, `gatedBackward:${act}`, ({ locals, int, rowOf, along }) => {
    const [dh, gate, up, dGate, dUp] = locals.ints(5) as [number, number, number, number, number]
    const [x, s, y, dy] = locals.vectors(4) as [number, number, number, number]
    const sig = sigmoid(locals)
    const steepness = module.fused(timesFloats(get(x), get(x)), floats(3 * CUBE * FACTOR), floats(FACTOR))
    const slope: Code =
      act === 'silu'
        ? addFloats(get(y), timesFloats(get(s), subFloats(floats(1), get(y))))
        : addFloats(get(s), timesFloats(timesFloats(get(y), subFloats(floats(1), get(s))), steepness))
    const write = (gated: boolean): Code =>
      along([dh, gate, dGate, ...(gated ? [up, dUp] : [])], (lanes) => [
        set(x, lanes.load(gate)),
        sig(x, s),
        set(y, timesFloats(get(x), get(s))),
        set(dy, timesFloats(lanes.load(dh), slope)),
        lanes.store(dGate, gated ? timesFloats(get(dy), lanes.load(up)) : get(dy)),
        gated ? lanes.store(dUp, timesFloats(lanes.load(dh), get(y))) : [],
      ])
    return [
      set(dh, rowOf(0)),
      set(gate, rowOf(1)),
      set(dGate, rowOf(3)),
      when(int(2), [set(up, rowOf(2)), set(dUp, rowOf(4)), write(true)], write(false)),
    ]
  })
}
