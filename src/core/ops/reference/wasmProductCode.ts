// The matrix product in WebAssembly: C = alpha A B (+ C), where each matrix is known by its address and strides, so that a
// transposed one, a head inside of [N, heads, size] or some columns of a wider one need no copy of their own. The result is
// made in tiles of 6 x 8, which stay in the registers of x64 (12 of 15, two for B and one for A) over a stretch of the inner
// dimension (Goto & van de Geijn 2008, doi 10.1145/1356052.1356053); B is packed only where its columns are not adjacent.
// Threads take tasks, blocks of rows and columns of a pair, from a counter: who computes a number changes none of its bits.
import {
  add,
  below,
  call,
  constant,
  equal,
  fetchAdd,
  F32,
  float,
  get,
  I32,
  increase,
  least,
  load,
  loadFloat,
  loadInt,
  loadLane,
  loadSplat,
  loop,
  loopWhile,
  or,
  parts,
  quotient,
  remainder,
  select,
  set,
  splat,
  store,
  storeFloat,
  sub,
  times,
  timesFloats,
  when,
  zeros,
  type Code,
  type CodeModule,
} from '../../../formats/wasmCode.ts'

export const TILE_ROWS = 6
export const TILE_COLUMNS = 8
/** Steps of the inner dimension in one turn of the loop. */
const UNROLLED = 4
const FLOAT = 4
const VECTOR = 16

/** Words of the arguments; then three addresses for each pair of matrices: A, B, C. */
export const PRODUCT = {
  counter: 0,
  rows: 1,
  columns: 2,
  inner: 3,
  /** Strides in bytes: of A from row to row and along the inner dimension; of B along it and from column to column. */
  aRow: 4,
  aNext: 5,
  bNext: 6,
  bColumn: 7,
  cRow: 8,
  alpha: 9,
  /** Whether C is added to. */
  more: 10,
  pairs: 11,
  /** Size of a task, and of a stretch of the inner dimension. */
  taskRows: 12,
  taskColumns: 13,
  stretch: 14,
  /** Memory of the first thread and its size. */
  scratch: 15,
  scratchBytes: 16,
  firstPair: 17,
} as const

/** Of a thread: one tile, and the packed columns of a task. */
export const TILE_BYTES = TILE_ROWS * TILE_COLUMNS * FLOAT

