// Our own kernels beside tfjs's wasm module, over its memory: products of matrices as they lie, and what goes row by row.
// XNNPACK multiplies a single pair of matrices without transpose flags only, and packs one of them anew each time; the rest
// of tfjs's kernels are scalar loops, and every op between two products goes through memory once more.
// Helpers, where there are any (backend/wasmHelper.js), are threads that wait on a word of the shared memory each: 1 offers
// a kernel, the helper makes that 2 while it works and 0 when it is done. An offer that a helper has not taken when the work
// is over is withdrawn, so that a busy machine keeps nobody waiting.
import { GraftError } from '../../../protocol/errors.ts'
import { CodeModule, type CodeFeatures } from '../../../formats/wasmCode.ts'
import { addProduct, PRODUCT, TILE_BYTES, TILE_COLUMNS, TILE_ROWS } from './wasmProductCode.ts'
import { addRowKernels, ROWS } from './wasmRowCode.ts'
import { ELEMENT_BYTES, isWasm, memoryOf, wasmBackend } from './wasmHeap.ts'

type Kernel = (argumentsAt: number, thread: number) => void

/** A matrix in the module's memory: addresses and strides in bytes. */
export interface Matrix {
  address: number
  /** From row to row, and from column to column. */
  row: number
  column: number
}

export interface Product {
  rows: number
  columns: number
  inner: number
  a: Matrix
  b: Matrix
  /** Its columns are adjacent. */
  c: Matrix
  alpha?: number
  /** C is added to. */
  more?: boolean
  /** Further pairs of the same shape: addresses of A, B and C. */
  pairs?: readonly (readonly [number, number, number])[]
}

/** The most columns of a task, and the most of the inner dimension at once: 512 KiB of packed B. */
const TASK_COLUMNS = 256
const STRETCH = 512
/** A thread gets about so many tasks, so that one that is interrupted does not keep the others waiting. */
const TASKS_PER_THREAD = 4
/** Multiplications, or numbers of rows, below which a helper is not worth waking. */
const WORTH_HELP = 1 << 17
const WORTH_HELP_ROWS = 1 << 14
/** Pairs of one call; arguments and control words have their places. */
const MOST_PAIRS = 1024
const ARGUMENT_WORDS = PRODUCT.firstPair + 3 * MOST_PAIRS
const SCRATCH_BYTES = TILE_BYTES + TASK_COLUMNS * STRETCH * ELEMENT_BYTES
const ALIGNMENT = 64
/** Looks at a word before the thread sleeps on it. */
const LOOKS = 20_000

/** What a helper is given; it answers `{ ready: true }`. */
export interface HelperTask {
  module: WebAssembly.Module
  memory: WebAssembly.Memory
  /** Exports by their number. */
  names: readonly string[]
  /** Byte addresses: of its own word, of the kernel's number, of what failed, of the arguments. */
  word: number
  kernel: number
  failed: number
  argumentsAt: number
  thread: number
  looks: number
}

/** The engine's best: a module's bytes that it accepts. Null without SIMD. */
export function kernelBytes(
  shared: boolean,
  validate: (bytes: Uint8Array<ArrayBuffer>) => boolean = (bytes) => WebAssembly.validate(bytes),
): { bytes: Uint8Array<ArrayBuffer>; features: CodeFeatures } | null {
  for (const fused of [true, false]) {
    const features = { fused, shared }
    const module = new CodeModule(features)
    addProduct(module)
    addRowKernels(module)
    const bytes = module.bytes()
    if (validate(bytes)) return { bytes, features }
  }
  return null
}

export class WasmKernels {
  /** How many threads share a kernel. */
  threads = 1
  readonly #memory: WebAssembly.Memory
  readonly #module: WebAssembly.Module
  readonly #kernels: ReadonlyMap<string, Kernel>
  readonly #names: readonly string[]
  /** Of the arguments, of one scratch for each thread, of the number of the kernel, what failed, a word for each helper. */
  readonly #arguments: number
  readonly #scratch: number
  readonly #control: number

