// Confidence intervals and quantiles that findings speak of.

/** Two-sided 95%. */
export const Z95 = 1.959963984540054

/** Wilson's score interval (1927) of a share. */
export function wilson(count: number, of: number, z = Z95): { low: number; high: number } {
  if (of === 0) return { low: 0, high: 1 }
  const share = count / of
  const square = (z * z) / of
  const centre = (share + square / 2) / (1 + square)
  const half = (z * Math.sqrt((share * (1 - share)) / of + square / (4 * of))) / (1 + square)
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}

const A = [
  -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
  2.506628277459239,
]
const B = [
  -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1,
  1,
]
const C = [
  -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
  2.938163982698783,
]
const D = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1]

const horner = (factors: readonly number[], x: number): number =>
  factors.reduce((sum, factor) => sum * x + factor, 0)

/** Quantile of the standard normal distribution (Acklam's approximation, relative error 1e-9). */
export function normalQuantile(p: number): number {
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p))
    return horner(C, q) / horner(D, q)
  }
  if (p > 1 - 0.02425) return -normalQuantile(1 - p)
  const q = p - 0.5
  const r = q * q
  return (horner(A, r) * q) / horner(B, r)
}