/** Adds `product(arguments, thread)`. */
export function addProduct(module: CodeModule): void {
  const [along, across] = [tile(module, 'rows'), tile(module, 'columns')]
  const pack = packed(module)
  const [ARGS, THREAD] = [0, 1] as const
  const body = module.fn([I32, I32], (locals) => {
    const argument = (word: number): Code => loadInt(get(ARGS), word * FLOAT)
    const [aRow, aNext, bNext, bColumn, cRow] = locals.ints(5) as [number, number, number, number, number]
    const [task, tall, wide, a, b, c] = locals.ints(6) as [number, number, number, number, number, number]
    const [rows, columns, from, deep, row, column] = locals.ints(6) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const [scratch, panels, panelNext, panelColumn, pair] = locals.ints(5) as [
      number,
      number,
      number,
      number,
      number,
    ]
    const panel = add(get(panels), times(get(column), get(panelColumn)))
    const operands = [
      add(get(a), times(get(row), get(aRow))),
      get(aRow),
      get(aNext),
      least(constant(TILE_ROWS), sub(get(rows), get(row))),
      panel,
      get(panelNext),
      add(add(get(c), times(get(row), get(cRow))), times(get(column), constant(FLOAT))),
      get(cRow),
      least(constant(TILE_COLUMNS), sub(get(columns), get(column))),
      get(deep),
      loadFloat(get(ARGS), PRODUCT.alpha * FLOAT),
      or(argument(PRODUCT.more), get(from)),
      get(scratch),
    ]
    const stretch: Code = [
      set(deep, least(argument(PRODUCT.stretch), sub(argument(PRODUCT.inner), get(from)))),
      when(
        equal(get(bColumn), constant(FLOAT)),
        [set(panels, get(b)), set(panelNext, get(bNext)), set(panelColumn, constant(FLOAT))],
        [
          set(panels, add(get(scratch), constant(TILE_BYTES))),
          set(panelNext, constant(TILE_COLUMNS * FLOAT)),
          set(panelColumn, times(get(deep), constant(FLOAT))),
          loop(
            column,
            constant(0),
            get(columns),
            TILE_COLUMNS,
            call(
              pack,
              add(get(b), times(get(column), get(bColumn))),
              get(bColumn),
              get(bNext),
              least(constant(TILE_COLUMNS), sub(get(columns), get(column))),
              get(deep),
              panel,
            ),
          ),
        ],
      ),
      loop(
        row,
        constant(0),
        get(rows),
        TILE_ROWS,
        loop(
          column,
          constant(0),
          get(columns),
          TILE_COLUMNS,
          when(equal(get(aNext), constant(FLOAT)), call(along, ...operands), call(across, ...operands)),
        ),
      ),
      increase(a, times(get(deep), get(aNext))),
      increase(b, times(get(deep), get(bNext))),
    ]
    const blocks = times(get(tall), get(wide))
    const within = remainder(get(task), blocks)
    const base = (index: number): Code => loadInt(get(pair), (PRODUCT.firstPair + index) * FLOAT)
    const start = set(task, fetchAdd(get(ARGS), constant(1)))
    return [
      set(aRow, argument(PRODUCT.aRow)),
      set(aNext, argument(PRODUCT.aNext)),
      set(bNext, argument(PRODUCT.bNext)),
      set(bColumn, argument(PRODUCT.bColumn)),
      set(cRow, argument(PRODUCT.cRow)),
      set(scratch, add(argument(PRODUCT.scratch), times(get(THREAD), argument(PRODUCT.scratchBytes)))),
      set(tall, parts(argument(PRODUCT.rows), argument(PRODUCT.taskRows))),
      set(wide, parts(argument(PRODUCT.columns), argument(PRODUCT.taskColumns))),
      start,
      loopWhile(below(get(task), times(blocks, argument(PRODUCT.pairs))), [
        set(pair, add(get(ARGS), times(quotient(get(task), blocks), constant(3 * FLOAT)))),
        set(row, times(quotient(within, get(wide)), argument(PRODUCT.taskRows))),
        set(column, times(remainder(within, get(wide)), argument(PRODUCT.taskColumns))),
        set(rows, least(argument(PRODUCT.taskRows), sub(argument(PRODUCT.rows), get(row)))),
        set(columns, least(argument(PRODUCT.taskColumns), sub(argument(PRODUCT.columns), get(column)))),
        set(a, add(base(0), times(get(row), get(aRow)))),
        set(b, add(base(1), times(get(column), get(bColumn)))),
        set(c, add(add(base(2), times(get(row), get(cRow))), times(get(column), constant(FLOAT)))),
        set(from, constant(0)),
        // At least once: a product over nothing is 0.
        stretch,
        set(from, get(deep)),
        loopWhile(below(get(from), argument(PRODUCT.inner)), [stretch, increase(from, get(deep))]),
        start,
      ]),
    ]
  })
  module.exported('product', body)
}

