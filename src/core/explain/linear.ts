// Small symmetric systems in float64: the least squares of LIME and Kernel SHAP.

/** A pivot this small beside the diagonal has no information left: its unknown is set to 0. */
const SINGULAR = 1e-13

/** Lower Cholesky factor of a positive semi-definite [n, n]; a row of zeros where a pivot vanishes. */
export function cholesky(a: Float64Array, n: number): Float64Array {
  const factor = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!
      for (let k = 0; k < j; k++) sum -= factor[i * n + k]! * factor[j * n + k]!
      if (i === j) factor[i * n + i] = sum > SINGULAR * a[i * n + i]! ? Math.sqrt(sum) : 0
      else factor[i * n + j] = factor[j * n + j] === 0 ? 0 : sum / factor[j * n + j]!
    }
  }
  return factor
}

/** x [n] of A x = b, from A's Cholesky factor. */
export function solve(factor: Float64Array, n: number, b: ArrayLike<number>): Float64Array {
  const x = Float64Array.from(b)
  for (let i = 0; i < n; i++) {
    const pivot = factor[i * n + i]!
    for (let k = 0; k < i; k++) x[i]! -= factor[i * n + k]! * x[k]!
    x[i] = pivot === 0 ? 0 : x[i]! / pivot
  }
  for (let i = n - 1; i >= 0; i--) {
    const pivot = factor[i * n + i]!
    for (let k = i + 1; k < n; k++) x[i]! -= factor[k * n + i]! * x[k]!
    x[i] = pivot === 0 ? 0 : x[i]! / pivot
  }
  return x
}
