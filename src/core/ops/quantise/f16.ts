// Rows of float32 as packed halves and back (IEEE 754-2008, section 3.6). Rounded to nearest, ties to even.
import { float16ToFloat32 } from '../../../formats/half.ts'

/** The smallest number that would round to infinity. */
export const F16_OVERFLOW = 65520

const number = new Float32Array(1)
const bits = new Uint32Array(number.buffer)

/** The bits of the half nearest to x; beyond the range, those of infinity. */
export function halfBits(x: number): number {
  number[0] = x
  const raw = bits[0]!
  const sign = (raw >>> 16) & 0x8000
  const size = raw & 0x7fffffff
  if (size >= 0x7f800001) return sign | 0x7e00
  if (size >= 0x477ff000) return sign | 0x7c00
  // Below 2^-14 halves are multiples of 2^-24: adding 0.5 makes float32 round to exactly those.
  if (size < 0x38800000) {
    number[0] = Math.abs(x) + 0.5
    return sign | (bits[0]! - 0x3f000000)
  }
  const odd = (size >>> 13) & 1
  return sign | ((size - 0x38000000 + 0xfff + odd) >>> 13)
}

/** values [rows, columns] -> int32 [rows, ceil(columns / 2)], the even column in the low bits. */
export function packHalves(values: Float32Array, columns: number): Int32Array<ArrayBuffer> {
  const rows = values.length / columns
  const width = Math.ceil(columns / 2) * 2
  const halves = new Uint16Array(rows * width)
  for (let row = 0, at = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) halves[row * width + column] = halfBits(values[at++]!)
  return new Int32Array(halves.buffer)
}

/** Rows [begin, end) of packed halves -> out [end - begin, columns]. */
export function unpackHalves(
  words: Int32Array,
  columns: number,
  begin: number,
  end: number,
  out: Float32Array,
): void {
  const width = Math.ceil(columns / 2) * 2
  const halves = new Uint16Array(words.buffer, words.byteOffset, words.length * 2)
  if (width === columns) {
    float16ToFloat32(halves.subarray(begin * width, end * width), out)
    return
  }
  for (let row = begin; row < end; row++)
    float16ToFloat32(
      halves.subarray(row * width, row * width + columns),
      out.subarray((row - begin) * columns, (row - begin + 1) * columns),
    )
}