/** One tile; A's elements lie side by side along its rows, or along its columns. */
function tile(module: CodeModule, adjacent: 'rows' | 'columns'): number {
  const [A, A_ROW, A_NEXT, ROWS, B, B_NEXT, C, C_ROW, COLUMNS, DEEP, ALPHA, MORE, SCRATCH] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
  ] as const
  const parameters = [I32, I32, I32, I32, I32, I32, I32, I32, I32, I32, F32, I32, I32]
  return module.fn(parameters, (locals) => {
    const sums = locals.vectors(TILE_ROWS * 2)
    const [left, right, one] = locals.vectors(3) as [number, number, number]
    const pointers = adjacent === 'rows' ? locals.ints(TILE_ROWS) : [A]
    const [step, row, column] = locals.ints(3) as [number, number, number]
    const eachRow = (what: (row: number) => Code): Code =>
      Array.from({ length: TILE_ROWS }, (_, i) => what(i))
    /** Rows beyond the last are the last again: their results go nowhere. */
    const rowAddress = (i: number): Code =>
      add(
        get(A),
        times(select(below(constant(i), get(ROWS)), constant(i), sub(get(ROWS), constant(1))), get(A_ROW)),
      )
    const oneStep = (ahead: number): Code => [
      set(left, load(get(B))),
      set(right, load(get(B), VECTOR)),
      eachRow((i) => [
        set(
          one,
          adjacent === 'rows' ? loadSplat(get(pointers[i]!), ahead * FLOAT) : loadSplat(get(A), i * FLOAT),
        ),
        set(sums[2 * i]!, module.fused(get(one), get(left), get(sums[2 * i]!))),
        set(sums[2 * i + 1]!, module.fused(get(one), get(right), get(sums[2 * i + 1]!))),
      ]),
      increase(B, get(B_NEXT)),
      adjacent === 'rows' ? [] : increase(A, get(A_NEXT)),
    ]
    const advance = (steps: number): Code =>
      adjacent === 'rows' ? pointers.map((pointer) => increase(pointer, constant(steps * FLOAT))) : []
    const steps = (count: number): Code => [
      Array.from({ length: count }, (_, i) => oneStep(i)),
      advance(count),
    ]
    const scaled = (sum: number): Code => timesFloats(get(sum), splat(get(ALPHA)))
    const old = (offset: number): Code => load(get(C), offset)
    const rowOut = (i: number): Code =>
      when(below(constant(i), get(ROWS)), [
        when(
          get(MORE),
          [0, 1].map((half) =>
            store(
              get(C),
              half * VECTOR,
              module.fused(get(sums[2 * i + half]!), splat(get(ALPHA)), old(half * VECTOR)),
            ),
          ),
          [0, 1].map((half) => store(get(C), half * VECTOR, scaled(sums[2 * i + half]!))),
        ),
        increase(C, get(C_ROW)),
      ])
    const from = add(
      get(SCRATCH),
      times(add(times(get(row), constant(TILE_COLUMNS)), get(column)), constant(FLOAT)),
    )
    const to = add(get(C), times(get(column), constant(FLOAT)))
    const sumFloats = (a: Code, b: Code): Code => [a, b, 0x92]
    return [
      adjacent === 'rows' ? pointers.map((pointer, i) => set(pointer, rowAddress(i))) : [],
      sums.map((sum) => set(sum, zeros)),
      set(step, constant(UNROLLED)),
      loopWhile(below(get(step), add(get(DEEP), constant(1))), [
        steps(UNROLLED),
        increase(step, constant(UNROLLED)),
      ]),
      set(step, sub(get(step), constant(UNROLLED))),
      loopWhile(below(get(step), get(DEEP)), [steps(1), increase(step, constant(1))]),
      when(equal(get(COLUMNS), constant(TILE_COLUMNS)), eachRow(rowOut), [
        // A part of a tile goes through memory of its own, number by number.
        eachRow((i) =>
          [0, 1].map((half) => store(get(SCRATCH), (2 * i + half) * VECTOR, scaled(sums[2 * i + half]!))),
        ),
        loop(row, constant(0), get(ROWS), 1, [
          loop(
            column,
            constant(0),
            get(COLUMNS),
            1,
            storeFloat(
              to,
              0,
              sumFloats(loadFloat(from), [get(MORE), [0x04, F32], loadFloat(to), 0x05, float(0), 0x0b]),
            ),
          ),
          increase(C, get(C_ROW)),
        ]),
      ]),
    ]
  })
}

/** Eight columns of B (fewer at the edge, the last again) as they are read: side by side. */
function packed(module: CodeModule): number {
  const [B, B_COLUMN, B_NEXT, COLUMNS, DEEP, TO] = [0, 1, 2, 3, 4, 5] as const
  return module.fn([I32, I32, I32, I32, I32, I32], (locals) => {
    const pointers = locals.ints(TILE_COLUMNS)
    const step = locals.int()
    const vector = (half: number): Code =>
      [0, 1, 2, 3].reduce<Code>((made, i) => loadLane(get(pointers[half * 4 + i]!), i, made), zeros)
    return [
      pointers.map((pointer, i) =>
        set(
          pointer,
          add(
            get(B),
            times(
              select(below(constant(i), get(COLUMNS)), constant(i), sub(get(COLUMNS), constant(1))),
              get(B_COLUMN),
            ),
          ),
        ),
      ),
      loop(step, constant(0), get(DEEP), 1, [
        store(get(TO), 0, vector(0)),
        store(get(TO), VECTOR, vector(1)),
        increase(TO, constant(TILE_COLUMNS * FLOAT)),
        pointers.map((pointer) => increase(pointer, get(B_NEXT))),
      ]),
    ]
  })
}
