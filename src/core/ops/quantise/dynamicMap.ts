// The 8-bit numbers that bitsandbytes keeps statistics in (Dettmers 2015, arXiv 1511.04561): a sign, a decimal exponent
// of up to seven steps and a fraction that gets the bits which the exponent leaves. In order, code 127 is 0 and
// 127 + 2^i + j stands for 10^(i - 6) (0.1 + 0.9 (j + 1/2) / 2^i), for i from 0 to 6; below 127 the same with a minus;
// code 255 is 1.

const EXPONENTS = 7

let table: Float32Array | undefined

/** The 256 numbers in rising order, equal to bitsandbytes' create_dynamic_map() to the bit. */
export function dynamicMap(): Float32Array {
  table ??= makeTable()
  return table
}

function makeTable(): Float32Array {
  const map = new Float32Array(256)
  for (let i = 0; i < EXPONENTS; i++) {
    const bounds = linspace(0.1, 1, 2 ** i + 1)
    const power = Math.fround(10 ** (i - EXPONENTS + 1))
    for (let j = 0; j < 2 ** i; j++) {
      const mean = Math.fround(Math.fround(bounds[j]! + bounds[j + 1]!) / 2)
      map[127 + 2 ** i + j] = power * mean
      map[127 - 2 ** i - j] = -power * mean
    }
  }
  map[255] = 1
  return map
}

/** torch.linspace in float32: from the nearer end. */
function linspace(start: number, end: number, count: number): Float32Array {
  const step = Math.fround((Math.fround(end) - Math.fround(start)) / (count - 1))
  return Float32Array.from({ length: count }, (_, i) =>
    i < count / 2 ? Math.fround(start) + step * i : Math.fround(end) - step * (count - 1 - i),
  )
}

/** Steps in which bitsandbytes' CPU backend looks a number of [-1, 1] up. */
const STEPS = 65535

let codes: Uint8Array | undefined

/**
 * The code nearest to x in [-1, 1], to within half of one of the 65,535 steps: bitsandbytes' CPU backend works with a
 * table too, and codes are equal to it. (Its GPU kernels compare with the halfway points themselves, so close to one they
 * may take the neighbour.)
 */
export function dynamicCode(x: number): number {
  codes ??= makeCodes()
  const half = Math.fround(Math.fround(Math.max(-1, Math.min(1, x)) + 1) / 2)
  return codes[Math.trunc(Math.fround(half * STEPS + 0.5))]!
}

/** For each step the number of halfway points below it. */
function makeCodes(): Uint8Array {
  const map = dynamicMap()
  let code = 0
  return Uint8Array.from({ length: STEPS + 1 }, (_, step) => {
    const x = Math.fround(Math.fround((2 * step) / STEPS) - 1)
    while (code < 255 && Math.fround(Math.fround(map[code]! + map[code + 1]!) / 2) < x) code++
    return code
  })
}
