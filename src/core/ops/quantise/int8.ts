// Symmetric 8-bit rows: w = q x scale, scale = max |w| / 127 of the row (Dettmers et al. 2022, arXiv 2208.07339). The
// codes are those of bitsandbytes' int8_vectorwise_quant: float32 arithmetic by way of 1 / max |w|, ties to even.

/** The largest code. */
const LARGEST = 127

/** values [rows, columns] -> codes int32 [rows, ceil(columns / 4)], four each, and a scale for each row. */
export function quantiseInt8(
  values: Float32Array,
  columns: number,
): { words: Int32Array<ArrayBuffer>; scales: Float32Array<ArrayBuffer> } {
  const rows = values.length / columns
  const width = Math.ceil(columns / 4) * 4
  const codes = new Int8Array(rows * width)
  const scales = new Float32Array(rows)
  for (let row = 0; row < rows; row++) {
    const from = row * columns
    let largest = 0
    for (let at = from; at < from + columns; at++) largest = Math.max(largest, Math.abs(values[at]!))
    scales[row] = largest / LARGEST
    // A row of zeros, or of numbers so small that their inverse is none, is zero.
    const factor = largest === 0 ? 0 : Math.fround(Math.fround(1 / largest) * LARGEST)
    if (!Number.isFinite(factor)) continue
    for (let column = 0; column < columns; column++)
      codes[row * width + column] = nearestEven(Math.fround(values[from + column]! * factor))
  }
  return { words: new Int32Array(codes.buffer), scales }
}

/** Rows [begin, end) -> out [end - begin, columns]. */
export function dequantiseInt8(
  words: Int32Array,
  scales: Float32Array,
  columns: number,
  begin: number,
  end: number,
  out: Float32Array,
): void {
  const width = Math.ceil(columns / 4) * 4
  const codes = new Int8Array(words.buffer, words.byteOffset, words.length * 4)
  let at = 0
  for (let row = begin; row < end; row++) {
    const scale = scales[row]!
    const from = row * width
    for (let column = 0; column < columns; column++) out[at++] = codes[from + column]! * scale
  }
}

/** Adding 1.5 x 2^52 leaves no room for a fraction: float64 itself rounds, ties to even. */
const SHIFT = 1.5 * 2 ** 52

function nearestEven(x: number): number {
  return x + SHIFT - SHIFT
}
