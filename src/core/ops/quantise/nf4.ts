// NF4 of QLoRA (Dettmers et al. 2023, arXiv 2305.14314): blocks of 64 weights, each the nearest of 16 quantiles of the
// normal distribution times the block's absmax; the absmax less their mean are kept in 8 bits with a scale for every 256
// (double quantisation). Arithmetic is float32 in the order of bitsandbytes' CPU backend, so that codes are equal to it.
import { ABSMAX_GROUP, NF4_BLOCK, nf4Words } from '../matrix.ts'
import { dynamicCode, dynamicMap } from './dynamicMap.ts'

/** Appendix E of the paper. */
export const NF4_CODE = Float32Array.of(
  -1,
  -0.6961928009986877,
  -0.5250730514526367,
  -0.39491748809814453,
  -0.28444138169288635,
  -0.18477343022823334,
  -0.09105003625154495,
  0,
  0.07958029955625534,
  0.16093020141124725,
  0.24611230194568634,
  0.33791524171829224,
  0.44070982933044434,
  0.5626170039176941,
  0.7229568362236023,
  1,
)

/** Halfway between neighbours; a weight exactly there takes the lower code. */
const BOUNDS = Float32Array.from({ length: 15 }, (_, i) => Math.fround(NF4_CODE[i]! + NF4_CODE[i + 1]!) / 2)

/** Bins of [-1, 1] so narrow that each has one bound at most; the last one is for 1 itself. */
const BINS = 64
const FIRST_CODE = Uint8Array.from({ length: BINS + 1 }, (_, bin) => countBelow((2 * bin) / BINS - 1))
const BOUND_INSIDE = Float32Array.from(FIRST_CODE, (code, bin) =>
  countBelow((2 * (bin + 1)) / BINS - 1) > code ? BOUNDS[code]! : Infinity,
)

function countBelow(x: number): number {
  return BOUNDS.reduce((count, bound) => (bound < x ? count + 1 : count), 0)
}

/** bitsandbytes divides by no less than this. */
const SMALLEST = Math.fround(1e-38)

/**
 * A run of row-major weights that begins at a block -> their codes, eight an int32, and the absmax of each block.
 * Only the matrix's last run may end inside a block.
 */
export function quantiseNf4(values: Float32Array): {
  words: Int32Array<ArrayBuffer>
  absmax: Float32Array<ArrayBuffer>
} {
  const count = values.length
  const words = new Int32Array(Math.ceil(count / 8))
  const absmax = new Float32Array(Math.ceil(count / NF4_BLOCK))
  for (let block = 0; block < absmax.length; block++) {
    const begin = block * NF4_BLOCK
    const end = Math.min(begin + NF4_BLOCK, count)
    let largest = 0
    for (let at = begin; at < end; at++) largest = Math.max(largest, Math.abs(values[at]!))
    const divisor = Math.max(largest, SMALLEST)
    const whole = end - begin === NF4_BLOCK
    // A whole block is multiplied by the inverse, an incomplete one divided, and its absmax is never 0.
    absmax[block] = whole ? largest : divisor
    const inverse = Math.fround(1 / divisor)
    // A block is eight words, so a word never holds codes of two.
    for (let from = begin; from < end; from += 8) {
      let word = 0
      const to = Math.min(from + 8, end)
      for (let at = from; at < to; at++) {
        const x = Math.fround(whole ? values[at]! * inverse : values[at]! / divisor)
        const bin = ((x + 1) * (BINS / 2)) | 0
        const code = x > BOUND_INSIDE[bin]! ? FIRST_CODE[bin]! + 1 : FIRST_CODE[bin]!
        word |= code << (4 * (at - from))
      }
      words[from >> 3] = word
    }
  }
  return { words, absmax }
}

/** The mean of all absmax of a matrix, in however many parts they come. */
export function meanOf(parts: readonly Float32Array[]): number {
  let sum = 0
  let count = 0
  for (const part of parts) {
    for (const value of part) sum += value
    count += part.length
  }
  return Math.fround(sum / count)
}

/** The absmax tensor of an Nf4Matrix: scales' bits, then 8-bit codes of absmax - offset. */
export function quantiseAbsmax(absmax: Float32Array, offset: number): Int32Array<ArrayBuffer> {
  const blocks = absmax.length
  const { scales, codes } = nf4Words(blocks * NF4_BLOCK)
  const words = new Int32Array(scales + codes)
  const scaleOf = new Float32Array(words.buffer, 0, scales)
  const codeOfBlock = new Uint8Array(words.buffer, scales * 4)
  const centred = absmax.map((value) => value - offset)
  for (let group = 0; group < scales; group++) {
    const run = centred.subarray(group * ABSMAX_GROUP, (group + 1) * ABSMAX_GROUP)
    const scale = run.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
    scaleOf[group] = scale
    // Where all are the mean, any code gives it back.
    if (scale === 0) continue
    const inverse = Math.fround(1 / scale)
    run.forEach((value, i) => {
      codeOfBlock[group * ABSMAX_GROUP + i] = dynamicCode(Math.fround(value * inverse))
    })
  }
  return words
}

/** The absmax of blocks [begin, end), as they come out of quantiseAbsmax of `blocks` blocks. */
function dequantiseAbsmax(
  words: Int32Array,
  blocks: number,
  offset: number,
  begin: number,
  end: number,
): Float32Array<ArrayBuffer> {
  const map = dynamicMap()
  const { scales } = nf4Words(blocks * NF4_BLOCK)
  const scaleOf = new Float32Array(words.buffer, words.byteOffset, scales)
  const codes = new Uint8Array(words.buffer, words.byteOffset + scales * 4)
  return Float32Array.from({ length: end - begin }, (_, i) => {
    const block = begin + i
    return Math.fround(map[codes[block]!]! * scaleOf[Math.floor(block / ABSMAX_GROUP)]!) + offset
  })
}

/** Weights [begin, end) of the flat matrix -> out; `weights` is how many the matrix has. */
export function dequantiseNf4(
  words: Int32Array,
  absmaxWords: Int32Array,
  offset: number,
  weights: number,
  begin: number,
  end: number,
  out: Float32Array,
): void {
  const first = Math.floor(begin / NF4_BLOCK)
  const last = Math.ceil(end / NF4_BLOCK)
  const absmax = dequantiseAbsmax(absmaxWords, Math.ceil(weights / NF4_BLOCK), offset, first, last)
  const values = new Float32Array(16)
  for (let block = first; block < last; block++) {
    const scale = absmax[block - first]!
    for (let code = 0; code < 16; code++) values[code] = NF4_CODE[code]! * scale
    const stop = Math.min((block + 1) * NF4_BLOCK, end)
    for (let at = Math.max(block * NF4_BLOCK, begin); at < stop; at++)
      out[at - begin] = values[(words[at >> 3]! >>> (4 * (at & 7))) & 15]!
  }
}
