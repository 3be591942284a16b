// Linear CKA (Kornblith et al. 2019, arXiv 1905.00414) with the unbiased HSIC of Song et al. 2012 (JMLR 13, 1393-1434).
// HSIC(K, L) is the product of the U-centred Gram matrices over n (n - 3), so CKA is the cosine between them.

/** The least rows that the unbiased HSIC is defined for. */
export const CKA_LEAST_ROWS = 4
/** Share of the states' energy below which what differs between rows is rounding. */
const CONSTANT = 1e-10

/** A layer's U-centred Gram matrix with norm 1: its strict upper half. Null where all rows are the same. */
export type Geometry = Float64Array | null

/** x [n, d] */
export function geometry(x: Float32Array, n: number): Geometry {
  const d = x.length / n
  const centred = Float64Array.from(x)
  let before = 0
  let after = 0
  for (let j = 0; j < d; j++) {
    let mean = 0
    for (let i = 0; i < n; i++) mean += x[i * d + j]! / n
    for (let i = 0; i < n; i++) {
      const element = x[i * d + j]!
      before += element * element
      after += (centred[i * d + j] = element - mean) ** 2
    }
  }
  if (!(after > CONSTANT * before)) return null
  // Gram matrix without its diagonal.
  const half = new Float64Array((n * (n - 1)) / 2)
  const sums = new Float64Array(n)
  let at = 0
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) {
      let product = 0
      for (let k = 0; k < d; k++) product += centred[i * d + k]! * centred[j * d + k]!
      half[at++] = product
      sums[i]! += product
      sums[j]! += product
    }
  const total = sums.reduce((sum, row) => sum + row, 0) / ((n - 1) * (n - 2))
  at = 0
  let square = 0
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++, at++)
      square += (half[at]! += total - (sums[i]! + sums[j]!) / (n - 2)) ** 2
  const norm = Math.sqrt(square)
  return norm > 0 ? half.map((element) => element / norm) : null
}

/** From -1 to 1; not a number where either is constant. */
export function cka(a: Geometry, b: Geometry): number {
  if (!a || !b) return NaN
  let product = 0
  for (let i = 0; i < a.length; i++) product += a[i]! * b[i]!
  return product
}

/** CKA of each with each: [a, b], row-major. */
export function ckaMatrix(a: readonly Geometry[], b: readonly Geometry[]): Float64Array {
  return Float64Array.from({ length: a.length * b.length }, (_, i) =>
    cka(a[Math.floor(i / b.length)]!, b[i % b.length]!),
  )
}

/** Mean distance between rows of a and b [n, d], as a share of the mean norm of a's. */
export function moved(a: Float32Array, b: Float32Array, n: number): number {
  const d = a.length / n
  let distance = 0
  let size = 0
  for (let i = 0; i < n; i++) {
    let difference = 0
    let square = 0
    for (let k = i * d; k < (i + 1) * d; k++) {
      difference += (b[k]! - a[k]!) ** 2
      square += a[k]! ** 2
    }
    distance += Math.sqrt(difference)
    size += Math.sqrt(square)
  }
  return size > 0 ? distance / size : 0
}
