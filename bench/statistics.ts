// Small sums over measurements.

/** The middle value, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Differences of neighbours: one fewer than there are values. */
export function differences(values: readonly number[]): number[] {
  return values.slice(1).map((value, i) => value - values[i]!)
}