  private constructor(memory: WebAssembly.Memory, bytes: Uint8Array<ArrayBuffer>, place: number) {
    this.#memory = memory
    this.#module = new WebAssembly.Module(bytes)
    const { exports } = new WebAssembly.Instance(this.#module, { env: { memory } })
    this.#names = Object.keys(exports)
    this.#kernels = new Map(Object.entries(exports) as [string, Kernel][])
    this.#control = Math.ceil(place / ALIGNMENT) * ALIGNMENT
    this.#arguments = this.#control + ALIGNMENT * 2
    this.#scratch = Math.ceil((this.#arguments + ARGUMENT_WORDS * ELEMENT_BYTES) / ALIGNMENT) * ALIGNMENT
    new Uint8Array(memory.buffer, this.#control, ALIGNMENT * 2).fill(0)
  }

  /**
   * @param wasm tfjs's module, which gives the memory
   * @param threads the most that will ever share a kernel
   * @returns null where the engine has no SIMD
   */
  static over(wasm: object, threads: number, made = kernelBytes(isShared(wasm))): WasmKernels | null {
    const memory = memoryOf(wasm)
    if (!memory || !made) return null
    const size = ALIGNMENT * 4 + ARGUMENT_WORDS * ELEMENT_BYTES + threads * SCRATCH_BYTES
    const place = (wasm as { _malloc(bytes: number): number })._malloc(size) >>> 0
    return place === 0 ? null : new WasmKernels(memory, made.bytes, place)
  }

  /** What the helper with this number, from 1, is to be told. */
  taskOf(thread: number): HelperTask {
    return {
      module: this.#module,
      memory: this.#memory,
      names: this.#names,
      word: this.#wordOf(thread),
      kernel: this.#control,
      failed: this.#control + ELEMENT_BYTES,
      argumentsAt: this.#arguments,
      thread,
      looks: LOOKS,
    }
  }

  #wordOf(thread: number): number {
    return this.#control + ALIGNMENT + thread * ELEMENT_BYTES
  }

  /** C = alpha A B (+ C) for one pair or more. */
  multiply({ rows, columns, inner, a, b, c, alpha = 1, more = false, pairs }: Product): void {
    if (rows === 0 || columns === 0) return
    const all = pairs ?? [[a.address, b.address, c.address] as const]
    const work = rows * columns * Math.max(1, inner)
    for (let from = 0; from < all.length; from += MOST_PAIRS) {
      const some = all.slice(from, from + MOST_PAIRS)
      const alone = this.threads === 1 || work * some.length < WORTH_HELP
      const { taskRows, taskColumns } = tasks(rows, columns, some.length, alone ? 1 : this.threads)
      const words = new Int32Array(this.#memory.buffer, this.#arguments, ARGUMENT_WORDS)
      words[PRODUCT.counter] = 0
      words[PRODUCT.rows] = rows
      words[PRODUCT.columns] = columns
      words[PRODUCT.inner] = inner
      words[PRODUCT.aRow] = a.row
      words[PRODUCT.aNext] = a.column
      words[PRODUCT.bNext] = b.row
      words[PRODUCT.bColumn] = b.column
      words[PRODUCT.cRow] = c.row
      new Float32Array(words.buffer, this.#arguments, ARGUMENT_WORDS)[PRODUCT.alpha] = alpha
      words[PRODUCT.more] = more ? 1 : 0
      words[PRODUCT.pairs] = some.length
      words[PRODUCT.taskRows] = taskRows
      words[PRODUCT.taskColumns] = taskColumns
      words[PRODUCT.stretch] = STRETCH
      words[PRODUCT.scratch] = this.#scratch
      words[PRODUCT.scratchBytes] = SCRATCH_BYTES
      some.forEach((addresses, i) => words.set(addresses, PRODUCT.firstPair + 3 * i))
      this.#run('product', alone)
    }
  }

  /** A kernel of wasmRowCode.ts: its own arguments are addresses and whole numbers, then floats. */
  rows(
    name: string,
    rows: number,
    width: number,
    numbers: readonly number[],
    floats: readonly number[] = [],
  ): void {
    if (rows === 0) return
    const alone = this.threads === 1 || rows * width < WORTH_HELP_ROWS
    const words = new Int32Array(this.#memory.buffer, this.#arguments, ARGUMENT_WORDS)
    words[ROWS.counter] = 0
    words[ROWS.rows] = rows
    words[ROWS.taskRows] = alone ? rows : Math.ceil(rows / (this.threads * TASKS_PER_THREAD))
    words[ROWS.width] = width
    words.set(numbers, ROWS.own)
    new Float32Array(words.buffer, this.#arguments, ARGUMENT_WORDS).set(floats, ROWS.own + numbers.length)
    this.#run(name, alone)
  }

  #run(name: string, alone: boolean): void {
    const kernel = this.#kernels.get(name)!
    if (alone) return kernel(this.#arguments, 0)
    const words = new Int32Array(this.#memory.buffer)
    Atomics.store(words, this.#control >> 2, this.#names.indexOf(name))
    for (let thread = 1; thread < this.threads; thread++) {
      const word = this.#wordOf(thread) >> 2
      Atomics.store(words, word, 1)
      Atomics.notify(words, word)
    }
    try {
      kernel(this.#arguments, 0)
    } finally {
      for (let thread = 1; thread < this.threads; thread++) awaitHelper(words, this.#wordOf(thread) >> 2)
    }
    if (Atomics.load(words, (this.#control >> 2) + 1) !== 0)
      throw new GraftError(
        'E_INTERNAL',
        'A thread of the WebAssembly backend failed. Reload the page and try again.',
      )
  }
}

/** Until the helper is done; an offer that it has not taken is withdrawn. */
function awaitHelper(words: Int32Array, word: number): void {
  if (Atomics.compareExchange(words, word, 1, 0) !== 2) return
  for (let looks = 0; Atomics.load(words, word) !== 0; looks++)
    if (looks > LOOKS && sleep(words, word)) looks = 0
}

/** A page's main thread must not sleep. */
let maySleep = true
function sleep(words: Int32Array, word: number): boolean {
  if (!maySleep) return false
  try {
    Atomics.wait(words, word, 2, 1)
    return true
  } catch {
    return (maySleep = false)
  }
}

/** How a product is cut: by columns, whose packed copies no other task needs; by rows where there are few columns. */
function tasks(rows: number, columns: number, pairs: number, threads: number) {
  const wanted = threads === 1 ? 1 : Math.ceil((threads * TASKS_PER_THREAD) / pairs)
  const upTo = (size: number, step: number) => Math.ceil(size / step) * step
  const taskColumns = Math.min(TASK_COLUMNS, Math.max(32, upTo(columns / wanted, TILE_COLUMNS)))
  const left = Math.ceil(wanted / Math.ceil(columns / taskColumns))
  return { taskColumns, taskRows: Math.max(TILE_ROWS * 4, upTo(rows / left, TILE_ROWS)) }
}

function isShared(wasm: object): boolean {
  return typeof SharedArrayBuffer !== 'undefined' && memoryOf(wasm)?.buffer instanceof SharedArrayBuffer
}

/** By instance of tfjs's module: a restarted backend is a new one. Null where the engine has no SIMD. */
const known = new WeakMap<object, WasmKernels | null>()

/** Makes these the kernels of a module. */
export function useKernels(wasm: object, kernels: WasmKernels | null): void {
  known.set(wasm, kernels)
}

/** The kernels of the current backend; null where it is not wasm, or has no SIMD. */
export function wasmKernels(): WasmKernels | null {
  if (!isWasm()) return null
  const { wasm } = wasmBackend()
  const made = known.get(wasm)
  if (made !== undefined) return made
  const kernels = WasmKernels.over(wasm, 1)
  known.set(wasm, kernels)
  return kernels
}
