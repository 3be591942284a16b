// 16-bit floats to 32 bits, and bfloat16 back. There are only 65,536 half floats, so they are looked up; a bfloat16 is the upper half of a
// float32. IEEE 754-2008, section 3.6.

let table: Float32Array | undefined

/** float16 bit patterns to float32, exactly (subnormals, infinities and NaN included); into `out` where one is given. */
export function float16ToFloat32<B extends ArrayBufferLike>(
  bits: Uint16Array,
  out: Float32Array<B>,
): Float32Array<B>
export function float16ToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer>
export function float16ToFloat32(
  bits: Uint16Array,
  out: Float32Array = new Float32Array(bits.length),
): Float32Array {
  table ??= makeTable()
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!
  return out
}

/** bfloat16 bit patterns to float32, exactly. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) out[i] = bits[i]! << 16
  return new Float32Array(out.buffer)
}

/** float32 to bfloat16 bit patterns, rounded to nearest, ties to even. */
export function float32ToBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const out = new Uint16Array(values.length)
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!
    const isNaN = (word & 0x7fffffff) > 0x7f800000
    out[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  }
  return out
}

function makeTable(): Float32Array {
  return Float32Array.from({ length: 0x10000 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 0x1f
    const fraction = bits & 0x3ff
    if (exponent === 0x1f) return fraction ? NaN : sign * Infinity
    if (exponent === 0) return sign * fraction * 2 ** -24
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  })
}
